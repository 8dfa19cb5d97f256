import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { Agent, request } from 'node:https'
import { setTimeout as pause } from 'node:timers/promises'
import { connect, type TLSSocket } from 'node:tls'
import { type RedisServer, startRedis } from '../support/redis/servers.js'
import { type Demo, run, startDemo } from './child.js'

jest.setTimeout(120_000)

const SECRET = 'a-secret-for-the-workers'
const WORKERS = 3

let redis: RedisServer
let demo: Demo

beforeAll(async () => {
  redis = await startRedis()
  demo = await startDemo({ DEMO_REDIS: redis.url, DEMO_CLIENT_SECRET: SECRET }, [
    '--workers',
    String(WORKERS),
  ])
})

afterAll(async () => {
  demo?.kill('SIGTERM')
  await demo?.exited
  await redis?.close()
})

/** The process ids of a demo's workers, without its other children such as a compiler. */
function workersOf({ pid: primary }: Demo): number[] {
  const fileOf = (pid: number, name: string) => {
    try {
      return readFileSync(`/proc/${pid}/${name}`, 'utf8')
    } catch {
      return ''
    }
  }
  return readdirSync('/proc')
    .map(Number)
    .filter((pid) => fileOf(pid, 'status').includes(`\nPPid:\t${primary}\n`))
    .filter((pid) => fileOf(pid, 'cmdline').includes('demo-app/main.ts'))
}

async function until(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  for (const deadline = Date.now() + 60_000; !(await holds()); await pause(50))
    if (Date.now() > deadline) throw new Error(`timed out waiting until ${what}`)
}

interface Answer {
  readonly status: number
  readonly text: string
}

/** Sends a request over a new connection, so that any worker may get it. */
function ask(path: string, form?: Record<string, string>): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const basic = Buffer.from(`demo-client:${SECRET}`).toString('base64')
    const sent = request(
      {
        ...{ host: '127.0.0.1', port: demo.port, path, agent: new Agent(), rejectUnauthorized: false },
        method: form === undefined ? 'GET' : 'POST',
        headers: form && {
          Authorization: `Basic ${basic}`,
          'Content-Type': 'application/x-www-form-urlencoded',
        },
      },
      (response) => {
        let text = ''
        response.setEncoding('utf8').on('data', (data) => {
          text += data
        })
        response.once('end', () => resolve({ status: response.statusCode ?? 0, text }))
      },
    )
    sent.setTimeout(10_000, () => sent.destroy(new Error('no answer')))
    sent.once('error', reject).end(form && new URLSearchParams(form).toString())
  })
}

async function obtainKey(scope: string): Promise<string> {
  const { text } = await ask('/oauth/token', { grant_type: 'client_credentials', scope })
  return JSON.parse(text).access_token
}

/** Opens a connection and sends the start of a request. */
async function open(text: string, port = demo.port): Promise<{ socket: TLSSocket; received: () => string }> {
  const socket = connect({ host: '127.0.0.1', port, rejectUnauthorized: false })
  let received = ''
  socket.setEncoding('utf8').on('data', (data) => {
    received += data
  })
  await new Promise((resolve, reject) => socket.once('secureConnect', resolve).once('error', reject))
  socket.write(text)
  return { socket, received: () => received }
}

