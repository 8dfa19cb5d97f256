import { constants } from 'node:os'

/** npm and the terminal both deliver one Ctrl-C: what follows this closely is no second one. */
const ECHO_MILLISECONDS = 300

/** At the first SIGINT or SIGTERM stops and exits with 0; at a second one exits at once. */
export function stopOnSignal(stop: () => Promise<void>): void {
  let stoppingSince: number | undefined

  function onSignal(signal: NodeJS.Signals): void {
    if (stoppingSince === undefined) {
      stoppingSince = Date.now()
      stop().then(() => process.exit(0))
    } else if (Date.now() - stoppingSince > ECHO_MILLISECONDS) {
      process.exit(128 + constants.signals[signal])
    }
  }

  process.on('SIGINT', onSignal).on('SIGTERM', onSignal)
}
