import { createHash } from 'node:crypto'
import { extname } from 'node:path'
import { readPageContent } from './page-content.js'

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

/** Prepares the page: about 200 KB. */
export function readPageFiles(texts = readPageContent()): PageFiles {
  const files = new Map(Object.entries(texts).map(([name, text]) => [name, pageFile(name, text)]))
  const digest = createHash('sha256')
  for (const [name, { content }] of files) digest.update(`${name}\0`).update(content)
  const hash = digest.digest('hex').slice(0, 16)
  const template = texts['index.html'] ?? ''
  files.delete('index.html')
  const document = template
    .replaceAll('{{assets}}', `assets/${hash}`)
    .replace('<!-- slash -->', `<script>${SLASH_SCRIPT}</script>`)
  return { document: pageFile('index.html', document), hash, files }
}

function pageFile(name: string, text: string): PageFile {
  return { type: TYPES[extname(name)] as string, content: Buffer.from(text) }
}
