import type { Scenario } from '../scenario.ts'
export const inbox: Scenario = async () => ({ unit: '', perSecond: null, remark: 'not written yet' })
