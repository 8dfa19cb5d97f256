/**
 * Measures speed and memory against peers and limits: `npm run bench`. Prints a table, and writes `bench/results.json`.
 * Exits with 1 if a bound is missed. `npm run bench -- --only guard,redis` runs some parts. `-- --docs` also writes the
 * table into docs/performance.md.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { cpus, loadavg } from 'node:os'
import { parseArgs } from 'node:util'
import { markdownTable, printPart } from './table.mjs'

const PARTS = [
  'guard',
  'stack',
  'endpoints',
  'redis',
  'memory',
  'import',
  'garbage',
  'monitoring',
  'administration',
]
const PAGE = new URL('../docs/performance.md', import.meta.url)
const BLOCK = /(?<=<!-- bench: begin -->)[\s\S]*(?=<!-- bench: end -->)/

const { values } = parseArgs({ options: { only: { type: 'string' }, docs: { type: 'boolean' } } })
const chosen = values.only?.split(',') ?? PARTS
const unknown = chosen.filter((name) => !PARTS.includes(name))
if (unknown.length > 0) {
  console.error(`bench: no part ${unknown.join(', ')}; the parts are ${PARTS.join(', ')}`)
  process.exit(2)
}

/** No part takes longer. A part that waits for ever must not wait unseen. */
const LONGEST_MINUTES = 5

function stop(reason) {
  console.error(`bench: ${reason}`)
  process.exit(1)
}

const machine = `Node ${process.versions.node}, ${cpus().length} cores (${cpus()[0]?.model})`
console.log(`${machine}\n`)
const results = {}
for (const name of chosen) {
  const started = performance.now()
  const { run } = await import(`./parts/${name}.mjs`)
  const limit = setTimeout(
    () => stop(`the part ${name} has not ended in ${LONGEST_MINUTES} minutes`),
    LONGEST_MINUTES * 60_000,
  )
  results[name] = await run()
  clearTimeout(limit)
  printPart(name, results[name], (performance.now() - started) / 1_000)
}
const load = loadavg()[1].toFixed(1)
writeFileSync(new URL('results.json', import.meta.url), JSON.stringify({ machine, load, results }, null, 2))
if (values.docs) {
  const sentence = `During the measurement, the load average of the machine (how many programs wanted to run at the same time) was ${load}.`
  const text = `\n\nWe measured with ${machine}.\n${sentence}\n\n${markdownTable(results)}\n\n`
  const page = readFileSync(PAGE, 'utf8')
  if (!BLOCK.test(page)) throw new Error('docs/performance.md has no place for the table')
  writeFileSync(
    PAGE,
    page.replace(BLOCK, () => text),
  )
}
const missed = Object.values(results)
  .flat()
  .filter(({ passed }) => !passed)
console.log(missed.length === 0 ? 'All bounds hold.' : `${missed.length} bounds are missed.`)
// A peer may keep connections or timers.
process.exit(missed.length === 0 ? 0 : 1)
