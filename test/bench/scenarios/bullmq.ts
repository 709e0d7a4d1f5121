import type { Scenario } from '../scenario.ts'
export const bullmq: Scenario = async () => ({ unit: '', perSecond: null, remark: 'not written yet' })
