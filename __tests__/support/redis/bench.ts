import { type RedisStore, type RedisStoreOptions, redisStore } from '../../../lib/stores/redis.js'
import type { KeyRecord } from '../../../lib/stores/store.js'
import { CLIENTS } from './clients'
import type { RedisServer } from './servers'

export const PLENTY = { outstanding: 1_000 }

/** A key for a minute. */
export function keyFor(jti: string, differences: Partial<KeyRecord> = {}): KeyRecord {
  const issuedAt = Math.floor(Date.now() / 1000)
  const times = { issuedAt, expiresAt: issuedAt + 60, retainUntil: issuedAt + 65 }
  const terms = { subject: 'device:7', scope: ['read'], audience: 'https://api.example.com' }
  return { clientId: 'a-client', jti, ...terms, ...times, ...differences }
}

/**
 * A store in a server, by node-redis, what it advised, and the same store with all the time it needs: for whatever is
 * not to be too late, however busy the machine is.
 */
export async function withStore(
  server: RedisServer,
  test: (store: RedisStore, advice: readonly string[], patient: RedisStore) => Promise<void>,
  options: Partial<RedisStoreOptions> = {},
  connect: (typeof CLIENTS)[keyof typeof CLIENTS] = CLIENTS['node-redis'],
): Promise<void> {
  const client = await connect(server)
  const advice: string[] = []
  const { sendCommand } = client
  try {
    const advise = (one: string) => advice.push(one)
    const given = { sendCommand, advise, timeoutSeconds: 60, ...options }
    const patient = redisStore({
      ...given,
      timeoutSeconds: 60,
      accept: ['persistence', 'eviction', 'unchecked'],
    })
    await test(redisStore(given), advice, patient)
  } finally {
    await client.close()
  }
}
