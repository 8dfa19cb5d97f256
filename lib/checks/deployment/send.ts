import { request as httpRequest, type IncomingMessage } from 'node:http'
import { request as httpsRequest, type RequestOptions } from 'node:https'
import { limitedText } from '../../base/limited-text.js'
import { parseObject } from '../../base/object.js'
import { networkFailure } from '../../client/network-failure.js'
import { bodyOf, type Exchange, type Outgoing } from './exchange.js'

/** The largest answer that is read, in bytes. */
const MOST_BYTES = 262_144
const TIMEOUT_MILLISECONDS = 10_000

/** What all requests have in common. */
export interface SendOptions {
  readonly signal: AbortSignal
  /** The certificates of the authorities that are trusted, as PEM. Default: those of Node. */
  readonly ca?: readonly string[] | undefined
  /** Default: 10 seconds. */
  readonly timeoutMilliseconds?: number | undefined
}

/**
 * Sends one request over a connection of its own, and reads the whole answer. It follows no redirect.
 *
 * @throws Error if no complete answer arrives in time
 */
export async function send(outgoing: Outgoing, options: SendOptions): Promise<Exchange> {
  const { signal, timeoutMilliseconds = TIMEOUT_MILLISECONDS } = options
  const timeout = AbortSignal.timeout(timeoutMilliseconds)
  try {
    return await sendOnce(outgoing, { ...options, signal: AbortSignal.any([signal, timeout]) })
  } catch (error) {
    signal.throwIfAborted()
    if (!timeout.aborted) throw networkFailure(error, outgoing.url)
    const { host } = new URL(outgoing.url)
    throw new Error(`No complete answer from ${host} within ${timeoutMilliseconds / 1000} seconds.`)
  }
}

function sendOnce(outgoing: Outgoing, { signal, ca }: SendOptions): Promise<Exchange> {
  const body = bodyOf(outgoing)
  const url = new URL(outgoing.url)
  const options: RequestOptions = {
    method: outgoing.method,
    headers: headersOf(outgoing, body) as Record<string, string | string[]>,
    agent: false,
    signal,
    ...(ca !== undefined && { ca: [...ca], allowPartialTrustChain: true }),
  }
  return new Promise((resolve, reject) => {
    const begin = url.protocol === 'https:' ? httpsRequest : httpRequest
    const sending = begin(url, options, (incoming) => {
      sending.off('close', hangUp)
      limitedText('the answer', incoming, MOST_BYTES).then(
        (text) => resolve(exchangeOf(outgoing, incoming, text)),
        reject,
      )
    })
    // Without an error if the answer is 101.
    const hangUp = () => reject(new Error('the connection ended before the answer'))
    sending.once('error', reject).once('close', hangUp)
    sending.end(body)
  })
}

function headersOf({ headers, form }: Outgoing, body: string | undefined): object {
  return {
    Accept: 'application/json',
    ...(form !== undefined && { 'Content-Type': 'application/x-www-form-urlencoded' }),
    ...(body !== undefined && { 'Content-Length': Buffer.byteLength(body) }),
    ...headers,
  }
}

function exchangeOf(
  request: Outgoing,
  { statusCode: status = 0, rawHeaders }: IncomingMessage,
  text: string,
): Exchange {
  const headers = new Headers()
  for (let i = 0; i + 1 < rawHeaders.length; i += 2)
    headers.append(String(rawHeaders[i]), String(rawHeaders[i + 1]))
  return { request, status, headers, text, json: parseObject(text) ?? {} }
}
