import { abortable } from '../base/abortable.js'
import type { AccessTokens } from './access-tokens.js'
import { type Connection, learnNonce, learnTime, proofFor } from './connection.js'
import { isProtected } from './options.js'

/** One request, one with a new nonce or the right time, and one with a new token. */
const MOST_TRIES = 3

/** Makes a `fetch` that adds an access token and a DPoP proof to each request (RFC 9449 7.1). */
export function authenticatedFetch(connection: Connection, tokens: AccessTokens): typeof fetch {
  return async function fetchWithToken(input, init) {
    const request = new Request(input as Request, init as RequestInit)
    const { url, method } = request
    if (!isProtected(url)) throw new TypeError(`fetch: expected an https URL, got ${new URL(url).protocol}`)
    const isStream = input instanceof Request ? input.body !== null : init?.body instanceof ReadableStream
    const body = isStream ? request.body : await bytesOf(request)
    let refused: string | undefined
    for (let tries = 1; ; tries += 1) {
      // Other requests may need this token too, so only this request stops waiting for it.
      const { token, signer } = await abortable(() => tokens.get(refused), request.signal)
      const headers = new Headers(request.headers)
      headers.set('Authorization', `DPoP ${token}`)
      headers.set('DPoP', await proofFor(connection, signer, { method, url, token }))
      const sent = { ...init, method, headers, body, signal: request.signal, duplex: 'half' }
      // The proof is for this URL only, so a redirect is left to the caller.
      const response = await connection.fetch(url, { redirect: 'manual', ...sent } as RequestInit)
      learnNonce(connection, url, response)
      const canImprove = response.status === 401 && !isStream && tries < MOST_TRIES
      if (!canImprove) return response
      // An API with another time than the issuer corrects the clock only if it has refused the proof.
      const isClockWrong = learnTime(connection, response)
      const isNonceWanted = /\buse_dpop_nonce\b/.test(response.headers.get('WWW-Authenticate') ?? '')
      if (isNonceWanted || isClockWrong) await response.body?.cancel()
      else if (refused !== undefined || !(await canReplace(tokens, token))) return response
      else {
        await response.body?.cancel()
        refused = token
      }
    }
  }
}

/** Whether there is another token in place of a refused one. */
async function canReplace(tokens: AccessTokens, refused: string): Promise<boolean> {
  const other = await tokens.get(refused).catch(() => undefined)
  return other !== undefined && other.token !== refused
}

async function bytesOf(request: Request): Promise<Uint8Array | null> {
  return request.body === null ? null : new Uint8Array(await request.arrayBuffer())
}
