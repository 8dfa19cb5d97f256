/**
 * The clauses of a rule or a check as words of a sentence: `RFC 8996 4, RFC 8996 5` becomes
 * `RFC 8996, sections 4 and 5`, and `RFC 9449 4.3, 8` becomes `RFC 9449, section 4.3, item 8`.
 */
export function clausesInWords(clause: string): string {
  const documents = new Map<string, string[]>()
  let last: string[] = []
  for (const part of clause.split(', ')) {
    const [, document = part, section] = /^(RFC \d+) (\d.*)$/.exec(part) ?? []
    if (/^\d+$/.test(part)) last.push(`${last.pop()}, item ${part}`)
    else {
      last = documents.get(document) ?? []
      documents.set(document, section === undefined ? last : [...last, section])
      last = documents.get(document) ?? last
    }
  }
  return joined(
    [...documents].map(([document, sections]) => withSections(document, sections)),
    ', and ',
  )
}

function withSections(document: string, sections: readonly string[]): string {
  if (sections.length === 0) return document
  const isOne = sections.length === 1 && !sections[0]?.includes(' to ')
  return `${document}, ${isOne ? 'section' : 'sections'} ${joined(sections, ' and ')}`
}

function joined(texts: readonly string[], conjunction: string): string {
  const last = texts.at(-1) ?? ''
  return texts.length < 2 ? last : `${texts.slice(0, -1).join(', ')}${conjunction}${last}`
}
