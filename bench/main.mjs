/**
 * Measures speed and memory against peers and limits: `npm run bench`. Prints a table, and writes `bench/results.json`.
 * Exits with 1 if a bound is missed. `npm run bench -- --only guard,redis` runs some parts.
 */
import { writeFileSync } from 'node:fs'
import { cpus } from 'node:os'
import { parseArgs, styleText } from 'node:util'

const PARTS = ['guard', 'stack', 'endpoints', 'redis', 'memory', 'import', 'garbage']

const { values } = parseArgs({ options: { only: { type: 'string' } } })
const chosen = values.only?.split(',') ?? PARTS
const unknown = chosen.filter((name) => !PARTS.includes(name))
if (unknown.length > 0) {
  console.error(`bench: no part ${unknown.join(', ')}; the parts are ${PARTS.join(', ')}`)
  process.exit(2)
}

const machine = `Node ${process.versions.node}, ${cpus().length} cores (${cpus()[0]?.model})`
console.log(`${machine}\n`)
const results = {}
for (const name of chosen) {
  const started = performance.now()
  const { run } = await import(`./parts/${name}.mjs`)
  results[name] = await run()
  print(name, results[name], (performance.now() - started) / 1_000)
}
writeFileSync(new URL('results.json', import.meta.url), JSON.stringify({ machine, results }, null, 2))
const missed = Object.values(results)
  .flat()
  .filter(({ passed }) => !passed)
console.log(missed.length === 0 ? 'All bounds hold.' : `${missed.length} bounds are missed.`)
// A peer may keep connections or timers.
process.exit(missed.length === 0 ? 0 : 1)

function print(part, lines, seconds) {
  console.log(`${styleText('bold', part.padEnd(50))}median    quartiles     bound`)
  for (const { name, value, unit, low, high, most, least, passed } of lines) {
    const bound = most !== undefined ? `<= ${most}` : least !== undefined ? `>= ${least}` : ''
    const verdict = bound === '' ? '' : passed ? styleText('green', 'ok') : styleText('red', 'missed')
    const cells = [`  ${name}`.padEnd(46), `${digits(value)} ${unit}`.padStart(12)]
    const spread = low === high ? '' : `${digits(low)} - ${digits(high)}`
    console.log(`${cells.join('')} ${spread.padStart(15)} ${bound.padStart(9)}  ${verdict}`.trimEnd())
  }
  console.log(`  (${seconds.toFixed(0)} s)\n`)
}

function digits(value) {
  return value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2)
}
