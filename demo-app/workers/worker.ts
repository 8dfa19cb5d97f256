import { setTimeout as sleep } from 'node:timers/promises'
import { EnvironmentError } from '../environment'
import { eventLine } from '../event-lines'
import type { Paint } from '../paint'
import { type ConnectedRedis, connectRedis } from '../redis'
import { type RunningDemo, startDemo } from '../server'
import {
  DRAIN_MILLISECONDS,
  type FromWorker,
  GRACE_MILLISECONDS,
  type Handover,
  type ToWorker,
} from './messages'

/** What there is to be ended once a worker serves. */
interface Serving {
  readonly demo: RunningDemo
  readonly redis: ConnectedRedis
}

/** Serves as one of several processes, until it is told to stop. */
export function work(paint: Paint): void {
  let serving: Serving | undefined
  let isStopping = false

  async function stop(): Promise<void> {
    if (isStopping) return
    isStopping = true
    // One that does not serve yet has nothing to finish.
    if (serving !== undefined) await finish(serving)
    // When this has been written, so has everything before it.
    await tell({ type: 'stopped' })
    process.exit(0)
  }

  process.on('message', (message: ToWorker) => {
    if (message.type === 'stop') void stop()
    else
      serve(message.handover, paint).then((begun) => {
        serving = begun
      }, fail)
  })
  process.on('SIGTERM', stop)
  // Ctrl-C in a terminal is for all processes: the primary sees to it that the workers stop.
  process.on('SIGINT', () => undefined)
  void tell({ type: 'hello' })
}

async function finish({ demo, redis }: Serving): Promise<void> {
  demo.drain()
  await sleep(DRAIN_MILLISECONDS)
  await demo.stop(GRACE_MILLISECONDS)
  redis.close()
}

async function serve(handover: Handover, paint: Paint): Promise<Serving> {
  const { environment, certificate, signingKey, redis: url, run, name } = handover
  const say = (text: string) => {
    void tell({ type: 'line', text: `  ${new Date().toTimeString().slice(0, 8)} ${name} ${text}` })
  }
  const redis = await connectRedis(url, (why) => say(paint('red', `Redis is lost: ${why}`)))
  const shared = { certificate, signingKey, state: redis.stateOf(run) }
  const demo = await startDemo(environment, (event) => say(eventLine(event, paint)), shared)
  await tell({ type: 'serving' })
  return { demo, redis }
}

async function fail(error: unknown): Promise<never> {
  const message = error instanceof EnvironmentError ? error.message : String(error)
  await tell({ type: 'failed', message })
  process.exit(1)
}

function tell(message: FromWorker): Promise<void> {
  return new Promise((resolve) => {
    // A primary that has gone takes its workers with it.
    process.send?.(message, undefined, undefined, () => resolve())
  })
}
