import { setTimeout as pause } from 'node:timers/promises'
import type { KeyRecord, Lease } from '../../../lib/ports/store.js'
import { type RedisStore, type RedisStoreOptions, redisStore } from '../../../lib/stores/redis/redis.js'
import { CLIENTS } from './clients'
import { type RedisServer, startRedis } from './servers'

export const PLENTY = { outstanding: 1_000 }

/** A key for a minute. */
export function keyFor(jti: string, differences: Partial<KeyRecord> = {}): KeyRecord {
  const issuedAt = Math.floor(Date.now() / 1000)
  const times = { issuedAt, expiresAt: issuedAt + 60, retainUntil: issuedAt + 65 }
  const terms = { subject: 'device:7', scope: ['read'], audience: 'https://api.example.com' }
  return { clientId: 'a-client', jti, ...terms, ...times, ...differences }
}

/** The timeout in tests that do not test timeouts, long enough for a busy machine. */
export const PATIENCE_SECONDS = 20

export const HOLDER = 'jkt:0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I'

/** The owner of a reservation whose lease ends immediately. */
export const OVER: Lease = { ownerId: HOLDER, leaseSeconds: Number.MIN_VALUE }

/** The owner of a reservation whose lease lasts. */
export const HELD: Lease = { ownerId: HOLDER, leaseSeconds: 60 }

/** A store in a server, by node-redis, and its advice. */
export async function withStore(
  server: RedisServer,
  test: (store: RedisStore, advice: readonly string[]) => Promise<void>,
  options: Partial<RedisStoreOptions> = {},
  connect: (typeof CLIENTS)[keyof typeof CLIENTS] = CLIENTS['node-redis'],
): Promise<void> {
  const client = await connect(server)
  const advice: string[] = []
  const { sendCommand } = client
  try {
    const advise = (one: string) => advice.push(one)
    await test(redisStore({ sendCommand, advise, timeoutSeconds: PATIENCE_SECONDS, ...options }), advice)
  } finally {
    await client.close()
  }
}

/** Starts a Redis for one test. */
export async function withServer(
  settings: readonly string[],
  test: (server: RedisServer) => Promise<void>,
): Promise<void> {
  const server = await startRedis(settings)
  try {
    await test(server)
  } finally {
    await server.close()
  }
}

/** The message with which a promise rejects, and the seconds that it takes. */
export async function rejection(promise: Promise<unknown>): Promise<{ message: string; seconds: number }> {
  const start = performance.now()
  const answer: unknown = await promise.catch((error: Error) => error)
  const message = answer instanceof Error ? answer.message : `it answered ${String(answer)}`
  return { message, seconds: (performance.now() - start) / 1000 }
}

/** Waits until a condition holds. */
export async function until(holds: () => Promise<boolean>): Promise<void> {
  for (const deadline = Date.now() + 10_000; !(await holds()); await pause(20))
    if (Date.now() > deadline) throw new Error('it never came true')
}

/** The state of a key. */
export async function stateOf(store: RedisStore, jti: string) {
  return (await store.find(keyFor(jti)))?.state
}
