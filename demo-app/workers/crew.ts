import cluster, { type Worker } from 'node:cluster'
import { EnvironmentError } from '../environment'
import {
  DRAIN_MILLISECONDS,
  type FromWorker,
  GRACE_MILLISECONDS,
  type Handover,
  type ToWorker,
} from './messages'

export interface CrewPlan {
  readonly size: number
  readonly handover: Omit<Handover, 'name'>
  readonly say: (line: string) => void
}

/** The workers of a demo: as many as there should be, whatever becomes of each. */
export interface Crew {
  /** Resolves when all of them serve; rejects when one cannot. */
  readonly serving: Promise<void>
  /** Has all of them finish what they are at; resolves when none is left. */
  stop(): Promise<void>
}

const SOONEST_MILLISECONDS = 100
const LATEST_MILLISECONDS = 30_000

/** A worker that had lived for this long was not killed by what it begins with. */
const HEALTHY_MILLISECONDS = 30_000

/** How long is waited before another worker is started, after so many that died young. */
export function pauseAfter(deaths: number): number {
  return Math.min(LATEST_MILLISECONDS, SOONEST_MILLISECONDS * 2 ** deaths)
}

/** The environment that workers do not need: whoever reads theirs must find no secret in it. */
const WITHOUT_SECRETS = { DEMO_CLIENT_SECRET: '', DEMO_REDIS: '' }

export function startCrew({ size, handover, say }: CrewPlan): Crew {
  cluster.setupPrimary({
    exec: require.resolve('../main'),
    execArgv: ['-r', require.resolve('esbuild-register')],
    args: [],
  })
  const alive = new Set<Worker>()
  const waiting = new Set<NodeJS.Timeout>()
  let isStopping = false

  /** Keeps a place filled; `onServing` and `onFailure` are told of the first worker in it. */
  function fill(number: number, onServing: () => void, onFailure: (error: Error) => void, deaths = 0): void {
    const since = Date.now()
    const worker = cluster.fork(WITHOUT_SECRETS)
    let failure: string | undefined
    alive.add(worker)
    worker.on('message', (message: FromWorker) => {
      if (message.type === 'hello')
        send(worker, { type: 'begin', handover: { ...handover, name: `w${number}` } })
      if (message.type === 'line') say(message.text)
      if (message.type === 'serving') onServing()
      if (message.type === 'failed') failure = message.message
    })
    worker.once('exit', (code, signal) => {
      alive.delete(worker)
      if (isStopping) return
      onFailure(new EnvironmentError(failure ?? `worker ${number} ended with ${signal ?? code}`))
      const young = Date.now() - since < HEALTHY_MILLISECONDS ? deaths + 1 : 0
      const pause = pauseAfter(Math.max(young - 1, 0))
      say(lostLine(number, worker, failure ?? String(signal ?? code), pause))
      const timer = setTimeout(() => {
        waiting.delete(timer)
        fill(number, onServing, onFailure, young)
      }, pause)
      waiting.add(timer)
    })
  }

  async function stop(): Promise<void> {
    isStopping = true
    for (const timer of waiting) clearTimeout(timer)
    const gone = [...alive].map((worker) => new Promise((resolve) => worker.once('exit', resolve)))
    for (const worker of alive) send(worker, { type: 'stop' })
    const timer = setTimeout(
      () => {
        for (const worker of alive) worker.process.kill('SIGKILL')
      },
      DRAIN_MILLISECONDS + GRACE_MILLISECONDS + SOONEST_MILLISECONDS * 10,
    )
    await Promise.all(gone)
    clearTimeout(timer)
  }

  const places = Array.from({ length: size }, (_, i) => i + 1)
  const filled = places.map((number) => new Promise<void>((resolve, reject) => fill(number, resolve, reject)))
  return { serving: Promise.all(filled).then(() => undefined), stop }
}

function send(worker: Worker, message: ToWorker): void {
  // A worker that has just died cannot be told anything; its exit is what counts.
  worker.send(message, undefined, () => undefined)
}

function lostLine(number: number, { process: { pid } }: Worker, why: string, pause: number): string {
  return `  worker ${number} (process ${pid}) has gone: ${why}; another starts in ${pause / 1000} s`
}
