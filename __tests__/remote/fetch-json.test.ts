import { gzipSync } from 'node:zlib'
import { deadline } from '../../lib/base/deadline.js'
import { type FetchedJson, fetchJson, type JsonRequest } from '../../lib/remote/fetch-json.js'
import { leastOf } from '../support/least-of.js'
import { type Answering, startImpostor } from '../support/split.js'
import { trustingFetch } from '../support/trusting-fetch.js'

interface Fetched {
  readonly fetched?: FetchedJson
  readonly fault?: string
  readonly asked: number
}

const TIMEOUT = 400

/** The result of a fetch from a server with this answer. */
async function fetchFrom(
  answering: Answering,
  request?: JsonRequest,
  replacing?: typeof fetch,
  milliseconds = 60_000,
): Promise<Fetched> {
  const impostor = await startImpostor(answering)
  const inTime = deadline({ milliseconds, who: 'The server' })
  const fetching = { fetch: replacing ?? (await trustingFetch(impostor.cert)), inTime }
  try {
    const fetched = await fetchJson(fetching, new URL(`${impostor.origin}/jwks`), request)
    return { fetched, asked: impostor.asked() }
  } catch (error) {
    return { fault: error instanceof Error ? error.message : 'no error', asked: impostor.asked() }
  } finally {
    await impostor.close()
  }
}

/** The same for a server that does not answer in time. */
const waitFor = (answering: Answering, replacing?: typeof fetch) =>
  fetchFrom(answering, undefined, replacing, TIMEOUT)

const json =
  (body: string | Buffer, headers: Record<string, string> = {}): Answering =>
  (_req, res) =>
    void res.writeHead(200, { 'Content-Type': 'application/json', ...headers }).end(body)

