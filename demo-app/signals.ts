import { constants } from 'node:os'

/** The terminal and npm both deliver one Ctrl-C. On a busy machine, the second signal can come late. */
const REPEAT_MILLISECONDS = 2000

/** Stops at the first SIGINT or SIGTERM, then exits with 0. A signal more than 2 seconds later exits immediately. */
export function stopOnSignal(stop: () => Promise<void>): void {
  let stoppingSince: number | undefined

  function onSignal(signal: NodeJS.Signals): void {
    if (stoppingSince === undefined) {
      stoppingSince = Date.now()
      stop().then(() => process.exit(0))
    } else if (Date.now() - stoppingSince > REPEAT_MILLISECONDS) {
      process.exit(128 + constants.signals[signal])
    }
  }

  process.on('SIGINT', onSignal).on('SIGTERM', onSignal)
}
