import { Agent, type RequestOptions, request } from 'node:https'
import { isIP, type LookupFunction } from 'node:net'
import { systemCode } from '../base/system-code.js'
import type { DeliverySettings } from './delivery-options.js'
import { isPublicAddress } from './public-address.js'

/** The request of one attempt. */
export interface Message {
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

/** The answer of the receiver, with the beginning of its body. */
export interface Answer {
  readonly status: number
  readonly retryAfter: string | undefined
  readonly body: string
}

/** No answer. The text is a code, and quotes nothing of the request. */
export interface NoAnswer {
  readonly failure: string
}

/** Sends one message. It never rejects. It ends early when the signal is aborted. */
export type Post = (message: Message, signal: AbortSignal) => Promise<Answer | NoAnswer>

/** No more of an answer is read. The body of a refusal (RFC 8935 2.3) is much shorter. */
const MOST_BYTES = 16 * 1024

/** How long the rest of a success is awaited. Nobody needs it, and a receiver that never ends it would delay other messages. */
const MOST_MILLISECONDS_AFTER_SUCCESS = 500

const REFUSED = 'ADDRESS_REFUSED'

/**
 * Makes the function that posts to one URL. It checks the address of the receiver when it connects, so that no answer of
 * the DNS can lead it to another address than the checked one. It does not follow redirects, and ignores proxies.
 */
export function httpsPost(url: URL, settings: DeliverySettings): Post {
  const { ca, timeoutSeconds } = settings
  const options: RequestOptions = {
    method: 'POST',
    // A new connection for each message: an old one could already be closed, and its address was checked long ago.
    agent: new Agent({ keepAlive: false }),
    lookup: checkedLookup(settings),
    // Set here, so that no environment variable can switch it off.
    rejectUnauthorized: true,
    ...(ca !== undefined && { ca: [ca].flat() }),
  }
  return ({ headers, body }, signal) =>
    send(url, { ...options, headers }, { body, signal, milliseconds: timeoutSeconds * 1000 })
}

interface Sending {
  readonly body: string
  readonly signal: AbortSignal
  readonly milliseconds: number
}

/** Sends one request: it ends with an answer, an error, the deadline or an abort, whichever is first. */
function send(url: URL, options: RequestOptions, { body, signal, milliseconds }: Sending) {
  return new Promise<Answer | NoAnswer>((resolve) => {
    const chunks: Buffer[] = []
    let bytes = 0
    let head: Omit<Answer, 'body'> | undefined
    const sent = request(url, options)
    const end = (failure: string) => {
      clearTimeout(timer)
      signal.removeEventListener('abort', abort)
      sent.destroy()
      // If the status has arrived, the receiver has answered, however slowly it sends the rest.
      const text = () => Buffer.concat(chunks).toString('utf8', 0, MOST_BYTES)
      resolve(head === undefined ? { failure } : { ...head, body: text() })
    }
    const abort = () => end('ABORTED')
    let timer = setTimeout(end, milliseconds, 'TIMEOUT')
    signal.addEventListener('abort', abort)
    sent.on('error', (error) => end(systemCode(error) ?? 'CONNECTION_FAILED'))
    sent.on('close', () => end('CONNECTION_CLOSED'))
    sent.on('response', (response) => {
      const { statusCode = 0, headers } = response
      head = { status: statusCode, retryAfter: headers['retry-after'] }
      const done = () => end('CONNECTION_CLOSED')
      if (statusCode >= 200 && statusCode < 300) {
        clearTimeout(timer)
        timer = setTimeout(done, Math.min(milliseconds, MOST_MILLISECONDS_AFTER_SUCCESS))
      }
      response.on('data', (chunk: Buffer) => {
        chunks.push(chunk)
        bytes += chunk.length
        if (bytes > MOST_BYTES) done()
      })
      response.on('error', done).on('end', done).on('close', done)
    })
    sent.end(body)
    if (signal.aborted) abort()
  })
}

/** Resolves names to addresses that may be connected to. The socket uses no others. */
export function checkedLookup({ resolveHost, allowPrivateNetworks }: DeliverySettings): LookupFunction {
  const mayConnect = (address: string) =>
    isIP(address) !== 0 && (allowPrivateNetworks || isPublicAddress(address))
  return async (hostname, { all }, callback) => {
    try {
      const found = (await resolveHost(hostname)).filter(mayConnect)
      const [first] = found
      if (first === undefined) throw Object.assign(new Error('The address is private'), { code: REFUSED })
      if (all) callback(null, found.map(withFamily))
      else callback(null, first, isIP(first))
    } catch (error) {
      callback(error as NodeJS.ErrnoException, '')
    }
  }
}

function withFamily(address: string) {
  return { address, family: isIP(address) }
}
