import cluster from 'node:cluster'
import { EnvironmentError, readEnvironment } from './environment'
import { eventLine } from './event-lines'
import { nextSteps } from './next-steps'
import { painter } from './paint'
import { readScale } from './scale'
import { startDemo } from './server'
import { stopOnSignal } from './signals'
import { runCluster } from './workers/primary'
import { runWorker } from './workers/worker'

async function main(): Promise<void> {
  const { workers, redis } = readScale(process.argv.slice(2), process.env)
  const environment = readEnvironment(process.env)
  const paint = painter(process.stdout, process.env)
  // The reader of the output has ended, as in `npm run demo | head`.
  process.stdout.once('error', () => process.exit(0))
  if (redis !== undefined) return runCluster({ environment, workers, redis, paint })
  const demo = await startDemo(environment, (event) => {
    console.log(`  ${event.at.toTimeString().slice(0, 8)} ${eventLine(event, paint)}`)
  })
  stopOnSignal(demo.stop)
  console.log(nextSteps(demo, environment, paint))
}

async function start(): Promise<void> {
  if (cluster.isPrimary) return main()
  runWorker(painter(process.stdout, process.env))
}

start().catch((error) => {
  process.exitCode = 1
  console.error(error instanceof EnvironmentError ? `demo: ${error.message}` : error)
})
