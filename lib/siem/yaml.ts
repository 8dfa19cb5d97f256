/** A value that `yamlOf` can write. */
export type YamlValue =
  | string
  | number
  | boolean
  | readonly YamlValue[]
  | { readonly [key: string]: YamlValue | undefined }

/**
 * Writes YAML: the members of objects and the elements of lists on lines of their own. Texts are quoted as in JSON, of which
 * YAML 1.2 is a superset, so no text can become a number, a comment or a key. Members that are `undefined` are left out.
 */
export function yamlOf(value: YamlValue): string {
  return `${linesOf(value).join('\n')}\n`
}

function linesOf(value: YamlValue): string[] {
  if (Array.isArray(value)) return value.flatMap((each) => elementOf(linesOf(each)))
  if (typeof value !== 'object') return [JSON.stringify(value)]
  return Object.entries(value).flatMap(([key, member]) => {
    if (member === undefined) return []
    const lines = linesOf(member)
    return isBlock(member) ? [`${key}:`, ...lines.map((line) => `    ${line}`)] : [`${key}: ${lines[0]}`]
  })
}

function isBlock(value: YamlValue): boolean {
  return typeof value === 'object'
}

/** An element of a list: its first line follows the dash. */
function elementOf([first = '', ...others]: readonly string[]): string[] {
  return [`- ${first}`, ...others.map((line) => `  ${line}`)]
}
