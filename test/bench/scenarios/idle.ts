import type { Scenario } from '../scenario.ts'
export const idle: Scenario = async () => ({ unit: '', perSecond: null, remark: 'not written yet' })
