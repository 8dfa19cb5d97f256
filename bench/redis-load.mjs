// The load of bench/parts/redis.mjs. As a process of its own, runs the lives of keys for a second when it is told to.
import { createRequire } from 'node:module'
import { redisStore } from 'express-provisioning-keys/redis'
import { Redis } from 'ioredis'

// The package does not export it.
const require = createRequire(import.meta.url)
require('../scripts/typescript.cjs')
const { checkedStore } = require('../lib/stores/checked-store.ts')

const CONCURRENCY = 64
const RUN_MILLISECONDS = 1_000
const CLIENTS = 1_000
export const LIMITS = { outstanding: 10_000_000 }

const attempt = 'an-attempt-of-128-bit'
const issuedAt = Math.floor(Date.now() / 1_000)

if (process.send !== undefined) process.once('message', serve)

/** The store as requests use it, with checked answers. */
export function storeOn(redis) {
  return checkedStore(redisStore({ sendCommand: ([name, ...args]) => redis.call(name, ...args) }))
}

export function keyOf(i, source = 0) {
  return {
    clientId: `device-${i % CLIENTS}`,
    jti: `${source}-${String(i).padStart(8, '0')}-of-128-bit`,
    subject: `device-${i % CLIENTS}`,
    scope: ['provision:bind'],
    audience: 'https://api.example.com',
    issuedAt,
    expiresAt: issuedAt + 300,
    retainUntil: issuedAt + 305,
  }
}

/** Calls `act` for each item, with 64 calls in flight, and returns microseconds for each. */
export async function inFlight(items, act) {
  let next = 0
  const lane = async () => {
    while (next < items.length) await act(items[next++])
  }
  const start = performance.now()
  await Promise.all(Array.from({ length: CONCURRENCY }, lane))
  return ((performance.now() - start) * 1_000) / items.length
}

export async function redeem(store, key, { lease, settlement } = {}) {
  const reserved = await store.redeem(key, attempt, lease)
  const settled = await store.settle(key, attempt, issuedAt + 605, settlement)
  if (reserved !== 'reserved' || settled !== 'settled') throw new Error(`${reserved}, ${settled}`)
}

/** Each key is issued, looked at, reserved and settled: four commands. */
function serve({ port, source }) {
  const store = storeOn(new Redis(port))
  let next = 0
  async function lane(end) {
    let done = 0
    for (; performance.now() < end; done += 1) {
      const key = keyOf(next++, source)
      await store.record(key, LIMITS)
      await store.find(key)
      await redeem(store, key)
    }
    return done
  }
  process.on('message', async () => {
    const end = performance.now() + RUN_MILLISECONDS
    const counts = await Promise.all(Array.from({ length: CONCURRENCY }, () => lane(end)))
    process.send(counts.reduce((sum, count) => sum + count))
  })
  process.send('ready')
}
