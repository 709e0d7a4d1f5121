import type { Scenario } from '../scenario.ts'
export const byId: Scenario = async () => ({ unit: '', perSecond: null, remark: 'not written yet' })
