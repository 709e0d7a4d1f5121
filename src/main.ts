import { runProgram } from './cli/program.ts'

// The service is loaded when it is wanted: most commands need little of it.
process.exitCode = await runProgram(process.argv.slice(2), {
  startApp: async (options) => (await import('./app.ts')).startApp(options),
  maintenanceSettings: async (config) => (await import('./workers/workers.ts')).maintenanceSettings(config),
})
