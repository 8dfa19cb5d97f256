import { deadline } from '../base/deadline.js'

/** How documents are fetched from the issuer. */
export interface Fetching {
  readonly fetch: typeof globalThis.fetch
  readonly timeoutMilliseconds: number
}

/** What is asked with: by default a `GET` without anything. */
export interface JsonRequest {
  readonly method?: 'POST'
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
}

/** JSON that was fetched, nothing of which has been judged, and what the answer says of its caching. */
export interface FetchedJson {
  readonly json: unknown
  readonly cacheControl: string
}

/** More is not read, whatever `Content-Length` says. */
const MAXIMUM_BYTES = 64 * 1024

/** JSON by any of its names, and what servers of static files call what they do not know; not a page of HTML. */
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
    // Whoever can answer for a host could otherwise send us, and what we send, to any other.
    const asked = {
      ...request,
      headers: { accept: 'application/json', ...headers },
      redirect: 'manual',
      signal,
    } as const
    const response = await inOurWords(async () => fetch(url.href, asked))
    const refused = refusalOf(response)
    if (refused !== undefined) {
      // Not waited for: what is refused has no say in how long that takes.
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

/** What others throw may cite the request, its credentials included; its code does not. */
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
