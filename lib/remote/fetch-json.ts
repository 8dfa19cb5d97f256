import { deadline } from '../base/deadline.js'

/** How documents are fetched from the issuer. */
export interface Fetching {
  readonly fetch: typeof globalThis.fetch
  readonly timeoutMilliseconds: number
}

/** The request. Default: a plain `GET`. */
export interface JsonRequest {
  readonly method?: 'POST'
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
}

/** Fetched JSON, not validated yet, and the `Cache-Control` of the answer. */
export interface FetchedJson {
  readonly json: unknown
  readonly cacheControl: string
}

/** More is not read, whatever `Content-Length` says. */
const MAXIMUM_BYTES = 64 * 1024

/** All JSON media types, and the default types of static file servers. Not HTML. */
const MEDIA_TYPE = /^(|text\/plain|application\/octet-stream|[\w.+-]+\/([\w.+-]+\+)?json)$/i

/**
 * Fetches JSON. Rejects with an error in our own words: nothing that was sent or answered stands in it, since it ends
 * up in events.
 */
export function fetchJson(
  { fetch, timeoutMilliseconds }: Fetching,
  url: URL,
  { headers, ...request }: JsonRequest = {},
): Promise<FetchedJson> {
  const inTime = deadline({ milliseconds: timeoutMilliseconds, who: 'The server' })
  return inTime(async ({ signal }) => {
    // Do not follow redirects: the server could otherwise send our request and its credentials to any other host.
    const asked = {
      ...request,
      headers: { accept: 'application/json', ...headers },
      redirect: 'manual',
      signal,
    } as const
    const response = await inOurWords(async () => fetch(url.href, asked))
    const refused = refusalOf(response)
    if (refused !== undefined) {
      // Do not wait: a refused server must not decide how long this takes.
      void response.body?.cancel().catch(() => undefined)
      throw new Error(refused)
    }
    const text = await readCapped(response, signal)
    return { json: parse(text), cacheControl: response.headers.get('cache-control') ?? '' }
  })
}

function refusalOf({ status, redirected, headers }: Response): string | undefined {
  if (redirected) return 'the answer comes from where the request was redirected to'
  if (status !== 200) return `the answer has status ${status}`
  const [type = ''] = (headers.get('content-type') ?? '').split(';')
  return MEDIA_TYPE.test(type.trim()) ? undefined : 'the answer is not of a JSON media type'
}

async function readCapped({ body }: Response, signal: AbortSignal): Promise<string> {
  const reader = body?.getReader()
  if (reader === undefined) throw new Error('the answer is empty')
  // A fetch that takes no notice of the signal leaves the reading to be ended by us.
  signal.addEventListener('abort', () => void reader.cancel().catch(() => undefined), { once: true })
  const chunks: Uint8Array[] = []
  let bytes = 0
  for (;;) {
    const { done, value } = await inOurWords(() => reader.read())
    if (done) return Buffer.concat(chunks).toString('utf8')
    bytes += value.byteLength
    chunks.push(value)
    if (bytes <= MAXIMUM_BYTES) continue
    void reader.cancel().catch(() => undefined)
    throw new Error(`the answer has more than ${MAXIMUM_BYTES} bytes`)
  }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    // What JSON.parse throws cites the text.
    throw new Error('the answer is not JSON')
  }
}

/** A foreign error may cite the request with its credentials, so only its code is kept. */
async function inOurWords<T>(act: () => Promise<T>): Promise<T> {
  try {
    return await act()
  } catch (error) {
    const code = codeOf(error)
    throw new Error(`the connection failed${code === undefined ? '' : ` (${code})`}`)
  }
}

/** The code of an error, or of what caused it, where `fetch` puts that of the connection. */
function codeOf(error: unknown): string | undefined {
  const codes = [memberOf(memberOf(error, 'cause'), 'code'), memberOf(error, 'code')]
  return codes.find((code): code is string => typeof code === 'string' && /^[A-Z][A-Z0-9_]{1,63}$/.test(code))
}

function memberOf(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined
}
