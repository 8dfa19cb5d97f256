import { type ChildProcess, fork } from 'node:child_process'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import type { AttacksResult, LifeResult, Simulation } from './run'

type Result = LifeResult | AttacksResult

/** Runs simulations in as many processes as there are cores. The results have the order of the simulations. */
export async function simulateAll(simulations: readonly Simulation[]): Promise<Result[]> {
  const results: Result[] = []
  const waiting = [...simulations.entries()]
  const processes = Math.min(availableParallelism(), simulations.length)
  await Promise.all(Array.from({ length: processes }, () => work(waiting, results)))
  return results
}

/** Takes one simulation after another from those that wait. Threads of Node sometimes hang when they end. */
async function work(waiting: [number, Simulation][], results: Result[]): Promise<void> {
  const worker = fork(join(__dirname, 'worker.ts'), {
    execArgv: ['--require', join(__dirname, '../scripts/typescript.cjs'), '--no-warnings'],
  })
  try {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      const [index, simulation] = next
      results[index] = await answerOf(worker, simulation)
    }
  } finally {
    worker.kill()
  }
}

/** @throws Error if the process ends without an answer */
function answerOf(worker: ChildProcess, simulation: Simulation): Promise<Result> {
  return new Promise((resolve, reject) => {
    const fail = (code: number | null) => reject(new Error(`a simulation ended with the code ${code}`))
    worker.once('exit', fail)
    worker.once('message', (result) => {
      worker.off('exit', fail)
      resolve(result as Result)
    })
    worker.send(simulation)
  })
}
