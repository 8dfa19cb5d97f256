import type { IncomingMessage } from 'node:http'
import { get } from 'node:https'
import { AS, act, startAdministration } from '../support/administration.js'
import { obtainKey, send } from '../support/requests.js'
import { CLIENT, type RunningServer } from '../support/server.js'

interface Line {
  readonly id?: string
  readonly type: string
}

/** An open stream. */
class Reader {
  readonly lines: Line[] = []
  readonly #response: IncomingMessage
  isEnded = false

  constructor(response: IncomingMessage) {
    this.#response = response
    let text = ''
    response.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk
      const whole = text.split('\n')
      text = whole.pop() ?? ''
      this.lines.push(...whole.map((line) => JSON.parse(line) as Line))
    })
    response.on('close', () => {
      this.isEnded = true
    })
  }

  get headers() {
    return this.#response.headers
  }

  get types(): readonly string[] {
    return this.lines.map(({ type }) => type).filter((type) => type !== 'heartbeat')
  }

  async until(isThere: () => boolean): Promise<void> {
    for (let tries = 0; tries < 500 && !isThere(); tries += 1)
      await new Promise((resolve) => setTimeout(resolve, 10))
    expect(isThere()).toBe(true)
  }

  end(): void {
    this.#response.destroy()
  }
}

function openStream(server: RunningServer, query = '', operator = 'victor'): Promise<Reader> {
  return new Promise((resolve, reject) => {
    const options = { ca: server.cert, headers: { [AS]: operator } }
    get(`${server.origin}/admin/api/events${query}`, options, (res) => {
      if (res.statusCode === 200) resolve(new Reader(res))
      else reject(new Error(`status ${res.resume().statusCode}`))
    }).on('error', reject)
  })
}

let server: RunningServer
beforeEach(async () => {
  server = await startAdministration()
})
afterEach(() => server.close())

describe('the stream of events', () => {
  it('begins with earlier events, and goes on with new ones', async () => {
    await obtainKey(server)
    const reader = await openStream(server)
    await reader.until(() => reader.types.length === 1)
    await act(server, 'clients/lock', { clientId: CLIENT, reason: 'a test' })
    await reader.until(() => reader.types.length === 3)
    expect(reader.types).toEqual(['key.issued', 'client.locked', 'administration.acted'])
    expect(reader.headers).toMatchObject({
      'content-type': 'application/x-ndjson',
      'cache-control': 'no-store, no-transform',
      'x-accel-buffering': 'no',
    })
    reader.end()
  })

  it('sends an idle reader a line immediately, so that proxies pass on the headers', async () => {
    const reader = await openStream(server)
    await reader.until(() => reader.lines.length === 1)
    expect(reader.lines).toEqual([{ type: 'heartbeat' }])
    reader.end()
  })

  it('goes on after the last event that the reader has', async () => {
    await obtainKey(server)
    const first = await openStream(server)
    await first.until(() => first.types.length === 1)
    first.end()
    await obtainKey(server)
    const second = await openStream(server, `?after=${first.lines.find(({ id }) => id !== undefined)?.id}`)
    await second.until(() => second.types.length === 1)
    expect(second.types).toEqual(['key.issued'])
    expect(second.lines[0]?.id).not.toBe(first.lines[0]?.id)
    second.end()
  })

  it('begins again for a reader that comes from another process', async () => {
    await obtainKey(server)
    const reader = await openStream(server, '?after=other.900')
    await reader.until(() => reader.types.length === 1)
    reader.end()
  })

  it('has no key, and no event for each request to a guard', async () => {
    const key = await obtainKey(server, { scope: 'devices:read' })
    const reader = await openStream(server)
    await send(server, 'get', '/devices').set('Authorization', `Bearer ${key}`)
    await send(server, 'get', '/devices').set('Authorization', 'Bearer nonsense')
    await reader.until(() => reader.types.includes('request.refused'))
    expect(reader.types).toEqual(['key.issued', 'request.refused'])
    for (const part of key.split('.')) expect(JSON.stringify(reader.lines)).not.toContain(part)
    reader.end()
  })

  it('is not for strangers, and reads no unknown parameter', async () => {
    expect((await send(server, 'get', '/admin/api/events')).status).toBe(403)
    await expect(openStream(server, '?afte=1')).rejects.toThrow('status 400')
  })

  it('has no body for HEAD, and does not stay open', async () => {
    const headers = { [AS]: 'victor' }
    const { status, headers: fields } = await send(server, 'head', '/admin/api/events').set(headers)
    expect([status, fields['content-type']]).toEqual([200, 'application/x-ndjson'])
  })

  it('is open for 50 readers at a time', async () => {
    const readers = await Promise.all(Array.from({ length: 50 }, () => openStream(server)))
    await expect(openStream(server)).rejects.toThrow('status 503')
    readers[0]?.end()
    const until = Date.now() + 5_000
    let again: Reader | undefined
    while (again === undefined && Date.now() < until) again = await openStream(server).catch(() => undefined)
    expect(again).toBeDefined()
    for (const reader of [...readers, again]) reader?.end()
  })

  it('is open for an operator, even if another operator has taken all readers', async () => {
    const readers = await Promise.all(Array.from({ length: 50 }, () => openStream(server)))
    // A HEAD request takes no place, so it ends no stream.
    expect((await send(server, 'head', '/admin/api/events').set({ [AS]: 'alice' })).status).toBe(200)
    await expect(openStream(server)).rejects.toThrow('status 503')
    const alice = await openStream(server, '', 'alice')
    await readers[0]?.until(() => readers.some(({ isEnded }) => isEnded))
    expect(readers.filter(({ isEnded }) => isEnded)).toHaveLength(1)
    await expect(openStream(server)).rejects.toThrow('status 503')
    expect(alice.isEnded).toBe(false)
    for (const reader of [...readers, alice]) reader.end()
  })
})
