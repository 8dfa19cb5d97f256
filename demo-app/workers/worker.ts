import { setTimeout as sleep } from 'node:timers/promises'
import { EnvironmentError } from '../environment'
import { eventLine } from '../event-lines'
import type { Paint } from '../paint'
import { connectRedis } from '../redis'
import { startDemo } from '../server'
import {
  DRAIN_MILLISECONDS,
  type FromWorker,
  GRACE_MILLISECONDS,
  type Handover,
  type ToWorker,
} from './messages'

/** Serves as one of several processes, until it is told to stop. */
export function work(paint: Paint): void {
  // Ctrl-C in a terminal is for all processes: the primary sees to it that the workers stop.
  process.on('SIGINT', () => undefined)
  process.on('message', (message: ToWorker) => {
    if (message.type === 'begin') serve(message.handover, paint).catch(fail)
  })
  void tell({ type: 'hello' })
}

async function serve(handover: Handover, paint: Paint): Promise<void> {
  const { environment, certificate, signingKey, redis: url, run, name } = handover
  const say = (text: string) => {
    void tell({ type: 'line', text: `  ${new Date().toTimeString().slice(0, 8)} ${name} ${text}` })
  }
  const redis = await connectRedis(url, (why) => say(paint('red', `Redis is lost: ${why}`)))
  const shared = { certificate, signingKey, state: redis.stateOf(run) }
  const demo = await startDemo(environment, (event) => say(eventLine(event, paint)), shared)

  let isStopping = false
  async function stop(): Promise<void> {
    if (isStopping) return
    isStopping = true
    demo.drain()
    await sleep(DRAIN_MILLISECONDS)
    await demo.stop(GRACE_MILLISECONDS)
    redis.close()
    // When this has been written, so has everything before it.
    await tell({ type: 'stopped' })
    process.exit(0)
  }
  process.on('SIGTERM', stop)
  process.on('message', (message: ToWorker) => {
    if (message.type === 'stop') void stop()
  })
  await tell({ type: 'serving' })
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
