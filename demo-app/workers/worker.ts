import { setTimeout as sleep } from 'node:timers/promises'
import { EnvironmentError } from '../environment'
import { clockTime, eventLine } from '../event-lines'
import type { Paint } from '../paint'
import { type ConnectedRedis, connectRedis } from '../redis'
import { type RunningDemo, startDemo } from '../server'
import {
  DRAIN_MILLISECONDS,
  type FromWorker,
  GRACE_MILLISECONDS,
  type ToWorker,
  type WorkerSettings,
} from './messages'

/** What a worker must close when it stops. */
interface Serving {
  readonly demo: RunningDemo
  readonly redis: ConnectedRedis
}

/** Runs one worker of the demo until the primary process stops it. */
export function runWorker(paint: Paint): void {
  let serving: Serving | undefined
  let isStopping = false

  async function stop(): Promise<void> {
    if (isStopping) return
    isStopping = true
    // A worker that does not serve yet has nothing to finish.
    if (serving !== undefined) await finish(serving)
    // Messages are sent in order, so all earlier lines have been sent after this.
    await report({ type: 'stopped' })
    process.exit(0)
  }

  process.on('message', (message: ToWorker) => {
    if (message.type === 'stop') void stop()
    else
      serve(message.settings, paint).then((started) => {
        serving = started
      }, fail)
  })
  process.on('SIGTERM', stop)
  // Ctrl-C in a terminal reaches all processes. The primary process stops the workers.
  process.on('SIGINT', () => undefined)
  void report({ type: 'ready' })
}

/** Accepts requests until load balancers see that the worker is not ready, then lets running requests finish. */
async function finish({ demo, redis }: Serving): Promise<void> {
  demo.drain()
  await sleep(DRAIN_MILLISECONDS)
  await demo.stop(GRACE_MILLISECONDS)
  redis.close()
}

async function serve(settings: WorkerSettings, paint: Paint): Promise<Serving> {
  const { environment, certificate, signingKey, redis: url, run, name } = settings
  const print = (text: string) => {
    void report({ type: 'line', text: `  ${clockTime(new Date())} ${name} ${text}` })
  }
  const redis = await connectRedis(url, (why) => print(paint('red', `lost the connection to Redis: ${why}`)))
  const shared = { certificate, signingKey, state: redis.stateOf(run) }
  const demo = await startDemo(environment, { observer: (event) => print(eventLine(event, paint)), shared })
  await report({ type: 'serving' })
  return { demo, redis }
}

async function fail(error: unknown): Promise<never> {
  const message = error instanceof EnvironmentError ? error.message : String(error)
  await report({ type: 'failed', message })
  process.exit(1)
}

/** Resolves when the message has been sent. */
function report(message: FromWorker): Promise<void> {
  return new Promise((resolve) => {
    // If the primary process has ended, node:cluster ends this worker too.
    process.send?.(message, undefined, undefined, () => resolve())
  })
}
