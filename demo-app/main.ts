import { EnvironmentError, readEnvironment, refuseArguments } from './environment'
import { eventLine } from './event-lines'
import { nextSteps } from './next-steps'
import { painter } from './paint'
import { startDemo } from './server'
import { stopOnSignal } from './signals'

async function main(): Promise<void> {
  refuseArguments(process.argv.slice(2))
  const environment = readEnvironment(process.env)
  const paint = painter(process.stdout, process.env)
  const demo = await startDemo(environment, (event) => {
    console.log(`  ${event.at.toTimeString().slice(0, 8)} ${eventLine(event, paint)}`)
  })
  stopOnSignal(demo.stop)
  // Whoever read what is printed here has gone, as in `npm run demo | head`.
  process.stdout.once('error', () => process.exit(0))
  console.log(nextSteps(demo, environment, paint))
}

main().catch((error) => {
  process.exitCode = 1
  console.error(error instanceof EnvironmentError ? `demo: ${error.message}` : error)
})