describe('the demo with several workers', () => {
  it('prints the number of workers, and the Redis that they share', () => {
    expect(demo.stdout()).toMatch(/^ {2}workers {4}3 processes that share redis:\/\/127\.0\.0\.1:\d+$/m)
    expect(workersOf(demo)).toHaveLength(WORKERS)
    expect(demo.stderr()).toBe('')
  })

  it('hides its secrets from users who list processes', () => {
    for (const pid of workersOf(demo)) {
      const shown = ['cmdline', 'environ'].map((name) => readFileSync(`/proc/${pid}/${name}`, 'utf8')).join()
      expect(shown).not.toContain('PRIVATE KEY')
      expect(shown).not.toContain(SECRET)
      expect(shown).not.toContain(redis.url)
    }
  })

  it('passes the whole tour, whichever worker answers', async () => {
    const { port, httpPort } = demo
    const env = { DEMO_URL: `https://localhost:${port}`, HTTP_PORT: String(httpPort) }
    const tour = run('tour.ts', { ...env, DEMO_CLIENT_SECRET: SECRET })
    expect(await tour.exited).toBe(0)
    expect(tour.stdout()).toContain('All 36 steps went as described.')
    // The page needs all events, and each worker has only its own.
    expect(demo.stdout()).not.toContain('/story/')
    const events = demo.stdout().slice(demo.stdout().indexOf('Ctrl-C'))
    for (const name of ['w1', 'w2', 'w3']) expect(events).toMatch(new RegExp(`:\\d\\d ${name} \\w+\\.\\w+ `))
  })

  it('lets only one of many concurrent redemptions of a key succeed', async () => {
    const key = await obtainKey('provision:token config:read')
    const form = {
      grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
      subject_token: key,
      subject_token_type: 'urn:ietf:params:oauth:token-type:jwt',
    }
    const answers = await Promise.all(Array.from({ length: 30 }, () => ask('/oauth/token', form)))
    const statuses = answers.map(({ status }) => status)
    expect(statuses.sort()).toEqual([200, ...Array(29).fill(400)])
  })

  it('limits the rate of an address over all workers together', async () => {
    const statuses: number[] = []
    const askOne = async () => {
      const { status } = await ask('/oauth/revoke', { token: 'none' })
      statuses.push(status)
    }
    for (let i = 0; i < 32; i += 1) await Promise.all(Array.from({ length: 10 }, askOne))
    expect(statuses.filter((status) => status === 200)).toHaveLength(300)
    expect(statuses.filter((status) => status === 429)).toHaveLength(20)
  })

  it('replaces a worker that was killed, and continues to serve', async () => {
    const [killed = Number.NaN] = workersOf(demo)
    process.kill(killed, 'SIGKILL')
    await until('a new worker is there', () => {
      const pids = workersOf(demo)
      return pids.length === WORKERS && !pids.includes(killed)
    })
    // Its output may arrive later.
    const said = new RegExp(`worker \\d \\(process ${killed}\\) ended: SIGKILL; restart in 0\\.1 s`)
    await until('the demo reports this', () => said.test(demo.stdout()))
    for (let i = 0; i < 6; i += 1) expect((await ask('/ready')).status).toBe(200)
  })

  it('is not ready while Redis hangs, and is ready again afterwards', async () => {
    redis.signal('SIGSTOP')
    await until('it is not ready', async () => (await ask('/ready')).status === 503)
    redis.signal('SIGCONT')
    await until('it is ready', async () => (await ask('/ready')).status === 200)
    await until('all workers are ready', async () => {
      const answers = await Promise.all(Array.from({ length: 6 }, () => ask('/ready')))
      return answers.every(({ status }) => status === 200)
    })
  })

  it('exits immediately when signals continue, although a request is open', async () => {
    const own = await startDemo({ DEMO_REDIS: redis.url })
    const { socket } = await open('GET / HTTP/1.1\r\nHost: localhost\r\n', own.port)
    socket.on('error', () => undefined)
    const workers = workersOf(own)
    const signals = setInterval(() => own.kill('SIGINT'), 500)
    expect(await own.exited).toBe(130)
    clearInterval(signals)
    await until('its worker has ended', () => workers.every((pid) => !existsSync(`/proc/${pid}`)))
  })

  it('finishes its requests after SIGTERM, is not ready meanwhile, and exits with 0', async () => {
    const [killed = Number.NaN] = workersOf(demo)
    process.kill(killed, 'SIGKILL')
    // Before the demo notices this, connections still go to that worker and get no answer.
    await until('one worker has ended', () => demo.stdout().includes(`(process ${killed}) ended`))
    const key = await obtainKey('devices:create')
    const body = '{"name":"lamp"}'
    const headers =
      `Host: localhost\r\nAuthorization: Bearer ${key}\r\nContent-Type: application/json\r\n` +
      'Expect: 100-continue\r\n'
    const working = await open(`POST /devices HTTP/1.1\r\n${headers}Content-Length: ${body.length}\r\n\r\n`)
    // The answer to the first request shows that the start of the second has arrived too.
    const probe = 'GET /ready HTTP/1.1\r\nHost: localhost\r\n'
    const probing = await open(`${probe}\r\n${probe}`)
    await until('the requests have arrived', () => {
      return working.received().includes('100 Continue') && probing.received().endsWith('{"ready":true}')
    })
    const before = probing.received().length
    demo.kill('SIGTERM')
    await until('the demo refuses connections', () =>
      ask('/ready').then(
        () => false,
        () => true,
      ),
    )
    probing.socket.write('\r\n')
    working.socket.write(body)
    const answers = () => [working.received(), probing.received().slice(before)]
    await until('both are answered', () => answers().every((text) => /HTTP\/1\.1 [2-5]/.test(text)))
    expect(working.received()).toMatch(/^HTTP\/1\.1 201 /m)
    expect(probing.received().slice(before)).toMatch(/^HTTP\/1\.1 503 .*\{"ready":false\}$/s)
    expect(await demo.exited).toBe(0)
    expect(demo.stderr()).toBe('')
  })
})

describe('several workers without Redis', () => {
  it('are rejected with the reason and the remedy', async () => {
    const stopped = await startRedis()
    await stopped.close()
    const child = run('main.ts', { PORT: '0', HTTP_PORT: '0', DEMO_REDIS: stopped.url }, ['--workers', '2'])
    expect(await child.exited).toBe(1)
    expect(child.stderr()).toMatch(
      new RegExp(
        `^demo: cannot connect to Redis at ${stopped.url} \\(ECONNREFUSED\\)\\. Several workers need a shared store\\. .*` +
          'apt-get update && apt-get install -y redis-server.*DEMO_REDIS=redis://HOST:PORT npm run demo -- --workers 4\n$',
        's',
      ),
    )
    expect(child.stdout()).toBe('')
  })
})
