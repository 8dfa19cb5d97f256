import type { KeyRecord, ProvisioningStore } from '../../lib/ports/store.js'
import { memoryStore } from '../../lib/stores/memory/memory.js'
import { times } from '../support/scale.js'

const NOW = 1_700_000_000
const MANY = times({ all: 100_000, few: 30_000 })

/** One key in three has a client of its own, and the others have a hundred clients together. */
function keyOf(i: number, retainUntil = NOW + 600): KeyRecord {
  const clientId = i % 3 === 0 ? `own-${i}` : `client-${i % 100}`
  const terms = { subject: clientId, scope: ['read'], audience: 'urn:api' }
  return { clientId, jti: `key-${i}`, ...terms, issuedAt: NOW - (i % 500), expiresAt: NOW + 60, retainUntil }
}

async function storeOf(count: number, now = () => NOW * 1000): Promise<ProvisioningStore> {
  const store = memoryStore({ maxKeys: 10 * MANY, now })
  for (let i = 0; i < count; i += 1) await store.record(keyOf(i), { outstanding: Infinity })
  return store
}

/** Calls `act` in each turn of the event loop, as long as a promise is pending. Returns the number of turns. */
async function turnsDuring(pending: Promise<unknown>, act: (turn: number) => unknown): Promise<number> {
  let isPending = true
  let turns = 0
  const end = () => {
    isPending = false
  }
  pending.then(end, end)
  while (isPending) {
    await new Promise((resolve) => setImmediate(resolve))
    await act(turns)
    turns += 1
  }
  return turns
}

describe('lists of many keys in memory', () => {
  it('leave time for other work', async () => {
    const store = await storeOf(MANY)
    for (const list of [() => store.listKeys({ limit: 1_000 }), () => store.countKeys()])
      expect(await turnsDuring(list(), () => undefined)).toBeGreaterThan(3)
  }, 60_000)

  it('have each key that stays once, while keys come, change and go', async () => {
    let seconds = NOW
    const store = await storeOf(MANY, () => seconds * 1000)
    // These are before the others, and end during the first page.
    for (let i = 0; i < 2_000; i += 1)
      await store.record({ ...keyOf(i, NOW + 5), jti: `brief-${i}`, issuedAt: NOW + 1 }, { outstanding: 1e9 })
    const listed = new Map<string, number>()
    let after: { after?: string } = {}
    for (let page = 0; page < 4; page += 1) {
      const reading = store.listKeys({ limit: 1_000, ...after })
      await turnsDuring(reading, async (turn) => {
        if (turn === 1) seconds = NOW + 6
        await store.record(keyOf(MANY * (page + 1) + turn), { outstanding: 1e9 })
        await store.revoke(keyOf(1 + 3 * turn))
      })
      const { keys, next = '' } = await reading
      for (const { clientId, jti } of keys) {
        const name = `${clientId} ${jti}`
        listed.set(name, (listed.get(name) ?? 0) + 1)
      }
      after = { after: next }
    }
    expect([...listed.values()].every((count) => count === 1)).toBe(true)
    expect([...listed.keys()].some((name) => name.includes('brief'))).toBe(false)
    const stay = Array.from({ length: MANY }, (_, i) => keyOf(i)).filter(({ issuedAt }) => issuedAt > NOW - 3)
    expect(stay.filter(({ clientId, jti }) => !listed.has(`${clientId} ${jti}`))).toEqual([])
  }, 60_000)

  it('show the keys that revokeIssuedBefore covers as revoked', async () => {
    const store = await storeOf(100)
    await store.revokeIssuedBefore({ issuedBefore: NOW - 50, retainUntil: NOW + 600 })
    expect(await store.countKeys()).toMatchObject({ issued: 50, revoked: 50 })
    expect((await store.listKeys({ limit: 100, state: 'revoked' })).keys).toHaveLength(50)
  })
})
