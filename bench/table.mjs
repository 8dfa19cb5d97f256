import { styleText } from 'node:util'

/** Prints the lines of one part. */
export function printPart(part, lines, seconds) {
  console.log(`${styleText('bold', part.padEnd(50))}median      quartiles     bound`)
  for (const entry of lines) {
    const { name, median, spread, bound } = texts(entry)
    const verdict = bound === '' ? '' : entry.passed ? styleText('green', 'ok') : styleText('red', 'missed')
    const cells = [`  ${name}`.padEnd(44), median.padStart(12), spread.padStart(15), bound.padStart(10)]
    console.log(`${cells.join('')}  ${verdict}`.trimEnd())
  }
  console.log(`  (${seconds.toFixed(0)} s)\n`)
}

/** The lines of all parts as a table in Markdown. */
export function markdownTable(results) {
  const rows = Object.entries(results).flatMap(([part, lines]) => [
    `| **${part}** | | | | |`,
    ...lines.map((entry) => {
      const { name, median, spread, bound } = texts(entry)
      const verdict = bound === '' ? '' : entry.passed ? 'yes' : '**no**'
      return `| ${name} | ${median} | ${spread} | ${bound} | ${verdict} |`
    }),
  ])
  return ['| Measurement | Median | Quartiles | Bound | Holds |', '|---|---|---|---|---|', ...rows].join('\n')
}

function texts({ name, value, unit, low, high, most, least }) {
  return {
    name: name.trim(),
    median: `${digits(value)} ${unit}`,
    spread: low === high ? '' : `${digits(low)} to ${digits(high)}`,
    bound: most !== undefined ? `<= ${most}` : least !== undefined ? `>= ${least}` : '',
  }
}

function digits(value) {
  if (value >= 100) return value.toFixed(0)
  return value >= 10 ? value.toFixed(1) : value.toFixed(2)
}
