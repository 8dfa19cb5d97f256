import { createServer, type ServerResponse } from 'node:http'
import { get, request } from 'node:https'
import { type AddressInfo, connect } from 'node:net'
import { setImmediate } from 'node:timers/promises'
import { EventLog } from '../../lib/administration/event-log.js'
import { EventStreams } from '../../lib/administration/event-stream.js'
import { eventHub } from '../../lib/monitoring/event-hub.js'
import { AS, authorizeByHeader, startAdministration } from '../support/administration.js'
import { closeServer, type RunningServer } from '../support/server.js'

const pause = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds))

function statusOfStream(server: RunningServer): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    const options = { ca: server.cert, headers: { [AS]: 'victor' } }
    get(`${server.origin}/admin/api/events`, options, (res) => {
      resolve(res.statusCode)
      res.destroy()
    }).on('error', reject)
  })
}

it('a reader that leaves while authorize decides does not take a stream for ever', async () => {
  let asked = 0
  const server = await startAdministration({
    async authorize(req) {
      asked += 1
      await pause(100)
      return authorizeByHeader(req)
    },
  })
  try {
    const before = asked
    const options = { ca: server.cert, headers: { [AS]: 'victor' } }
    const leaving = Array.from({ length: 60 }, () =>
      request(`${server.origin}/admin/api/events`, options).on('error', () => undefined),
    )
    for (const one of leaving) one.end()
    while (asked - before < leaving.length) await pause(5)
    for (const one of leaving) one.destroy()
    await pause(300)
    expect(await statusOfStream(server)).toBe(200)
  } finally {
    await server.close()
  }
})

describe('a reader that does not read', () => {
  beforeEach(() => jest.useFakeTimers({ doNotFake: ['nextTick', 'setImmediate', 'queueMicrotask', 'Date'] }))
  afterEach(() => jest.useRealTimers())

  it('is disconnected after a minute, and its last events stop nothing', async () => {
    const hub = eventHub({ now: Date.now, onFault: () => undefined })
    const streams = new EventStreams(new EventLog(hub.on))
    const answered: ServerResponse[] = []
    const server = createServer((req, res) => {
      answered.push(res)
      streams.serve(Object.assign(res, { req }) as never, { actor: 'victor' })
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const socket = connect((server.address() as AddressInfo).port, '127.0.0.1').pause()
    socket.on('error', () => undefined).write('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n')
    const emit = () => hub.emit('configuration.advised', { advice: 'x'.repeat(100_000) })
    try {
      while (answered.length === 0) await setImmediate()
      const [res] = answered as [ServerResponse]
      const errors: unknown[] = []
      res.on('error', (error) => errors.push(error))
      for (; res.writableLength === 0; await setImmediate()) emit()
      jest.advanceTimersByTime(60_000)
      emit()
      await setImmediate()
      expect(res.destroyed).toBe(false)
      jest.advanceTimersByTime(15_000)
      await setImmediate()
      expect(errors).toEqual([])
      expect(res.destroyed).toBe(true)
    } finally {
      socket.destroy()
      await closeServer(server)
    }
  })
})
