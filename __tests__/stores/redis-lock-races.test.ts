import type { Lock, ProvisioningStore } from '../../lib/ports/store.js'
import { redisStore, type SendCommand } from '../../lib/stores/redis/redis.js'
import { layout } from '../../lib/stores/redis/redis-layout.js'
import { PATIENCE_SECONDS } from '../support/redis/bench'
import { CLIENTS, type ConnectedClient } from '../support/redis/clients'
import { type RedisServer, startRedis } from '../support/redis/servers'

const NAMES = layout('epk:')
const RACES = 200
const now = () => Math.floor(Date.now() / 1000)

let server: RedisServer
const clients: ConnectedClient[] = []
beforeAll(async () => {
  server = await startRedis()
  clients.push(await CLIENTS.ioredis(server), await CLIENTS['node-redis'](server))
})
afterAll(async () => {
  for (const client of clients) await client.close()
  await server?.close()
})

/** A store of another process, whose commands arrive in any order. */
function storeOf({ sendCommand }: ConnectedClient): ProvisioningStore {
  const late: SendCommand = async (command, key) => {
    await new Promise((resolve) => setTimeout(resolve, Math.random() * 6))
    return sendCommand(command, key)
  }
  return redisStore({ sendCommand: late, timeoutSeconds: PATIENCE_SECONDS, advise: () => undefined })
}

function lockOf(clientId: string, differences: Partial<Lock> = {}): Lock {
  const words = { kind: 'lock', reason: 'stolen', author: 'operator' } as const
  return { clientId, ...words, lockedAt: now(), until: now() + 600, ...differences }
}

/** The locks of an identity that a part has, as texts. */
async function locksIn(part: string, identity: string): Promise<string[]> {
  const text = await clients[0]?.sendCommand(['HGET', part, `lock=${identity}`], part)
  const lines = typeof text === 'string' ? text.split('\n').slice(1) : []
  return lines.map((line) => JSON.stringify(JSON.parse(line.replace(/^\d \S+ /, '')))).sort()
}

/** Expects each of the 64 parts to have what `locks()` shows. Answers how many locks that is. */
async function agreedLocks(store: ProvisioningStore, identity: string): Promise<number> {
  const shown = (await store.locks()).filter(({ clientId }) => clientId === identity)
  const texts = shown.map((lock) => JSON.stringify(lock)).sort()
  const parts = NAMES.allNotBefore.map(([part]) => locksIn(part, identity))
  for (const part of await Promise.all(parts)) expect(part).toEqual(texts)
  return shown.length
}

/** What the two processes do at the same time. */
const CONFLICTS: Record<string, (one: ProvisioningStore, other: ProvisioningStore, id: string) => unknown[]> =
  {
    'a lock and an unlock': (one, other, id) => [one.lock(lockOf(id)), other.unlock(id)],
    'an unlock and an unlock and a lock': (one, other, id) => [
      one.unlock(id),
      other.unlock(id),
      one.lock(lockOf(id, { until: now() + 900 })),
    ],
    'two locks of different lengths, and an unlock': (one, other, id) => [
      one.lock(lockOf(id, { until: now() + 700 })),
      other.lock(lockOf(id, { until: now() + 800 })),
      one.unlock(id),
    ],
    'a throttle, a stepUp and an unlock': (one, other, id) => [
      one.lock(lockOf(id, { kind: 'throttle' })),
      other.lock(lockOf(id, { kind: 'stepUp' })),
      other.unlock(id),
    ],
  }

describe('locks and unlocks of one identity at the same time', () => {
  for (const [title, act] of Object.entries(CONFLICTS)) {
    it(`leave all parts with what locks() shows: ${title}`, async () => {
      const [one, other] = clients.map(storeOf) as [ProvisioningStore, ProvisioningStore]
      const counts = new Set<number>()
      const race = async (i: number) => {
        const id = `${title} ${i}`
        if (i % 2 === 0) await one.lock(lockOf(id))
        await Promise.all(act(one, other, id))
        counts.add(await agreedLocks(one, id))
        await other.unlock(id)
        expect(await agreedLocks(one, id)).toBe(0)
      }
      for (let i = 0; i < RACES / 4; i += 10)
        await Promise.all(Array.from({ length: 10 }, (_, k) => race(i + k)))
      // Sometimes the lock is the later change, and sometimes the unlock.
      expect(counts.size).toBeGreaterThan(1)
    }, 60_000)
  }
})
