import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

export const ROOT = join(__dirname, '..', '..')

const EXAMPLE_FOLDERS = readdirSync(join(ROOT, 'examples'), { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .map(({ name }) => name)

/** The folders of examples that npm starts. The recipes in other languages have no package.json. */
export const EXAMPLES: readonly string[] = EXAMPLE_FOLDERS.filter((name) =>
  existsSync(join(ROOT, 'examples', name, 'package.json')),
)

/** The documents of the project, by their paths. */
export const DOCUMENTS: readonly string[] = [
  'README.md',
  'CHANGELOG.md',
  'SECURITY.md',
  'CONTRIBUTING.md',
  ...readdirSync(join(ROOT, 'docs'), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.md'))
    .sort()
    .map((name) => `docs/${name}`),
  'examples/README.md',
  ...EXAMPLE_FOLDERS.map((name) => `examples/${name}/README.md`),
]

export function readText(path: string): string {
  return readFileSync(join(ROOT, path), 'utf8')
}

/** A fenced block of code, and the heading above it. */
export interface CodeBlock {
  readonly document: string
  readonly heading: string
  readonly language: string
  readonly code: string
}

export function codeBlocks(document: string): CodeBlock[] {
  const pieces = readText(document).matchAll(
    /^#+ (?<heading>.+)$|^```(?<language>\w*)\n(?<code>[\s\S]*?)^```$/gm,
  )
  let heading = ''
  const blocks: CodeBlock[] = []
  for (const { groups } of pieces) {
    if (groups?.['heading'] !== undefined) heading = groups['heading']
    else
      blocks.push({ document, heading, language: groups?.['language'] ?? '', code: groups?.['code'] ?? '' })
  }
  return blocks
}

/** The first TypeScript under a heading, or a later one. */
export function codeUnder(document: string, heading: string, { index = 0 } = {}): string {
  const found = codeBlocks(document).filter((one) => one.heading === heading && one.language === 'ts')
  const block = found[index]
  if (block === undefined)
    throw new Error(`${document}: expected ${index + 1} blocks under "${heading}", got ${found.length}`)
  return block.code
}

/** The text under a heading, up to the next heading. */
export function section(document: string, heading: string): string {
  const [, ...sections] = readText(document).split(/^#+ /m)
  const found = sections.filter((one) => one.startsWith(`${heading}\n`))
  if (found.length !== 1)
    throw new Error(`${document}: expected one heading "${heading}", got ${found.length}`)
  return found[0] ?? ''
}

/** The cells of each row in the tables under a heading, or in all tables, without the heads. */
export function tableRows(document: string, heading?: string): string[][] {
  const lines = (heading === undefined ? readText(document) : section(document, heading)).split('\n')
  const isRule = (line: string | undefined) => /^\|(-+\|)+$/.test(line ?? '')
  const rows = lines.filter((line, i) => line.startsWith('|') && !isRule(line) && !isRule(lines[i + 1]))
  return rows.map((line) => {
    const cells = line.split(/(?<!\\)\|/).slice(1, -1)
    return cells.map((cell) => cell.trim())
  })
}

/** The texts in backticks. */
export function codeIn(text: string): string[] {
  return [...text.matchAll(/`([^`]+)`/g)].map(([, code]) => code ?? '')
}

/** The members of an interface in a source of lib. */
export function interfaceMembers(path: string, name: string): string[] {
  const [, head, body] =
    new RegExp(`interface ${name}\\b([^{]*)\\{\\n([\\s\\S]*?)^\\}`, 'm').exec(readText(path)) ?? []
  if (body === undefined) throw new Error(`${path} has no interface ${name}`)
  const picked = `${head}`.matchAll(/'(\w+)'/g)
  const own = body.matchAll(/^ {2}(?:readonly )?'?([\w.]+)'?\??:/gm)
  const [, base = ''] = /^ extends (\w+) $/.exec(`${head}`) ?? []
  const inherited = readText(path).includes(`interface ${base} {`) ? interfaceMembers(path, base) : []
  return [...inherited, ...[...picked, ...own].map(([, member]) => member ?? '')]
}

/** The entries of a flat object literal in a source of lib. */
export function objectEntries(path: string, name: string): Record<string, string> {
  const [, body] =
    new RegExp(`const ${name}\\b[\\s\\S]*?= \\{\\n([\\s\\S]*?)^\\}`, 'm').exec(readText(path)) ?? []
  if (body === undefined) throw new Error(`${path} has no object ${name}`)
  const entries = body.matchAll(/^ {2}'?([\w.]+)'?: '?([\w.]+)'?,/gm)
  return Object.fromEntries([...entries].map(([, key, value]) => [key ?? '', value ?? '']))
}
