import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { RuleId } from '../lib/index.js'
import { RULES } from '../lib/monitoring/rules/rules.js'
import { withPart } from '../scripts/page-part'
import { type AttacksResult, type LifeResult, rulesWithVariant, type Simulation, VARIANTS } from './run'
import { failuresOf, resultsOf, table } from './table'
import { simulateAll } from './workers'

const USAGE = 'usage: npm run test:simulation -- [--only RULE] [--seed NUMBER] [--document]'

/** The seeds of a complete run. */
const SEEDS = [1, 2, 3]

interface Options {
  readonly rules: readonly RuleId[]
  readonly seeds: readonly number[]
  /** Whether to write the results to docs/operations/detection.md. */
  readonly isDocumented: boolean
}

/** @throws RangeError with the usage */
function readArguments(arguments_: readonly string[]): Options {
  let rules = Object.keys(RULES) as readonly RuleId[]
  let seeds: readonly number[] = SEEDS
  let isDocumented = false
  const remaining = [...arguments_]
  for (let argument = remaining.shift(); argument !== undefined; argument = remaining.shift()) {
    if (argument === '--document') isDocumented = true
    else if (argument === '--only') rules = rules.filter((rule) => rule === remaining[0])
    else if (argument === '--seed') seeds = [Number(remaining[0])]
    else throw new RangeError(USAGE)
    if (argument !== '--document') remaining.shift()
  }
  const isPartial = rules.length !== Object.keys(RULES).length || seeds !== SEEDS
  if (rules.length === 0 || !seeds.every(Number.isInteger) || (isDocumented && isPartial))
    throw new RangeError(USAGE)
  return { rules, seeds, isDocumented }
}

function simulationsOf({ rules, seeds }: Options): Simulation[] {
  // The long ones come first, so that no thread is idle at the end.
  return [
    ...seeds.map((seed) => ({ kind: 'life', seed }) as const),
    ...seeds.flatMap((seed) =>
      VARIANTS.map(
        (variant) => ({ kind: 'attacks', seed, variant, rules: rulesWithVariant(rules, variant) }) as const,
      ).filter((simulation) => simulation.rules.length > 0),
    ),
  ]
}

async function main(): Promise<void> {
  const options = readArguments(process.argv.slice(2))
  const begin = performance.now()
  const simulated = await simulateAll(simulationsOf(options))
  const results = resultsOf(options.rules, simulated)
  const seconds = (performance.now() - begin) / 1_000
  console.log(`${summary(options, simulated)}\n\n${table(results)}\n\nin ${seconds.toFixed(0)} s`)
  const failures = failuresOf(results)
  if (failures.length > 0) throw new RangeError(failures.join('\n'))
  if (options.isDocumented) writeToDocs(`${summary(options, simulated)}\n\n${table(results)}`)
}

function summary({ seeds }: Options, simulated: readonly (LifeResult | AttacksResult)[]): string {
  const requests = simulated.reduce((sum, result) => sum + result.requests, 0)
  const clients = simulated.find((result) => result.kind === 'life')?.clients ?? 0
  const words = seeds.length === 1 ? 'The run used the *seed*' : 'The runs used the *seeds*'
  return `${words} ${seeds.join(', ')}: a seed determines all random choices. With each seed, the run simulated one week with ${clients.toLocaleString('en')} clients. The server answered ${requests.toLocaleString('en')} requests in total.`
}

const PAGE = join(__dirname, '../docs/operations/detection.md')

function writeToDocs(text: string): void {
  writeFileSync(PAGE, withPart(readFileSync(PAGE, 'utf8'), { name: 'simulation', text }))
}

main().catch((error) => {
  console.error(error instanceof RangeError ? error.message : error)
  process.exit(1)
})
