/** A page with another text between the comments of this name. */
export function withPart(
  page: string,
  { name, text }: { readonly name: string; readonly text: string },
): string {
  const [begin, end] = [`<!-- ${name}: begin -->\n`, `<!-- ${name}: end -->`]
  const [before, rest, ...others] = page.split(begin)
  const [, after] = rest?.split(end) ?? []
  if (before === undefined || after === undefined || others.length > 0)
    throw new Error(`expected the comments around "${name}" once`)
  return `${before}${begin}\n${text}\n\n${end}${after}`
}
