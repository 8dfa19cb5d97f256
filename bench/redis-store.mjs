// What a key costs in Redis over its life, beside the plain recipe (SET when issued, SET NX when spent), in one run.
// `npm run build` first, then `node bench/redis-store.mjs [keys]`. Starts a redis-server of its own.
import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { redisStore } from 'express-provisioning-keys/redis'
import { Redis } from 'ioredis'

const KEYS = Number(process.argv[2] ?? 20_000)
const AT_ONCE = 64
const IDENTITIES = 200
/** How many outcomes of each size there are. */
const SAMPLE = Math.min(1_000, Math.floor(KEYS / 4))

const port = await freePort()
const folder = mkdtempSync(join(tmpdir(), 'bench-'))
const settings = ['--port', port, '--bind', '127.0.0.1', '--dir', folder, '--save', '', '--appendonly', 'no']
const server = spawn('redis-server', settings.map(String), { stdio: 'ignore' })
server.on('error', () => {
  console.error('redis-server is needed: apt-get update && apt-get install -y redis-server')
  process.exit(1)
})
const redis = new Redis(port, { retryStrategy: () => 50, maxRetriesPerRequest: 100 })
redis.on('error', () => undefined)

const sendCommand = ([name, ...args]) => redis.call(name, ...args)
const store = redisStore({ sendCommand })
const roomy = redisStore({ sendCommand, maxProofsPerKey: 100_000, maxProofsPerClient: 100_000 })
const now = () => Date.now() / 1000
const issuedAt = Math.floor(now())
const keyOf = (i) => ({
  clientId: `device-${i % 1_000}`,
  jti: `${String(i).padStart(8, '0')}-jti-of-128-bit`,
  subject: `device-${i % 1_000}`,
  scope: ['provision:bind'],
  audience: 'https://api.example.com',
  issuedAt,
  expiresAt: issuedAt + 300,
  retainUntil: issuedAt + 305,
})
const proofOf = (i) => `${String(i).padStart(8, '0')}-sha-256-of-a-proof-in-base64url...`
const attempt = 'an-attempt-of-128-bit'
const holding = { holder: '["SHA-256 thumbprint of a JWK in base64url...",null]', leaseSeconds: 30 }
const limits = { outstanding: 1_000_000 }

console.log(
  `Redis ${await version()}, Node ${process.versions.node}, ${KEYS} keys of 1,000 clients, ${AT_ONCE} at once`,
)
console.log(
  'microseconds: in Redis itself, and of the process as a whole; bytes: what Redis holds more per key\n',
)
row('', 'commands', 'in Redis', 'in all', 'bytes')

await measure('plain: SET at issue', (i) => redis.call('SET', `i:${keyOf(i).jti}`, '1', 'PX', '305000'))
await measure('plain: SET NX at use', (i) =>
  redis.call('SET', `u:${keyOf(i).jti}`, '1', 'NX', 'PX', '305000'),
)
await redis.flushall()
await measure('record', (i) => store.record(keyOf(i), limits))
await measure('find', (i) => store.find(keyOf(i)))
await measure('redeem', (i) => store.redeem(keyOf(i), attempt))
await measure('settle', (i) => store.settle(keyOf(i), attempt, now() + 600))
await measure('useOnce', (i) => store.useOnce(proofOf(i), now() + 60))
await measure('useOnce, of a key', (i) => store.useOnce(proofOf(i), now() + 60, keyOf(i)))
const ofOneKey = { clientId: 'device-0', jti: keyOf(0).jti }
await measure('useOnce, all of one key', (i) => roomy.useOnce(proofOf(i), now() + 60, ofOneKey))
const raise = (i) =>
  store.revokeIssuedBefore({ identity: `lost-${i}`, issuedBefore: 1, retainUntil: now() + 600 })
await measure('revokeIssuedBefore', raise, IDENTITIES)
await measure('find, with those times', (i) => store.find(keyOf(i)))

await redis.flushall()
row('\nwith a holder, and an outcome of', '')
for (let i = 0; i <= KEYS; i += 1) await store.record(keyOf(i), limits)
await measure('redeem', (i) => store.redeem(keyOf(i), attempt, holding))
for (const [from, characters] of [1_000, 10_000, 87_000].entries()) {
  const outcome = 'x'.repeat(characters)
  const settle = (i) => store.settle(keyOf(SAMPLE * from + i), attempt, now() + 600, { outcome })
  await measure(`settle, ${characters} characters`, settle, SAMPLE - 1)
  const recall = (i) => store.recall(keyOf(SAMPLE * from + i), holding.holder)
  await measure(`recall, ${characters} characters`, recall, SAMPLE - 1)
}
await measure('recall, by another', (i) => store.recall(keyOf(i % SAMPLE), 'another'))

redis.disconnect()
server.kill('SIGKILL')
rmSync(folder, { recursive: true })

async function measure(name, act, count = KEYS) {
  await act(0)
  await redis.call('CONFIG', 'RESETSTAT')
  const before = await memory()
  const start = performance.now()
  for (let i = 1; i <= count; i += AT_ONCE) {
    await Promise.all(Array.from({ length: Math.min(AT_ONCE, count - i + 1) }, (_, j) => act(i + j)))
  }
  const whole = ((performance.now() - start) * 1000) / count
  const bytes = ((await memory()) - before) / count
  const { calls, microseconds } = await work()
  row(name, calls / count, microseconds / count, whole, bytes)
}

function row(name, ...cells) {
  const told = cells.map((cell) => (typeof cell === 'number' ? cell.toFixed(cell < 10 ? 1 : 0) : cell))
  console.log(name.padEnd(30) + told.map((cell) => cell.padStart(10)).join(''))
}

/** What was sent, without what scripts called. */
async function work() {
  const stats = [
    ...(await redis.info('commandstats')).matchAll(/cmdstat_(evalsha|set):calls=(\d+),usec=(\d+)/g),
  ]
  const sent = stats.find(([, name]) => name === 'evalsha') ?? stats[0]
  return { calls: Number(sent?.[2]), microseconds: Number(sent?.[3]) }
}

async function memory() {
  return Number(/used_memory:(\d+)/.exec(await redis.info('memory'))?.[1])
}

async function version() {
  return /redis_version:(\S+)/.exec(await redis.info('server'))?.[1]
}

async function freePort() {
  const probe = createServer()
  await new Promise((resolve) => probe.listen(0, '127.0.0.1', resolve))
  const { port: free } = probe.address()
  await new Promise((resolve) => probe.close(resolve))
  return free
}
