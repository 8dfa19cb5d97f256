import { type ChildProcess, fork } from 'node:child_process'
import { join } from 'node:path'
import { until } from './clock'
import type { Measurement, Report, WorkerOrders } from './worker'

/** Processes that serve the same keys. */
export interface Crew {
  readonly size: number
  /** Where a worker listens; the port is another one after it was killed. */
  portOf(worker: number): number
  /** kill -9. */
  kill(worker: number): Promise<void>
  /** Starts one in the place of one that was killed. */
  replace(worker: number): Promise<void>
  /** Those that answer. */
  measure(): Promise<readonly Measurement[]>
  /** Workers that ended though nobody had ended them. */
  readonly deaths: readonly string[]
  close(): Promise<void>
  drop(): void
}

interface Member {
  readonly process: ChildProcess
  port: number
  measurement: Measurement | undefined
  isDismissed: boolean
}

const PROGRAM = join(__dirname, 'worker.ts')

export async function startCrew(orders: readonly WorkerOrders[]): Promise<Crew> {
  const deaths: string[] = []
  const members = orders.map((order) => hire(order, deaths))
  const member = (worker: number) => {
    const found = members[worker]
    if (found === undefined) throw new RangeError(`there is no worker ${worker}`)
    return found
  }
  const crew: Crew = {
    size: orders.length,
    portOf: (worker) => member(worker).port,
    kill: (worker) => dismiss(member(worker)),
    async replace(worker) {
      members[worker] = hire(orders[worker] as WorkerOrders, deaths)
      await listening(member(worker), worker)
    },
    measure: () => measure(members),
    deaths,
    close: async () => void (await Promise.all(members.map(dismiss))),
    drop() {
      for (const { process } of members) process.kill('SIGKILL')
    },
  }
  await Promise.all(members.map(listening)).catch(async (error) => {
    await crew.close()
    throw error
  })
  return crew
}

function hire(orders: WorkerOrders, deaths: string[]): Member {
  const execArgv = ['--expose-gc', '-r', require.resolve('esbuild-register')]
  // Of our environment no more than a process needs: no loader, and no test's.
  const { PATH, HOME } = process.env
  const child = fork(PROGRAM, [], { execArgv, env: { PATH, HOME }, cwd: join(__dirname, '..') })
  const member: Member = { process: child, port: 0, measurement: undefined, isDismissed: false }
  child.on('message', (report: Report) => {
    if ('port' in report) member.port = report.port
    else member.measurement = report.measured
  })
  child.once('exit', (code, signal) => {
    if (!member.isDismissed) deaths.push(`worker ${orders.index} ended with ${code ?? signal}`)
  })
  child.on('error', () => undefined)
  child.send(orders)
  return member
}

async function listening(member: Member, worker: number): Promise<void> {
  await until(`worker ${worker} listens`, () => {
    if (hasEnded(member)) throw new Error(`worker ${worker} ended before it listened`)
    return member.port !== 0
  })
}

async function measure(members: readonly Member[]): Promise<readonly Measurement[]> {
  const alive = members.filter((member) => !hasEnded(member))
  for (const member of alive) {
    member.measurement = undefined
    member.process.send('measure', () => undefined)
  }
  await until('all workers were measured', () => alive.every((one) => one.measurement || hasEnded(one)))
  return alive.flatMap(({ measurement }) => measurement ?? [])
}

function hasEnded({ process: { exitCode, signalCode } }: Member): boolean {
  return exitCode !== null || signalCode !== null
}

async function dismiss(member: Member): Promise<void> {
  member.isDismissed = true
  if (hasEnded(member)) return
  const exit = new Promise((resolve) => member.process.once('exit', resolve))
  member.process.kill('SIGKILL')
  await exit
}
