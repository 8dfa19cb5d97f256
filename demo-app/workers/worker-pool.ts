import cluster, { type Worker } from 'node:cluster'
import { EnvironmentError } from '../environment'
import {
  DRAIN_MILLISECONDS,
  type FromWorker,
  GRACE_MILLISECONDS,
  type ToWorker,
  type WorkerSettings,
} from './messages'

export interface WorkerPoolOptions {
  readonly size: number
  readonly settings: Omit<WorkerSettings, 'name'>
  readonly print: (line: string) => void
}

/** The workers of a demo. A worker that ends is replaced. */
export interface WorkerPool {
  /** Resolves when all workers serve; rejects if one cannot. */
  readonly serving: Promise<void>
  /** Lets all workers finish their requests; resolves when all have ended. */
  stop(): Promise<void>
}

const SHORTEST_PAUSE_MILLISECONDS = 100
const LONGEST_PAUSE_MILLISECONDS = 30_000

/** A worker that ends later than this after its start did not fail because of its settings. */
const HEALTHY_MILLISECONDS = 30_000

const STOP_MILLISECONDS = DRAIN_MILLISECONDS + GRACE_MILLISECONDS + 1000

/** How long to wait before the next start, after a number of workers that ended soon after theirs. */
export function pauseAfter(earlyDeaths: number): number {
  return Math.min(LONGEST_PAUSE_MILLISECONDS, SHORTEST_PAUSE_MILLISECONDS * 2 ** earlyDeaths)
}

/** Workers get their secrets in a message, so that their environment contains none. */
const WITHOUT_SECRETS = { DEMO_CLIENT_SECRET: '', DEMO_REDIS: '' }

export function startWorkers(options: WorkerPoolOptions): WorkerPool {
  cluster.setupPrimary({
    exec: require.resolve('../main'),
    execArgv: ['-r', require.resolve('../../scripts/typescript.cjs')],
    args: [],
  })
  const pool: Pool = { ...options, workers: new Set(), restarts: new Set(), isStopping: false }
  const started = Array.from({ length: options.size }, (_, index) => {
    return new Promise<void>((onServing, onFailure) => {
      startWorker(pool, { number: index + 1, onServing, onFailure, earlyDeaths: 0 })
    })
  })
  return { serving: Promise.all(started).then(() => undefined), stop: () => stop(pool) }
}

interface Pool extends WorkerPoolOptions {
  readonly workers: Set<Worker>
  readonly restarts: Set<NodeJS.Timeout>
  isStopping: boolean
}

/** A place in the pool, which one worker at a time fills. */
interface Slot {
  readonly number: number
  readonly onServing: () => void
  readonly onFailure: (error: Error) => void
  readonly earlyDeaths: number
}

function startWorker(pool: Pool, slot: Slot): void {
  const { number, onServing } = slot
  const startedAt = Date.now()
  const worker = cluster.fork(WITHOUT_SECRETS)
  let failure: string | undefined
  pool.workers.add(worker)
  worker.on('message', (message: FromWorker) => {
    if (message.type === 'ready')
      send(worker, { type: 'start', settings: { ...pool.settings, name: `w${number}` } })
    if (message.type === 'line') pool.print(message.text)
    if (message.type === 'serving') onServing()
    if (message.type === 'failed') failure = message.message
  })
  worker.once('exit', (code, signal) => {
    pool.workers.delete(worker)
    if (pool.isStopping) return
    const why = failure ?? String(signal ?? code)
    slot.onFailure(new EnvironmentError(failure ?? `worker ${number} ended: ${why}`))
    const isEarly = Date.now() - startedAt < HEALTHY_MILLISECONDS
    const pause = pauseAfter(isEarly ? slot.earlyDeaths : 0)
    pool.print(
      `  worker ${number} (process ${worker.process.pid}) ended: ${why}; restart in ${pause / 1000} s`,
    )
    restartLater(pool, { ...slot, earlyDeaths: isEarly ? slot.earlyDeaths + 1 : 0 }, pause)
  })
}

function restartLater(pool: Pool, slot: Slot, pauseMilliseconds: number): void {
  const timer = setTimeout(() => {
    pool.restarts.delete(timer)
    startWorker(pool, slot)
  }, pauseMilliseconds)
  pool.restarts.add(timer)
}

async function stop(pool: Pool): Promise<void> {
  pool.isStopping = true
  for (const timer of pool.restarts) clearTimeout(timer)
  const workers = [...pool.workers]
  const exits = workers.map((worker) => new Promise((resolve) => worker.once('exit', resolve)))
  for (const worker of workers) send(worker, { type: 'stop' })
  const timer = setTimeout(() => {
    for (const worker of pool.workers) worker.process.kill('SIGKILL')
  }, STOP_MILLISECONDS)
  await Promise.all(exits)
  clearTimeout(timer)
}

function send(worker: Worker, message: ToWorker): void {
  // A worker that has just ended cannot receive messages. Its `exit` event is handled above.
  worker.send(message, undefined, () => undefined)
}
