import type { Request } from 'express'
import type { PresentedRequest } from '../base/request.js'
import { jwtsIn, registrationTokensIn } from '../base/secret.js'

/** The part of a cleartext body that is searched for keys, and the time to wait for it. */
const MAXIMUM_BYTES = 16 * 1024
const MAXIMUM_MILLISECONDS = 2000

/** The most tokens of one request that are checked. */
const MAXIMUM_TOKENS = 4

/**
 * Collects possible keys and tokens from a cleartext request: from its `Authorization` headers, query and body. The
 * answer does not wait for the body.
 */
export async function collectExposed(req: Request, presented: PresentedRequest): Promise<readonly string[]> {
  // Parsers of Express 4 set an empty object for a body that they skip, so the unread body is searched in any case.
  const parsed = req.body === undefined ? '' : textOf(req.body)
  const ahead = [...presented.authorization, decodeLoosely(req.originalUrl), decodeLoosely(parsed)]
  const texts = [...ahead, decodeLoosely(await readSome(req))]
  const found = [...texts.flatMap(jwtsIn), ...texts.flatMap(registrationTokensIn)]
  return [...new Set(found)].slice(0, MAXIMUM_TOKENS)
}

/** Turns a body that an earlier parser has read into text again. */
function textOf(body: unknown): string {
  if (Buffer.isBuffer(body)) return body.toString('latin1')
  return typeof body === 'string' ? body : JSON.stringify(body)
}

function decodeLoosely(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

/** Reads the beginning of a body and drops the rest. */
function readSome(req: Request): Promise<string> {
  if (req.readableEnded || req.destroyed) return Promise.resolve('')
  return new Promise((resolve) => {
    const chunks: Buffer[] = []
    let bytes = 0
    const timer = setTimeout(finish, MAXIMUM_MILLISECONDS).unref()
    function finish(): void {
      clearTimeout(timer)
      req.off('data', collect).resume()
      resolve(Buffer.concat(chunks).toString('latin1').slice(0, MAXIMUM_BYTES))
    }
    function collect(chunk: Buffer): void {
      chunks.push(chunk)
      bytes += chunk.length
      if (bytes >= MAXIMUM_BYTES) finish()
    }
    req.on('data', collect).once('end', finish).once('close', finish).once('error', finish)
  })
}
