import type { InTime } from '../base/deadline.js'
import { parseJson } from '../base/object.js'
import { systemCode } from '../base/system-code.js'

/** How documents are fetched from the issuer. */
export interface Fetching {
  readonly fetch: typeof globalThis.fetch
  readonly inTime: InTime
}

/** A request. Default: a `GET` without further headers. */
export interface JsonRequest {
  readonly method?: 'POST'
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
}

/** Fetched JSON, which is not validated yet, and the `Cache-Control` of the answer. */
export interface FetchedJson {
  readonly json: unknown
  readonly cacheControl: string
}

/** A longer answer is refused. Its bytes are counted, because `Content-Length` may be wrong. */
const MAXIMUM_BYTES = 64 * 1024

/** All JSON media types, and the default types of static file servers. HTML is refused. */
const MEDIA_TYPE = /^(|text\/plain|application\/octet-stream|[\w.+-]+\/([\w.+-]+\+)?json)$/i

/** Fetches JSON. Errors end up in events, so their messages quote neither the request nor the answer. */
export function fetchJson(
  { fetch, inTime }: Fetching,
  url: URL,
  { headers, ...request }: JsonRequest = {},
): Promise<FetchedJson> {
  return inTime(async ({ signal }) => {
    // Do not follow redirects: the server could otherwise send our request and its credentials to any other host.
    const init = {
      ...request,
      headers: { accept: 'application/json', ...headers },
      redirect: 'manual',
      signal,
    } as const
    const response = await redactErrors(async () => fetch(url.href, init))
    const refused = refusalOf(response)
    if (refused !== undefined) {
      // Do not wait: a refused server must not decide how long this takes.
      void response.body?.cancel().catch(() => undefined)
      throw new Error(refused)
    }
    const text = await readCapped(response, signal)
    const json = parseJson(text)
    if (json === undefined) throw new Error('the answer is not JSON')
    return { json, cacheControl: response.headers.get('cache-control') ?? '' }
  })
}

function refusalOf({ status, redirected, headers }: Response): string | undefined {
  if (redirected) return 'the fetch function followed a redirect'
  if (status !== 200) return `the answer has status ${status}`
  const [type = ''] = (headers.get('content-type') ?? '').split(';')
  return MEDIA_TYPE.test(type.trim()) ? undefined : 'the media type of the answer is not JSON'
}

async function readCapped({ body }: Response, signal: AbortSignal): Promise<string> {
  const reader = body?.getReader()
  if (reader === undefined) throw new Error('the answer is empty')
  // The `fetch` of a user may ignore the signal, so end the reading here.
  signal.addEventListener('abort', () => void reader.cancel().catch(() => undefined), { once: true })
  const chunks: Uint8Array[] = []
  let bytes = 0
  for (;;) {
    const { done, value } = await redactErrors(() => reader.read())
    if (done) return Buffer.concat(chunks).toString('utf8')
    bytes += value.byteLength
    chunks.push(value)
    if (bytes <= MAXIMUM_BYTES) continue
    void reader.cancel().catch(() => undefined)
    throw new Error(`the answer has more than ${MAXIMUM_BYTES} bytes`)
  }
}

/** The error of a `fetch` may quote the request with its credentials, so only its code is kept. */
async function redactErrors<T>(act: () => Promise<T>): Promise<T> {
  try {
    return await act()
  } catch (error) {
    const code = systemCode(error)
    throw new Error(`the connection failed${code === undefined ? '' : ` (${code})`}`)
  }
}
