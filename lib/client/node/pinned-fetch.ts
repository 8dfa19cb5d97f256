import { once } from 'node:events'
import type { IncomingMessage } from 'node:http'
import { Agent, request as httpsRequest } from 'node:https'
import { Readable } from 'node:stream'
import { connect, type DetailedPeerCertificate } from 'node:tls'
import { object, parse, required, text } from '../../base/schema.js'
import { ProvisionError } from '../failure.js'

/**
 * Options of `pinnedFetch()`.
 *
 * @example
 * const fingerprint = process.env.CA_SHA256 ?? ''
 * const options: PinnedFetchOptions = { sha256: fingerprint }
 */
export interface PinnedFetchOptions {
  /**
   * The SHA-256 fingerprint of the certificate of the authority, in hex, with or without colons, as
   * `openssl x509 -noout -fingerprint -sha256` prints it. The server must send this certificate.
   * @example '5FA66F1B9CF4EC7A0E58CE3D71A5B90C5302884E6FD41E27B5AA19603C8DF742'
   */
  readonly sha256: string
}

/** The form of a SHA-256 fingerprint. */
export const FINGERPRINT = /^([0-9a-f]{2}:?){31}[0-9a-f]{2}$/i

const readOptions = object<PinnedFetchOptions>({
  sha256: required(text('64 hex digits, with or without colons', FINGERPRINT)),
})

/** Answers that have no body (RFC 9110 6.4.1). */
const WITHOUT_BODY = [101, 204, 205, 304]

/**
 * Makes a `fetch` that trusts one certificate authority only, for the first contact with a private issuer. The device needs
 * to know only the fingerprint of the authority. The first request reads the certificate of the authority from the TLS
 * handshake, and sends nothing before the fingerprint is right. Names and dates of certificates are checked as usual.
 *
 * It takes https URLs only, and does not follow redirects.
 *
 * @throws ConfigurationError if the fingerprint is none
 * @example
 * const options = { issuer: 'https://auth.internal', fetch: pinnedFetch({ sha256: process.env.CA_SHA256 ?? '' }) }
 */
export function pinnedFetch(options: PinnedFetchOptions): typeof fetch {
  const { sha256 } = parse(readOptions, options, '')
  let trusting: Promise<Agent> | undefined
  return async function fetchPinned(input, init) {
    const request = new Request(input as Request, init as RequestInit)
    const url = new URL(request.url)
    if (url.protocol !== 'https:')
      throw new TypeError(`pinnedFetch: expected an https URL, got ${url.protocol}`)
    trusting ??= agentFor(url, sha256, request.signal).catch((error) => {
      trusting = undefined
      throw error
    })
    return send(await trusting, request)
  }
}

async function agentFor(url: URL, sha256: string, signal: AbortSignal): Promise<Agent> {
  const ca = await authorityOf(url, sha256, signal)
  // Set here, so that no environment variable can switch it off.
  const trust = { ca, keepAlive: true, rejectUnauthorized: true }
  // Newer versions of Node let an intermediate authority be trusted alone.
  return new Agent({ ...trust, ...({ allowPartialTrustChain: true } as object) })
}

/**
 * Reads the certificate with the fingerprint, as PEM, from a TLS handshake. Nothing is sent over this connection.
 *
 * @throws ProvisionError `issuer_untrusted`
 */
export async function authorityOf(url: URL, sha256: string, signal: AbortSignal): Promise<string> {
  const fingerprint = sha256.replaceAll(':', '').toUpperCase()
  const host = url.hostname.replace(/^\[|\]$/g, '')
  const name = /^[\d.]+$|:/.test(host) ? {} : { servername: host }
  const socket = connect({ host, port: Number(url.port || 443), rejectUnauthorized: false, ...name })
  try {
    await once(socket, 'secureConnect', { signal })
    const found = chainOf(socket.getPeerCertificate(true)).find(
      (one) => one.fingerprint256.replaceAll(':', '') === fingerprint,
    )
    if (found !== undefined) return pem(found.raw)
  } finally {
    socket.destroy()
  }
  const message = `${url.host} has no certificate with the SHA-256 fingerprint ${fingerprint}. If the fingerprint is wrong, correct it.`
  throw new ProvisionError('issuer_untrusted', message)
}

function chainOf(leaf: DetailedPeerCertificate): readonly DetailedPeerCertificate[] {
  const chain: DetailedPeerCertificate[] = []
  // A root is its own issuer.
  for (let one = leaf; one?.raw !== undefined && !chain.includes(one); one = one.issuerCertificate)
    chain.push(one)
  return chain
}

function pem(der: Buffer): string {
  const lines = der.toString('base64').replace(/.{64}(?=.)/g, '$&\n')
  return `-----BEGIN CERTIFICATE-----\n${lines}\n-----END CERTIFICATE-----\n`
}

async function send(agent: Agent, request: Request): Promise<Response> {
  const { url, method, signal } = request
  const body = request.body === null ? undefined : Buffer.from(await request.arrayBuffer())
  const headers = { ...Object.fromEntries(request.headers), ...(body && { 'Content-Length': body.length }) }
  const outgoing = httpsRequest(url, { method, headers, agent, signal })
  outgoing.end(body)
  const [incoming] = (await once(outgoing, 'response')) as [IncomingMessage]
  const { statusCode: status = 0, statusMessage: statusText = '', rawHeaders } = incoming
  const fields = new Headers()
  for (let i = 0; i + 1 < rawHeaders.length; i += 2)
    fields.append(String(rawHeaders[i]), String(rawHeaders[i + 1]))
  if (WITHOUT_BODY.includes(status)) incoming.resume()
  const content = WITHOUT_BODY.includes(status)
    ? null
    : (Readable.toWeb(incoming) as ReadableStream<Uint8Array>)
  return new Response(content as never, { status, statusText, headers: fields })
}
