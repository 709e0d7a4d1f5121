import type { Scenario } from '../scenario.ts'
export const relay: Scenario = async () => ({ unit: '', perSecond: null, remark: 'not written yet' })
