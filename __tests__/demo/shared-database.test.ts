import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { clientKey } from '../support/client-assertion.js'
import { type RedisServer, startRedis } from '../support/redis/servers.js'
import { type Demo, run, startDemo } from './child.js'
import { ask, askSigned, bind, register, SECRET } from './requests.js'

jest.setTimeout(120_000)

const WORKERS = 3
let folder: string
let path: string
let redis: RedisServer

beforeAll(async () => {
  redis = await startRedis()
  folder = mkdtempSync(join(tmpdir(), 'demo-'))
  path = join(folder, 'clients.sqlite')
})

afterAll(async () => {
  await redis?.close()
  rmSync(folder, { recursive: true, force: true })
})

function startWorkers(port = 0): Promise<Demo> {
  const env = { DEMO_DATABASE: path, DEMO_REDIS: redis.url, DEMO_CLIENT_SECRET: SECRET, PORT: String(port) }
  return startDemo(env, ['--workers', String(WORKERS)])
}

function startAlone(port = 0): Promise<Demo> {
  return startDemo({ DEMO_DATABASE: path, DEMO_CLIENT_SECRET: SECRET, PORT: String(port) })
}

/** Stops the demo by Ctrl-C. */
async function stop(demo: Demo): Promise<void> {
  demo.kill('SIGINT')
  expect(await demo.exited).toBe(0)
  expect(demo.stderr()).toBe('')
}

/** Starts another demo with the same file, in one process unless the arguments say otherwise. */
async function expectRejected(...arguments_: readonly string[]): Promise<void> {
  const shared = arguments_.length === 0 ? {} : { DEMO_REDIS: redis.url }
  const env = { PORT: '0', HTTP_PORT: '0', DEMO_DATABASE: path, ...shared }
  const second = run('main.ts', env, arguments_)
  expect(await second.exited).toBe(1)
  expect(second.stdout()).toBe('')
  expect(second.stderr()).toMatch(
    /^demo: DEMO_DATABASE: cannot use "[^\n]*: another demo or program has it open\n$/,
  )
}

/** The workers that emitted an event. */
function workersOf(demo: Demo, event: string): ReadonlySet<string> {
  const lines = demo.stdout().matchAll(new RegExp(` (w\\d) ${event.replace('.', '\\.')} `, 'g'))
  return new Set([...lines].map(([, name = '']) => name))
}

/** Requests a key as a registered client. */
function askAs(client: { client_id: string; client_secret: string }, demo: Demo) {
  return ask(demo, { scope: 'provision:token' }, [client.client_id, client.client_secret])
}

// A later demo uses the same port, because the issuer contains the port, and keys name their issuer.

it('keeps the clients and bindings of all workers after all processes were killed', async () => {
  const device = clientKey()
  const first = await startWorkers()
  const clients = await Promise.all(Array.from({ length: 4 * WORKERS }, () => register(first)))
  await bind(first, device, 'device:7')
  expect(workersOf(first, 'client.registered').size).toBeGreaterThan(1)
  first.kill('SIGKILL')
  await first.exited

  const second = await startWorkers(first.port)
  for (const client of clients) {
    await askAs(client, second).expect(200)
    await askSigned(second, device, 'device:7').expect(200)
  }
  expect(workersOf(second, 'key.issued').size).toBe(WORKERS)
  await expectRejected()
  await expectRejected('--workers', '2')
  await register(second)
  await stop(second)
})

it('lets several workers use the file after one process has ended, and the other way round', async () => {
  const alone = await startAlone()
  const client = await register(alone)
  await expectRejected('--workers', '2')
  await stop(alone)

  const several = await startWorkers(alone.port)
  await askAs(client, several).expect(200)
  await stop(several)

  const again = await startAlone(alone.port)
  await askAs(client, again).expect(200)
  await stop(again)
})
