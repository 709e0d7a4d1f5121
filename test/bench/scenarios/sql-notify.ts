import type { Scenario } from '../scenario.ts'
export const sqlNotify: Scenario = async () => ({ unit: '', perSecond: null, remark: 'not written yet' })
