import { connect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { connect as connectTls } from 'node:tls'
import { leastOf } from '../support/least-of.js'
import { sampled } from '../support/scale.js'
import { type Demo, run, startDemo } from './child.js'

jest.setTimeout(60_000)

/** Opens connections that would keep a server open: a silent one, an idle one, and one in the middle of a request. */
async function occupy({ port }: Demo): Promise<void> {
  const host = '127.0.0.1'
  const overTls = () => connectTls({ port, host, rejectUnauthorized: false })
  const [silent, idle, busy] = [connect(port, host), overTls(), overTls()]
  idle.write('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n')
  busy.write('POST /oauth/token HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99\r\n\r\ngrant')
  const connected = [silent, idle, busy].map((socket) => {
    // A socket that nobody reads does not notice that the server has closed it, and stays open.
    socket.on('error', () => undefined).resume()
    return new Promise((resolve) => socket.once('connect', resolve))
  })
  await Promise.all(connected)
  await sleep(200)
}

// These two wait for the connections to end, so they run together.
it.concurrent.each(sampled(['SIGTERM', 'SIGINT'] as const, () => 0))(
  'stops at %s within 2 s and exits with 0, despite open connections',
  async (signal) => {
    const stopping = async () => {
      const demo = await startDemo()
      await occupy(demo)
      const before = Date.now()
      demo.kill(signal)
      expect(await demo.exited).toBe(0)
      expect(demo.stderr()).toBe('')
      return Date.now() - before
    }
    expect(await leastOf(2000, stopping)).toBeLessThan(2000)
  },
)

it.concurrent('stops normally when npm and the terminal both deliver one Ctrl-C', async () => {
  const demo = await startDemo()
  await occupy(demo)
  demo.kill('SIGINT')
  await sleep(50)
  demo.kill('SIGINT')
  expect(await demo.exited).toBe(0)
})

describe('a port that is in use', () => {
  let first: Demo

  beforeAll(async () => {
    first = await startDemo()
  })

  afterAll(async () => {
    first.kill('SIGTERM')
    await first.exited
  })

  it.each(sampled(['HTTP_PORT', 'PORT'], () => 0))(
    'is rejected in one line for %s, and the other port is closed',
    async (variable) => {
      const second = run('main.ts', { PORT: '0', HTTP_PORT: '0', [variable]: String(first.port) })
      expect(await second.exited).toBe(1)
      expect(second.stderr()).toBe(
        `demo: ${variable}: port ${first.port} is in use by another program, perhaps another demo; ` +
          `choose another port, or set ${variable}=0 to use any free port\n`,
      )
      expect(second.stdout()).toBe('')
    },
  )
})

it('rejects invalid settings with one line on stderr and exit code 1', async () => {
  for (const program of ['main.ts', 'tour.ts'] as const) {
    const child = run(program, { PORT: 'abc' })
    expect(await child.exited).toBe(1)
    expect(child.stderr()).toBe('demo: PORT: expected a port from 0 (any free port) to 65535, got "abc"\n')
    expect(child.stdout()).toBe('')
  }
})
