/** The width of the terminal, within limits that are easy to read. */
const COLUMNS = Math.max(60, Math.min(98, process.stdout.columns || 98))

/**
 * Wraps text at spaces to fit the terminal, and a parameter that is too long after its `=`. The first line can start
 * with another indent.
 */
export function wrap(text: string, indent: string, first = indent): string {
  const [margin = ''] = /^ */.exec(text) ?? []
  const width = COLUMNS - indent.length - margin.length
  const lines: string[] = []
  let line = ''
  for (const word of text
    .trimStart()
    .split(' ')
    .flatMap((one) => parts(one, width))) {
    const longer = line === '' ? word : `${line} ${word}`
    if (line !== '' && longer.length > width) {
      lines.push(line)
      line = word
    } else line = longer
  }
  return [...lines, line].map((one, i) => `${i === 0 ? first : indent}${margin}${one}`).join('\n')
}

/** A word, or the name and the value of a parameter that is wider than a line. */
function parts(word: string, width: number): readonly string[] {
  const [, name, value] = (word.length > width && /^([^=]+=)(.+)$/.exec(word)) || []
  return name === undefined || value === undefined ? [word] : [name, value]
}

/** A title and a rule, for an indent of two. */
export function heading(title: string): string {
  return `${title} ${'-'.repeat(COLUMNS - 7 - title.length)}`
}
