import { createHash } from 'node:crypto'
import { promisify } from 'node:util'
import { gzip } from 'node:zlib'
import type { Request, Response } from 'express'
import { type PageFile, readPageFiles, SLASH_SCRIPT } from './page-files.js'
import { Problem } from './problem.js'

/** The page loads only its own files, and runs no text as code except one script. */
const POLICY = [
  "default-src 'none'",
  `script-src 'self' 'sha256-${sha256(SLASH_SCRIPT)}'`,
  ...["style-src 'self'", "connect-src 'self'", "img-src 'self'", "form-action 'self'"],
  ...[
    "frame-ancestors 'none'",
    "base-uri 'none'",
    "require-trusted-types-for 'script'",
    "trusted-types 'none'",
  ],
].join('; ')

/** For a path that lacks the slash already where the server sees it: nothing else is then loaded. */
const SLASH_DOCUMENT =
  `<!doctype html><title>Administration</title><script>${SLASH_SCRIPT}</script>` +
  '<noscript>Add a slash to the end of the address.</noscript>'

const compress = promisify(gzip)

/** Serves the page, and the files that it loads. */
export class Page {
  readonly #page = readPageFiles()
  /** The compressed files that were asked for. */
  readonly #compressed = new Map<PageFile, Promise<Buffer>>()

  /** @param path the rest of the path: `/`, or `/assets/` with a hash and a name */
  async serve(req: Request, res: Response, path: string): Promise<void> {
    const { document, hash, files } = this.#page
    if (path === '/') return this.#serveDocument(req, res, document)
    const [, name] = /^\/assets\/[0-9a-f]{16}\/(.+)$/.exec(path) ?? []
    const file = files.get(name ?? '')
    if (file === undefined) throw new Problem(404, 'There is no such file.')
    // A process with another version of the page may answer during an update. Its file must not be kept.
    if (path.startsWith(`/assets/${hash}/`))
      res.setHeader('Cache-Control', 'private, max-age=31536000, immutable')
    await this.#send(req, res, file)
  }

  async #serveDocument(req: Request, res: Response, document: PageFile): Promise<void> {
    res.setHeader('Content-Security-Policy', POLICY)
    const [path = ''] = req.originalUrl.split('?')
    if (path.endsWith('/')) return this.#send(req, res, document)
    res.setHeader('Content-Type', document.type)
    res.end(SLASH_DOCUMENT)
  }

  async #send(req: Request, res: Response, file: PageFile): Promise<void> {
    res.setHeader('Content-Type', file.type)
    res.setHeader('Vary', 'Accept-Encoding')
    if (!req.acceptsEncodings('gzip')) return void res.end(file.content)
    const compressed = this.#compressed.get(file) ?? compress(file.content)
    this.#compressed.set(file, compressed)
    res.setHeader('Content-Encoding', 'gzip')
    res.end(await compressed)
  }
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('base64')
}
