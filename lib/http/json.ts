/** The JSON tokens that are needed to find member names: strings, brackets and colons. */
const TOKENS = /"[^"\\]*(?:\\.[^"\\]*)*"|[{}[\]:]/g

/**
 * Whether an object in a JSON text, at any depth, has a member twice. Parsers disagree about which of the two counts
 * (RFC 8259 4), so an earlier reader of the text could see a different request.
 *
 * @param json text that `JSON.parse` accepts
 */
export function hasMemberTwice(json: string): boolean {
  // The names so far in each open object. `undefined` for a list.
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
