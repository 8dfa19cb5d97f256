import { execFileSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { availableParallelism, constants, loadavg } from 'node:os'
import { join } from 'node:path'
import { withPart } from '../scripts/page-part'
import { catalog, type ScenarioGroup } from './catalog'
import { clock } from './clock'
import type { Deployment } from './deployment'
import { runScenario, type ScenarioResult } from './result'
import { FULL, SHORT } from './scale'
import { table } from './table'

const USAGE = 'usage: npm run test:faults -- [--short] [--only NAME] [--seed NUMBER] [--document]'

interface Options {
  readonly isShort: boolean
  readonly only: string | undefined
  readonly seed: number
  /** Whether to write the results to docs/operations/faults.md. */
  readonly isDocumented: boolean
}

/** @throws RangeError with the usage */
function readArguments(arguments_: readonly string[]): Options {
  const options = {
    isShort: false,
    only: undefined as string | undefined,
    seed: Date.now() % 1_000_000,
    isDocumented: false,
  }
  const remaining = [...arguments_]
  for (let argument = remaining.shift(); argument !== undefined; argument = remaining.shift()) {
    if (argument === '--short') options.isShort = true
    else if (argument === '--document') options.isDocumented = true
    else if (argument === '--only') options.only = remaining.shift()
    else if (argument === '--seed') options.seed = Number(remaining.shift())
    else throw new RangeError(USAGE)
  }
  if (!Number.isInteger(options.seed)) throw new RangeError(USAGE)
  return options
}

/** The running deployment, so that a signal can close it. */
const running = new Set<Deployment>()

async function runGroup(group: ScenarioGroup, { seed, isShort }: Options): Promise<ScenarioResult[]> {
  const results: ScenarioResult[] = []
  const deployment = await group.start({ scale: isShort ? SHORT : FULL, seed })
  running.add(deployment)
  try {
    for (const scenario of group.scenarios) {
      const begin = clock()
      process.stdout.write(`${scenario.name.padEnd(20)} `)
      const result = await runScenario(scenario, deployment)
      printResult(result, (clock() - begin) / 1000)
      results.push(result)
    }
  } finally {
    running.delete(deployment)
    await deployment.close()
  }
  return results
}

function printResult({ numbers, notes, failures }: ScenarioResult, seconds: number): void {
  const { keys, calls, executions } = numbers
  const outcome = failures.length === 0 ? 'passed' : 'FAILED'
  console.log(`${outcome}  ${seconds.toFixed(1)} s, ${calls} requests, ${keys} keys, ${executions} actions`)
  for (const line of [...notes, ...failures]) console.log(`  ${line}`)
}

async function main(): Promise<void> {
  const options = readArguments(process.argv.slice(2))
  const begin = clock()
  console.log(`${options.isShort ? 'short' : 'full'} run, seed ${options.seed}\n`)
  const results: ScenarioResult[] = []
  for (const group of catalog(options.isShort ? SHORT : FULL)) {
    const scenarios = group.scenarios.filter(({ name }) => (options.only ?? name) === name)
    if (scenarios.length > 0) results.push(...(await runGroup({ ...group, scenarios }, options)))
  }
  if (results.length === 0) throw new RangeError(USAGE)
  const numbers = table(results)
  console.log(`\n${numbers}\n`)
  const failed = results.filter(({ failures }) => failures.length > 0)
  if (failed.length > 0) throw new Error(`failed: ${failed.map(({ scenario }) => scenario.name).join(', ')}`)
  const seconds = (clock() - begin) / 1000
  if (options.isDocumented) writeToDocs(numbers, seconds, options.seed)
  console.log(`all scenarios passed, in ${seconds.toFixed(0)} s`)
}

const PAGE = join(__dirname, '../docs/operations/faults.md')

function writeToDocs(numbers: string, seconds: number, seed: number): void {
  const version = execFileSync('redis-server', ['--version'], { encoding: 'utf8' })
  const [, redis = '?'] = /v=(\S+)/.exec(version) ?? []
  const [, , load = 0] = loadavg()
  const setting =
    `This run took ${seconds.toFixed(0)} seconds, with seed ${seed}, Redis ${redis} and Node ${process.versions.node}. ` +
    `Redis, the server processes and the test clients shared ${availableParallelism()} cores. ` +
    `Other programs also used the machine: its load average (the number of processes that wanted to run) was ${load.toFixed(1)}.`
  const text = `${setting}\n\n${numbers}`
  writeFileSync(PAGE, withPart(readFileSync(PAGE, 'utf8'), { name: 'faults', text }))
}

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => {
    console.log('\nstopping')
    // Resources of a deployment that is still starting are dropped when the process exits.
    Promise.all([...running].map((deployment) => deployment.close())).finally(() =>
      process.exit(128 + constants.signals[signal]),
    )
  })
}

main().catch((error) => {
  console.error(error instanceof RangeError ? error.message : error)
  process.exit(1)
})
