import type { Scenario } from '../scenario.ts'
export const backlog: Scenario = async () => ({ unit: '', perSecond: null, remark: 'not written yet' })
