import { startApp } from './app.ts'
import { runProgram } from './cli/program.ts'
import { maintenanceSettings } from './workers/workers.ts'

process.exitCode = await runProgram(process.argv.slice(2), { startApp, maintenanceSettings })
