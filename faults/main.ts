import { constants } from 'node:os'
import { catalog, type Programme } from './catalog'
import { clock } from './clock'
import { document } from './document'
import { FULL, SHORT } from './scale'
import type { Stage } from './stage'
import { table } from './table'
import { tryOut, type Verdict } from './verdict'

const USAGE = 'usage: npm run test:faults -- [--short] [--only NAME] [--seed NUMBER] [--document]'

interface Wishes {
  readonly isShort: boolean
  readonly only: string | undefined
  readonly seed: number
  /** Whether the table is written to docs/operations.md. */
  readonly isDocumented: boolean
}

/** @throws RangeError with the usage */
function readArguments(arguments_: readonly string[]): Wishes {
  const wishes = {
    isShort: false,
    only: undefined as string | undefined,
    seed: Date.now() % 1_000_000,
    isDocumented: false,
  }
  const left = [...arguments_]
  for (let one = left.shift(); one !== undefined; one = left.shift()) {
    if (one === '--short') wishes.isShort = true
    else if (one === '--document') wishes.isDocumented = true
    else if (one === '--only') wishes.only = left.shift()
    else if (one === '--seed') wishes.seed = Number(left.shift())
    else throw new RangeError(USAGE)
  }
  if (!Number.isInteger(wishes.seed)) throw new RangeError(USAGE)
  return wishes
}

/** The stage that is open at the moment, so that a signal can close it. */
const open = new Set<Stage>()

async function play(programme: Programme, { seed, isShort }: Wishes): Promise<Verdict[]> {
  const verdicts: Verdict[] = []
  const stage = await programme.start({ scale: isShort ? SHORT : FULL, seed })
  open.add(stage)
  try {
    for (const scenario of programme.scenarios) {
      const begin = clock()
      process.stdout.write(`${scenario.name.padEnd(20)} `)
      const verdict = await tryOut(scenario, stage)
      const { keys, calls, executions } = verdict.numbers
      const outcome = verdict.faults.length === 0 ? 'holds' : 'BROKEN'
      const seconds = ((clock() - begin) / 1000).toFixed(1)
      console.log(`${outcome}  ${seconds} s, ${calls} requests, ${keys} keys, ${executions} actions`)
      for (const line of [...verdict.notes, ...verdict.faults]) console.log(`  ${line}`)
      verdicts.push(verdict)
    }
  } finally {
    open.delete(stage)
    await stage.close()
  }
  return verdicts
}

async function main(): Promise<void> {
  const wishes = readArguments(process.argv.slice(2))
  const begin = clock()
  console.log(`${wishes.isShort ? 'short' : 'full'} run, seed ${wishes.seed}\n`)
  const programmes = catalog(wishes.isShort ? SHORT : FULL).map(({ scenarios, ...rest }) => {
    return { ...rest, scenarios: scenarios.filter(({ name }) => (wishes.only ?? name) === name) }
  })
  const verdicts: Verdict[] = []
  for (const programme of programmes) {
    if (programme.scenarios.length > 0) verdicts.push(...(await play(programme, wishes)))
  }
  const numbers = table(verdicts)
  console.log(`\n${numbers}\n`)
  const broken = verdicts.filter(({ faults }) => faults.length > 0)
  if (verdicts.length === 0) throw new RangeError(USAGE)
  if (broken.length > 0) throw new Error(`broken: ${broken.map(({ scenario }) => scenario.name).join(', ')}`)
  if (wishes.isDocumented) document(numbers, { seconds: (clock() - begin) / 1000, seed: wishes.seed })
  console.log(`everything holds, in ${((clock() - begin) / 1000).toFixed(0)} s`)
}

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => {
    console.log('\nstopping')
    // What is still being started goes with the process.
    Promise.all([...open].map((stage) => stage.close())).finally(() =>
      process.exit(128 + constants.signals[signal]),
    )
  })
}

main().catch((error) => {
  console.error(error instanceof RangeError ? error.message : error)
  process.exit(1)
})
