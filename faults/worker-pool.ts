import { type ChildProcess, fork } from 'node:child_process'
import { join } from 'node:path'
import { until } from './clock'
import type { Measurement, Report, WorkerSettings } from './worker'

/** Processes that serve the same keys. */
export interface WorkerPool {
  readonly size: number
  /** The port of a worker. It changes when the worker is replaced. */
  portOf(worker: number): number
  /** Kills a worker with SIGKILL. */
  kill(worker: number): Promise<void>
  /** Replaces a worker that was killed. */
  replace(worker: number): Promise<void>
  /** Measures the workers that are running. */
  measure(): Promise<readonly Measurement[]>
  /** Descriptions of the workers that ended although nobody killed them. */
  readonly crashes: readonly string[]
  close(): Promise<void>
  drop(): void
}

interface Member {
  readonly process: ChildProcess
  port: number
  measurement: Measurement | undefined
  isKilled: boolean
}

const PROGRAM = join(__dirname, 'worker.ts')

export async function startWorkers(settings: readonly WorkerSettings[]): Promise<WorkerPool> {
  const crashes: string[] = []
  const members = settings.map((each) => startWorker(each, crashes))
  const member = (worker: number) => {
    const found = members[worker]
    if (found === undefined) throw new RangeError(`there is no worker ${worker}`)
    return found
  }
  const pool: WorkerPool = {
    size: settings.length,
    portOf: (worker) => member(worker).port,
    kill: (worker) => kill(member(worker)),
    async replace(worker) {
      members[worker] = startWorker(settings[worker] as WorkerSettings, crashes)
      await listening(member(worker), worker)
    },
    measure: () => measure(members),
    crashes,
    close: async () => void (await Promise.all(members.map(kill))),
    drop() {
      for (const { process } of members) process.kill('SIGKILL')
    },
  }
  await Promise.all(members.map(listening)).catch(async (error) => {
    await pool.close()
    throw error
  })
  return pool
}

function startWorker(settings: WorkerSettings, crashes: string[]): Member {
  const execArgv = ['--expose-gc', '-r', require.resolve('../scripts/typescript.cjs')]
  // The workers must not inherit module loaders or the settings of a test.
  const { PATH, HOME } = process.env
  const child = fork(PROGRAM, [], { execArgv, env: { PATH, HOME }, cwd: join(__dirname, '..') })
  const member: Member = { process: child, port: 0, measurement: undefined, isKilled: false }
  child.on('message', (report: Report) => {
    if ('port' in report) member.port = report.port
    else member.measurement = report.measured
  })
  child.once('exit', (code, signal) => {
    if (!member.isKilled) crashes.push(`worker ${settings.index} ended with ${code ?? signal}`)
  })
  child.on('error', () => undefined)
  child.send(settings)
  return member
}

async function listening(member: Member, worker: number): Promise<void> {
  await until(`worker ${worker} listens`, () => {
    if (hasEnded(member)) throw new Error(`worker ${worker} ended before it listened`)
    return member.port !== 0
  })
}

async function measure(members: readonly Member[]): Promise<readonly Measurement[]> {
  const running = members.filter((member) => !hasEnded(member))
  for (const member of running) {
    member.measurement = undefined
    member.process.send('measure', () => undefined)
  }
  await until('all workers are measured', () =>
    running.every((member) => member.measurement || hasEnded(member)),
  )
  return running.flatMap(({ measurement }) => measurement ?? [])
}

function hasEnded({ process: { exitCode, signalCode } }: Member): boolean {
  return exitCode !== null || signalCode !== null
}

async function kill(member: Member): Promise<void> {
  member.isKilled = true
  if (hasEnded(member)) return
  const exit = new Promise((resolve) => member.process.once('exit', resolve))
  member.process.kill('SIGKILL')
  await exit
}
