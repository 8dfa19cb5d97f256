import cluster from 'node:cluster'
import type { Observer } from 'express-provisioning-keys'
import { EnvironmentError, readEnvironment } from './environment'
import { clockTime, eventLine } from './event-lines'
import { nextSteps, storyLink } from './next-steps'
import { painter } from './paint'
import { readScale } from './scale'
import { startDemo } from './server'
import { stopOnSignal } from './signals'
import { runCluster } from './workers/primary'
import { runWorker } from './workers/worker'

async function runPrimary(): Promise<void> {
  const { workers, redis, printsCommands } = readScale(process.argv.slice(2), process.env)
  const environment = readEnvironment(process.env)
  const paint = painter(process.stdout, process.env)
  // A program that reads the output has ended, as in `npm run demo | head`.
  process.stdout.once('error', () => process.exit(0))
  // One process keeps its state in memory. Several share a Redis.
  if (redis !== undefined) return runCluster({ environment, workers, redis, paint })
  const printEvent: Observer = (event) => console.log(`  ${clockTime(event.at)} ${eventLine(event, paint)}`)
  const observer: Observer = printsCommands ? printEvent : () => undefined
  const demo = await startDemo(environment, { observer, hasStory: true })
  stopOnSignal(demo.stop)
  const { storyUrl = '' } = demo
  console.log(
    printsCommands ? nextSteps(demo, environment, paint, [['page', storyUrl]]) : storyLink(storyUrl, paint),
  )
}

/** The primary process starts this program again for each worker. */
async function main(): Promise<void> {
  if (cluster.isPrimary) return runPrimary()
  runWorker(painter(process.stdout, process.env))
}

main().catch((error) => {
  process.exitCode = 1
  console.error(error instanceof EnvironmentError ? `demo: ${error.message}` : error)
})
