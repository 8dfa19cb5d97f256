/** What of JSON matters to tell its members: strings, and what opens, closes and separates. */
const TOKENS = /"[^"\\]*(?:\\.[^"\\]*)*"|[{}[\]:]/g

/**
 * Whether an object in a JSON text, at any depth, has a member twice. Parsers disagree about which of the two counts
 * (RFC 8259 4), so that one who looks at a text before us could see another request than we do.
 *
 * @param json text that `JSON.parse` accepts
 */
export function hasMemberTwice(json: string): boolean {
  // For each object or list that is open: the names so far; none for a list.
  const open: (Set<string> | undefined)[] = []
  let text = ''
  for (const [token] of json.matchAll(TOKENS)) {
    if (token === '{' || token === '[') open.push(token === '{' ? new Set() : undefined)
    else if (token === '}' || token === ']') open.pop()
    else if (token === ':') {
      const names = open.at(-1)
      const name = JSON.parse(text) as string
      if (names?.has(name)) return true
      names?.add(name)
    } else text = token
  }
  return false
}
