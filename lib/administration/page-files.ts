import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { extname, join } from 'node:path'

/**
 * The links of the page are relative, so its URL must end with a slash. The server cannot redirect to it, because a proxy
 * may have rewritten the path. The browser knows its URL. Without the origin, a path such as `//example.com` would lead to
 * another site.
 */
export const SLASH_SCRIPT =
  "if (!location.pathname.endsWith('/')) " +
  "location.replace(location.origin + location.pathname + '/' + location.search + location.hash)"

/** One file of the page. */
export interface PageFile {
  readonly type: string
  readonly content: Buffer
}

/** All files of the page. */
export interface PageFiles {
  /** The page itself. Its links to the other files contain the hash. */
  readonly document: PageFile
  /** Changes with each file, so that browsers may keep the files for ever. */
  readonly hash: string
  readonly files: ReadonlyMap<string, PageFile>
}

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.mjs': 'text/javascript; charset=utf-8',
  '.svg': 'image/svg+xml',
}

/** The files of the chart library. */
const UPLOT = [
  ['uplot.js', require.resolve('uplot/dist/uPlot.iife.min.js')],
  ['uplot.css', require.resolve('uplot/dist/uPlot.min.css')],
] as const

/** Reads the page: about 100 KB. */
export function readPageFiles(folder = join(__dirname, 'page')): PageFiles {
  const own = readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => TYPES[extname(name)] !== undefined)
    .map((name) => [name.replaceAll('\\', '/'), join(folder, name)] as const)
  const files = new Map([...own, ...UPLOT].map(([name, path]) => [name, pageFile(path)]))
  const digest = createHash('sha256')
  for (const [name, { content }] of files) digest.update(`${name}\0`).update(content)
  const hash = digest.digest('hex').slice(0, 16)
  const template = files.get('index.html')?.content.toString('utf8') ?? ''
  files.delete('index.html')
  const content = Buffer.from(
    template
      .replaceAll('{{assets}}', `assets/${hash}`)
      .replace('<!-- slash -->', `<script>${SLASH_SCRIPT}</script>`),
  )
  return { document: { type: TYPES['.html'] as string, content }, hash, files }
}

function pageFile(path: string): PageFile {
  return { type: TYPES[extname(path)] as string, content: readFileSync(path) }
}
