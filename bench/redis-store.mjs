// Measures what a key costs in Redis during its life, compared with a simple recipe (SET at issue, SET NX at use).
// Run `npm run build` first, then `node bench/redis-store.mjs [keys]`. This starts a redis-server.
import { redisStore } from 'express-provisioning-keys/redis'
import { startRedis } from './redis-server.mjs'

const KEYS = Number(process.argv[2] ?? 20_000)
const CONCURRENCY = 64
const IDENTITIES = 200
/** The number of outcomes of each size. */
const SAMPLE = Math.min(1_000, Math.floor(KEYS / 4))

const server = await startRedis()
const { redis } = server
const sendCommand = ([name, ...args]) => redis.call(name, ...args)
const store = redisStore({ sendCommand })
const roomyStore = redisStore({ sendCommand, maxProofsPerKey: 100_000, maxProofsPerClient: 100_000 })
const now = () => Date.now() / 1000
const issuedAt = Math.floor(now())
const attempt = 'an-attempt-of-128-bit'
const lease = { ownerId: '["SHA-256 thumbprint of a JWK in base64url...",null]', leaseSeconds: 30 }
const limits = { outstanding: 1_000_000 }

console.log(
  `Redis ${await server.version()}, Node ${process.versions.node}, ${KEYS} keys of 1,000 clients, ${CONCURRENCY} concurrent calls`,
)
console.log(
  '(per key: commands, microseconds in Redis, microseconds in total, bytes that Redis needs in addition)\n',
)
row('', 'commands', 'in Redis', 'total', 'bytes')

await measureBearerKeys()
await measureBoundKeys()
server.stop()

async function measureBearerKeys() {
  await measure('simple: SET at issue', (i) => redis.call('SET', `i:${keyOf(i).jti}`, '1', 'PX', '305000'))
  await measure('simple: SET NX at use', (i) =>
    redis.call('SET', `u:${keyOf(i).jti}`, '1', 'NX', 'PX', '305000'),
  )
  await redis.flushall()
  await measure('record', (i) => store.record(keyOf(i), limits))
  await measure('find', (i) => store.find(keyOf(i)))
  await measure('redeem', (i) => store.redeem(keyOf(i), attempt))
  await measure('settle', (i) => store.settle(keyOf(i), attempt, now() + 600))
  await measure('useOnce', (i) => store.useOnce(proofOf(i), now() + 60))
  await measure('useOnce, for a key', (i) => store.useOnce(proofOf(i), now() + 60, keyOf(i)))
  const oneKey = { clientId: 'device-0', jti: keyOf(0).jti }
  await measure('useOnce, all for one key', (i) => roomyStore.useOnce(proofOf(i), now() + 60, oneKey))
  const revoke = (i) =>
    store.revokeIssuedBefore({ identity: `lost-${i}`, issuedBefore: 1, retainUntil: now() + 600 })
  await measure('revokeIssuedBefore', revoke, IDENTITIES)
  await measure('find, after these revocations', (i) => store.find(keyOf(i)))
}

async function measureBoundKeys() {
  await redis.flushall()
  row('\nbound keys, with an outcome')
  for (let i = 0; i <= KEYS; i += 1) await store.record(keyOf(i), limits)
  await measure('redeem', (i) => store.redeem(keyOf(i), attempt, lease))
  for (const [from, characters] of [1_000, 10_000, 87_000].entries()) {
    const outcome = 'x'.repeat(characters)
    const settle = (i) => store.settle(keyOf(SAMPLE * from + i), attempt, now() + 600, { outcome })
    await measure(`settle, ${characters} characters`, settle, SAMPLE - 1)
    const recall = (i) => store.recall(keyOf(SAMPLE * from + i), lease.ownerId)
    await measure(`recall, ${characters} characters`, recall, SAMPLE - 1)
  }
  await measure('recall, by another owner', (i) => store.recall(keyOf(i % SAMPLE), 'another'))
}

function keyOf(i) {
  return {
    clientId: `device-${i % 1_000}`,
    jti: `${String(i).padStart(8, '0')}-jti-of-128-bit`,
    subject: `device-${i % 1_000}`,
    scope: ['provision:bind'],
    audience: 'https://api.example.com',
    issuedAt,
    expiresAt: issuedAt + 300,
    retainUntil: issuedAt + 305,
  }
}

function proofOf(i) {
  return `${String(i).padStart(8, '0')}-sha-256-of-a-proof-in-base64url...`
}

async function measure(name, call, count = KEYS) {
  // The first call may load a script, so it does not count.
  await call(0)
  await redis.call('CONFIG', 'RESETSTAT')
  const before = await server.usedMemory()
  const start = performance.now()
  for (let i = 1; i <= count; i += CONCURRENCY) {
    await Promise.all(Array.from({ length: Math.min(CONCURRENCY, count - i + 1) }, (_, j) => call(i + j)))
  }
  const total = ((performance.now() - start) * 1000) / count
  const bytes = ((await server.usedMemory()) - before) / count
  const { calls, microseconds } = await commandStatistics()
  row(name, calls / count, microseconds / count, total, bytes)
}

function row(name, ...cells) {
  const texts = cells.map((cell) => (typeof cell === 'number' ? cell.toFixed(cell < 10 ? 1 : 0) : cell))
  console.log(name.padEnd(30) + texts.map((text) => text.padStart(10)).join(''))
}

/** The commands that clients sent, without those that scripts called. */
async function commandStatistics() {
  const text = await redis.info('commandstats')
  const found = [...text.matchAll(/cmdstat_(evalsha|set):calls=(\d+),usec=(\d+)/g)]
  const sent = found.find(([, name]) => name === 'evalsha') ?? found[0]
  return { calls: Number(sent?.[2]), microseconds: Number(sent?.[3]) }
}