describe('fetchJson', () => {
  it('returns the JSON and its cache time', async () => {
    const { fetched } = await fetchFrom(json('{"keys":[]}', { 'Cache-Control': 'max-age=5' }))
    expect(fetched).toEqual({ json: { keys: [] }, cacheControl: 'max-age=5' })
  })

  it.each([
    'application/json; charset=utf-8',
    'application/jwk-set+json',
    'text/json',
    'text/plain',
    'application/octet-stream',
  ])('takes JSON of the media type %s', async (type) => {
    expect((await fetchFrom(json('{}', { 'Content-Type': type }))).fetched?.json).toEqual({})
  })

  it('takes JSON of no media type', async () => {
    expect((await fetchFrom((_req, res) => void res.end('{}'))).fetched?.json).toEqual({})
  })

  it.each(['text/html', 'text/html; charset=json', 'application/token-introspection+jwt', 'application/xml'])(
    'refuses the media type %s',
    async (type) => {
      const { fault } = await fetchFrom(json('{}', { 'Content-Type': type }))
      expect(fault).toBe('the media type of the answer is not JSON')
    },
  )

  it.each([204, 304, 400, 401, 404, 429, 500, 503])('refuses the status %s', async (status) => {
    const { fault } = await fetchFrom((_req, res) => void res.writeHead(status).end())
    expect(fault).toBe(`the answer has status ${status}`)
  })

  it.each([301, 302, 303, 307, 308])('follows no redirect: %s', async (status) => {
    const { fault, asked } = await fetchFrom(({ url }, res) => {
      if (url === '/jwks') res.writeHead(status, { Location: '/elsewhere' }).end()
      else json('{}')({} as never, res)
    })
    expect({ fault, asked }).toEqual({ fault: `the answer has status ${status}`, asked: 1 })
  })

  it('refuses what a fetch that follows redirects all the same brings back', async () => {
    const redirected = Object.defineProperty(new Response('{}'), 'redirected', { value: true })
    const { fault } = await fetchFrom(json('{}'), {}, async () => redirected)
    expect(fault).toBe('the fetch function followed a redirect')
  })

  it.each(['', 'keys', '{"keys":[', '<html></html>', '\ufeff{}'])(
    'refuses a text that is no JSON, and does not quote it: %j',
    async (body) => {
      const { fault } = await fetchFrom(json(body))
      expect(fault).toBe('the answer is not JSON')
    },
  )

  const padded = (bytes: number) => `{"a":"${'x'.repeat(bytes - 8)}"}`

  it('takes 64 KiB and not one byte more', async () => {
    expect((await fetchFrom(json(padded(65_536)))).fault).toBeUndefined()
    expect((await fetchFrom(json(padded(65_537)))).fault).toBe('the answer has more than 65536 bytes')
  })

  it('counts the bytes that it reads, for every Content-Length and encoding', async () => {
    const zipped = json(gzipSync(padded(10_000_000)), { 'Content-Encoding': 'gzip' })
    expect((await fetchFrom(zipped)).fault).toBe('the answer has more than 65536 bytes')
  })

  it('stops reading an answer that does not end', async () => {
    let written = 0
    const { fault } = await fetchFrom((_req, res) => {
      res.writeHead(200, { 'Content-Type': 'application/json' })
      const more = () => {
        while (!res.destroyed && written < 1e9 && res.write('x'.repeat(16_384))) written += 16_384
      }
      res.on('drain', more)
      more()
    })
    expect(fault).toBe('the answer has more than 65536 bytes')
    expect(written).toBeLessThan(50e6)
  })

  it.each<[string, Answering]>([
    ['nothing at all', () => undefined],
    [
      'a header and then nothing',
      (_req, res) => void res.writeHead(200, { 'Content-Type': 'application/json' }).flushHeaders(),
    ],
    [
      'one byte at a time',
      (_req, res) => {
        res.writeHead(200, { 'Content-Type': 'application/json' })
        const timer = setInterval(() => res.write(' '), 20)
        res.on('close', () => clearInterval(timer))
      },
    ],
  ])('waits no longer than it is told to for %s', async (_, answering) => {
    const waited = async () => {
      const begun = performance.now()
      const { fault } = await waitFor(answering)
      expect(fault).toBe('The server did not answer within 0.4 s')
      return performance.now() - begun
    }
    expect(await leastOf(TIMEOUT + 2000, waited)).toBeLessThan(TIMEOUT + 2000)
  })

  it('waits no longer for a fetch, or for a body, that takes no notice of the signal', async () => {
    const never = () => new Promise<never>(() => undefined)
    expect((await waitFor(json('{}'), never)).fault).toBe('The server did not answer within 0.4 s')
    let cancelled = false
    const cancel = () => {
      cancelled = true
    }
    const body = new ReadableStream({ pull: never, cancel })
    const endless = await waitFor(json('{}'), async () => new Response(body))
    expect([endless.fault, cancelled]).toEqual(['The server did not answer within 0.4 s', true])
  })

  it('refuses a connection that breaks off, and says how', async () => {
    const broken = await fetchFrom((_req, res) => void res.socket?.destroy())
    expect(broken.fault).toMatch(/^the connection failed \([A-Z_]+\)$/)
    const half = await fetchFrom((_req, res) => {
      res.writeHead(200, { 'Content-Type': 'application/json', 'Content-Length': '100' }).write('{"keys":[')
      setTimeout(() => res.destroy(), 30)
    })
    expect(half.fault).toMatch(/^the connection failed/)
  })

  it('refuses a certificate that nobody vouches for', async () => {
    const { fault, asked } = await fetchFrom(json('{}'), {}, fetch)
    expect(fault).toMatch(/^the connection failed \([A-Z_]*(SELF_SIGNED|UNABLE_TO_VERIFY|LEAF)[A-Z_]*\)$/)
    expect(asked).toBe(0)
  })

  it('cites nothing of what a fetch throws but its code', async () => {
    const thrown = Object.assign(new Error('Basic YXBpOnNlY3JldA== eyJhbGciOiJub25lIn0.e30.AAAA'), {
      code: 'some secret',
    })
    const { fault } = await fetchFrom(json('{}'), {}, () => Promise.reject(thrown))
    expect(fault).toBe('the connection failed')
    const sync = await fetchFrom(json('{}'), {}, () => {
      throw 'eyJhbGciOiJub25lIn0.e30.AAAA'
    })
    expect(sync.fault).toBe('the connection failed')
  })

  it('sends the given request', async () => {
    const { fetched } = await fetchFrom(
      async (req, res) => {
        const chunks: Buffer[] = []
        for await (const chunk of req) chunks.push(chunk)
        const { method, headers } = req
        const { authorization, accept } = headers
        json(JSON.stringify({ method, authorization, accept, body: Buffer.concat(chunks).toString() }))(
          req,
          res,
        )
      },
      { method: 'POST', headers: { authorization: 'Basic x' }, body: 'token=a' },
    )
    expect(fetched?.json).toEqual({
      method: 'POST',
      authorization: 'Basic x',
      accept: 'application/json',
      body: 'token=a',
    })
  })
})
