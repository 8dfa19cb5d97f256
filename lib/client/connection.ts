import { parseObject } from '../base/object.js'
import { dpopProof } from './assertions.js'
import { oneLine, ProvisionError } from './failure.js'
import { networkFailure } from './network-failure.js'
import { Correctable } from './patience.js'
import type { OnProgress } from './progress.js'
import type { ServerClock } from './server-clock.js'
import type { Signer } from './signer.js'

/** The largest answer of an issuer that is read. */
const MOST_BYTES = 262_144

/** What all requests to an issuer have in common. */
export interface Connection {
  readonly fetch: typeof fetch
  readonly clock: ServerClock
  /** The last DPoP nonce of each origin (RFC 9449 8). */
  readonly nonces: Map<string, string>
  readonly notify: OnProgress
}

/** A request, without its DPoP proof. */
export interface OutgoingRequest {
  readonly url: string
  readonly method: string
  readonly headers: Readonly<Record<string, string>>
  readonly body?: string | undefined
  /** Makes the DPoP proof. Without it, the request has none. */
  readonly signer?: Signer | undefined
  /** The token in the header `Authorization`, which the proof is bound to. */
  readonly token?: string | undefined
  readonly signal: AbortSignal
}

/**
 * Sends a request to the issuer once, and reads the whole answer.
 *
 * @throws ProvisionError for each answer but a success; `Correctable` if the next attempt can be better
 */
export async function sendToIssuer(connection: Connection, request: OutgoingRequest): Promise<Response> {
  const { url, method, headers, body, signal } = request
  const proof = request.signer && (await proofFor(connection, request.signer, request))
  let response: Response
  let text: string
  try {
    response = await connection.fetch(url, {
      method,
      headers: { Accept: 'application/json', ...headers, ...(proof !== undefined && { DPoP: proof }) },
      ...(body !== undefined && { body }),
      redirect: 'manual',
      cache: 'no-store',
      signal,
    } as RequestInit)
    text = await readText(response, url)
  } catch (error) {
    throw signal.aborted ? signal.reason : networkFailure(error, url)
  }
  learnNonce(connection, url, response)
  const isCorrected = learnTime(connection, response)
  const { status, statusText, ok } = response
  if (isLoginPage(response)) throw invalidAnswer(url, `with an HTML page. ${LOGIN}`, status)
  if (ok) return new Response(text, { status, statusText, headers: response.headers })
  const refusal = refusalOf(response, text, url)
  const isClaimOfTime = isCorrected && (status === 400 || status === 401)
  const isNonceWanted = refusal.oauthError === 'use_dpop_nonce' && response.headers.has('DPoP-Nonce')
  throw isNonceWanted || isClaimOfTime ? new Correctable(refusal) : refusal
}

/** Makes the DPoP proof of a request, with the last nonce of its server. */
export function proofFor(
  { clock, nonces }: Connection,
  signer: Signer,
  { method, url, token }: Pick<OutgoingRequest, 'method' | 'url' | 'token'>,
): Promise<string> {
  const nonce = nonces.get(new URL(url).origin)
  return dpopProof(signer, { method, url, now: clock.seconds, token, nonce })
}

/** Keeps the nonce of an answer for the next request to the same server. */
export function learnNonce({ nonces }: Connection, url: string, { headers }: Response): void {
  const nonce = headers.get('DPoP-Nonce')
  if (nonce !== null) nonces.set(new URL(url).origin, nonce)
}

/** Corrects the clock by an answer. Returns whether it was wrong. */
export function learnTime({ clock, notify }: Connection, { headers }: Response): boolean {
  const bySeconds = clock.correctBy(headers)
  if (bySeconds !== undefined) notify({ type: 'clock.corrected', bySeconds })
  return bySeconds !== undefined
}

async function readText(response: Response, url: string): Promise<string> {
  const decoder = new TextDecoder()
  const reader = response.body?.getReader()
  let bytes = 0
  let text = ''
  for (let part = await reader?.read(); part !== undefined && !part.done; part = await reader?.read()) {
    bytes += part.value.byteLength
    if (bytes > MOST_BYTES) {
      await reader?.cancel().catch(() => undefined)
      throw invalidAnswer(url, `with more than ${MOST_BYTES} bytes`, response.status)
    }
    text += decoder.decode(part.value, { stream: true })
  }
  return text + decoder.decode()
}

/** An answer that no issuer gives that follows the RFCs. */
export function invalidAnswer(url: string, what: string, status?: number): ProvisionError {
  return new ProvisionError('issuer_invalid', `${withoutQuery(url)} answered ${what}.`, { status })
}

function refusalOf(response: Response, text: string, url: string): ProvisionError {
  const { status, type, headers } = response
  if (type === 'opaqueredirect' || (status >= 300 && status < 400))
    return invalidAnswer(
      url,
      `with a redirect${targetOf(headers)}, which the client does not follow. ${LOGIN}`,
      status,
    )
  const { error, error_description: description } = parseObject(text) ?? {}
  const oauthError = typeof error === 'string' ? oneLine(error).slice(0, 100) : undefined
  const details = { status, oauthError, retryAfterSeconds: retryAfter(headers) }
  const said = [oauthError, typeof description === 'string' ? oneLine(description) : undefined]
  const reason = said.filter((part) => part !== undefined).join(': ') || kindOf(headers)
  const message = `${withoutQuery(url)} answered ${status} (${reason})`.replace(/\.?\)$/, ').')
  if ([408, 409, 425, 429].includes(status) || status >= 500)
    return new ProvisionError('issuer_unavailable', message, details)
  return oauthError === undefined
    ? new ProvisionError('issuer_invalid', `${message} ${NOT_AN_ISSUER}`, details)
    : new ProvisionError('refused', message, details)
}

const LOGIN =
  'If this is the login page of a network or a proxy, log in there. If the URL of the issuer is wrong, correct it'

/** Whether something on the way has answered in place of the issuer, with 200 or with 511 (RFC 6585 6). */
function isLoginPage({ ok, status, headers }: Response): boolean {
  return (ok || status === 511) && /\bx?html\b/i.test(headers.get('Content-Type') ?? '')
}

/** The rest of the URL can contain secrets. */
function targetOf(headers: Headers): string {
  const location = headers.get('Location') ?? ''
  return URL.canParse(location) ? ` to ${new URL(location).origin}` : ''
}

const NOT_AN_ISSUER =
  'Check the URL of the issuer. In its app, put app.use(keys.router()) at the root, before any login.'

function kindOf(headers: Headers): string {
  return `${headers.get('Content-Type')?.split(';')[0] || 'no type'}, not an OAuth error`
}

/** The seconds of `Retry-After`, which is a number or a date (RFC 9110 10.2.3). */
function retryAfter(headers: Headers): number | undefined {
  const value = headers.get('Retry-After')?.trim() ?? ''
  if (/^\d{1,9}$/.test(value)) return Number(value)
  const seconds = (Date.parse(value) - Date.parse(headers.get('Date') ?? '')) / 1000
  return Number.isFinite(seconds) ? Math.max(0, Math.ceil(seconds)) : undefined
}

function withoutQuery(url: string): string {
  return url.replace(/[?#].*$/s, '')
}
