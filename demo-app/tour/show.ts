/** The width of the terminal, within limits that are easy to read. */
const COLUMNS = Math.max(60, Math.min(98, process.stdout.columns || 98))

/** Wraps text at spaces to fit the terminal. The first line can start with another indent. */
export function wrap(text: string, indent: string, first = indent): string {
  const [margin = ''] = /^ */.exec(text) ?? []
  const lines: string[] = []
  let line = ''
  for (const word of text.trimStart().split(' ')) {
    const longer = line === '' ? word : `${line} ${word}`
    if (line !== '' && indent.length + margin.length + longer.length > COLUMNS) {
      lines.push(line)
      line = word
    } else line = longer
  }
  return [...lines, line].map((one, i) => `${i === 0 ? first : indent}${margin}${one}`).join('\n')
}

/** A title and a rule, for an indent of two. */
export function heading(title: string): string {
  return `${title} ${'-'.repeat(COLUMNS - 7 - title.length)}`
}
