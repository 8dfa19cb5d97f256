import { setImmediate } from 'node:timers/promises'
import type { KeyRecord } from '../../lib/ports/store.js'
import { storeInMemory } from '../../lib/stores/memory/memory.js'
import type { MemoryStoreOptions } from '../../lib/stores/memory/memory-options.js'

const START = 1_700_000_000
const PLENTY = { outstanding: 1_000_000 }
const MANY = 50

/** A store that removes one expired entry a turn. */
function underTest(options: MemoryStoreOptions = {}) {
  const clock = { seconds: START }
  const slice = { milliseconds: 0, entries: 1 }
  const store = storeInMemory({ now: () => clock.seconds * 1000, ...options }, slice)
  return { clock, store }
}

function key(jti: string, retainUntil = START + 10, clientId = 'client'): KeyRecord {
  const times = { issuedAt: START, expiresAt: retainUntil, retainUntil }
  return { clientId, jti, subject: 'device', scope: ['read'], audience: 'urn:api', ...times }
}

/** A store with keys that have all expired at once. */
async function expired(options: MemoryStoreOptions = {}) {
  const { clock, store } = underTest(options)
  for (let i = 0; i < MANY; i += 1) await store.record(key(`${i}`), PLENTY)
  clock.seconds = START + 11
  return { clock, store }
}

/** How many turns of the event loop a call takes. */
async function turnsOf(call: Promise<unknown>): Promise<number> {
  let isDone = false
  void call.then(() => {
    isDone = true
  })
  for (let turns = 0; ; turns += 1) {
    await Promise.resolve()
    await Promise.resolve()
    await Promise.resolve()
    if (isDone) return turns
    await setImmediate()
  }
}

describe('expired keys that are not removed yet', () => {
  it('are unknown to every verb in the same turn', async () => {
    const { store } = await expired()
    const calls = Array.from({ length: MANY }, (_, i) => store.find(key(`${i}`)))
    expect(await turnsOf(Promise.all(calls))).toBe(0)
    expect(await Promise.all(calls)).toEqual(Array(MANY).fill(undefined))
    for (const verb of ['revoke', 'revokeFamily'] as const)
      expect(await store[verb](key('7'))).toBe('unknown')
    expect(await store.redeem(key('7'), 'one')).toBe('unknown')
  })

  it('do not delay a key of another client, or the same jti again', async () => {
    const { store } = await expired()
    const recorded = [key('new', START + 60, 'another'), key('7', START + 60)].map((one) =>
      store.record(one, PLENTY),
    )
    expect(await turnsOf(Promise.all(recorded))).toBe(0)
    expect(await Promise.all(recorded)).toEqual(['recorded', 'recorded'])
    await setImmediate()
    expect(await store.find(key('7'))).toMatchObject({ retainUntil: START + 60, state: 'issued' })
  })

  it('do not come back when the clock goes back, while new keys with the same end stay', async () => {
    const { clock, store } = await expired()
    expect(await store.find(key('7'))).toBeUndefined()
    clock.seconds = START
    await store.record(key('new'), PLENTY)
    expect(await store.redeem(key('8'), 'one')).toBe('unknown')
    for (let i = 0; i < 2 * MANY; i += 1) await setImmediate()
    expect(await store.redeem(key('new'), 'one')).toBe('reserved')
    expect(await store.record(key('8'), PLENTY)).toBe('recorded')
  })

  it('do not count for the limit of a client: record waits until they are removed', async () => {
    const { store } = await expired()
    const waiting = store.record(key('a', START + 60), { outstanding: 1 })
    expect(await turnsOf(waiting)).toBeGreaterThan(MANY - 5)
    expect(await waiting).toBe('recorded')
    expect(await store.record(key('b', START + 60), { outstanding: 1 })).toBe('outstanding')
  })

  it('do not count for the cap of the store: record waits until there is room', async () => {
    const { store } = await expired({ maxKeys: MANY })
    expect(await store.record(key('a', START + 60), PLENTY)).toBe('recorded')
    const waiting = store.record(key('b', START + 60), PLENTY)
    expect(await turnsOf(waiting)).toBe(1)
    expect(await waiting).toBe('recorded')
  })

  it('let no more keys in than the cap allows when many calls wait', async () => {
    const { store } = await expired({ maxKeys: MANY })
    const calls = Array.from({ length: MANY + 5 }, (_, i) =>
      store.record(key(`new ${i}`, START + 60), PLENTY),
    )
    const answers = await Promise.all(calls)
    expect(answers.filter((one) => one === 'recorded')).toHaveLength(MANY)
    expect(answers.filter((one) => one === 'full')).toHaveLength(5)
  })

  it('do not count for the half of the store that one registrar has', async () => {
    const { clock, store } = underTest({ maxKeys: 20 })
    const limits = { ...PLENTY, registeredBy: 'registrar' }
    for (let i = 0; i < 10; i += 1) await store.record(key(`${i}`, START + 10, `client ${i}`), limits)
    expect(await store.record(key('late', START + 60, 'late'), limits)).toBe('outstanding')
    clock.seconds = START + 11
    expect(await store.record(key('late', START + 60, 'late'), limits)).toBe('recorded')
  })

  it('count for the registrar of the first key of their client, whoever is named later', async () => {
    const { store } = underTest({ maxKeys: 4 })
    const record = (jti: string, clientId: string, registeredBy: string) =>
      store.record(key(jti, START + 10, clientId), { ...PLENTY, registeredBy })
    for (const jti of ['1', '2']) expect(await record(jti, 'one', 'first')).toBe('recorded')
    expect(await record('3', 'one', 'second')).toBe('outstanding')
    expect(await record('4', 'two', 'second')).toBe('recorded')
  })
})

describe('other expired entries that are not removed yet', () => {
  it('leave room for the outcome of a later key', async () => {
    const { clock, store } = underTest({ maxOutcomeCharacters: 10 })
    const lease = { ownerId: 'owner', leaseSeconds: 30 }
    const settle = async (one: KeyRecord) => {
      await store.record(one, PLENTY)
      await store.redeem(one, 'one', lease)
      await store.settle(one, 'one', START + 100, { outcome: '12345' })
      return (await store.recall(one, 'owner'))?.outcome
    }
    for (const jti of ['a', 'b']) expect(await settle(key(jti))).toBe('12345')
    expect(await settle(key('c', START + 60))).toBeUndefined()
    clock.seconds = START + 11
    expect(await store.recall(key('a'), 'owner')).toEqual({ redemption: 'one' })
    expect(await settle(key('d', START + 60))).toBe('12345')
  })

  it('leave no outcome behind when revokeIssuedBefore covers their key', async () => {
    const { store } = underTest({ maxOutcomeCharacters: 5 })
    const settle = async (one: KeyRecord) => {
      await store.record(one, PLENTY)
      await store.redeem(one, 'one', { ownerId: 'owner', leaseSeconds: 30 })
      await store.settle(one, 'one', START + 100, { outcome: '12345' })
      return (await store.recall(one, 'owner'))?.outcome
    }
    const covered = key('a', START + 60, 'covered')
    expect(await settle(covered)).toBe('12345')
    await store.revokeIssuedBefore({ identity: 'covered', issuedBefore: START, retainUntil: START + 60 })
    expect(await store.find(covered)).toMatchObject({ familyRevoked: true })
    expect(await settle(key('b', START + 60))).toBe('12345')
  })

  it('are no used identifiers, and leave room for others', async () => {
    const { clock, store } = underTest({ maxKeys: 20, maxProofsPerClient: 10 })
    const owner = { clientId: 'client' }
    for (let i = 0; i < 10; i += 1) expect(await store.useOnce(`${i}`, START + 10, owner)).toBe('first')
    for (let i = 10; i < 20; i += 1) expect(await store.useOnce(`${i}`, START + 10)).toBe('first')
    expect(await store.useOnce('late', START + 60, owner)).toBe('limited')
    clock.seconds = START + 11
    expect(await store.useOnce('7', START + 60, owner)).toBe('first')
    expect(await store.useOnce('7', START + 60, owner)).toBe('used')
    expect(await store.useOnce('late', START + 60)).toBe('first')
  })

  it('leave room for other revoked identities', async () => {
    const { clock, store } = underTest({ maxKeys: 10 })
    const revoke = (identity: string, seconds: number) =>
      store.revokeIssuedBefore({ identity, issuedBefore: START, retainUntil: START + seconds })
    for (let i = 0; i < 10; i += 1) await revoke(`${i}`, 10)
    expect(await revoke('late', 60)).toBe('full')
    clock.seconds = START + 11
    expect(await revoke('late', 60)).toBe('revoked')
    expect(await store.record(key('of 3', START + 60, '3'), PLENTY)).toBe('recorded')
  })
})

describe('a client with few keys', () => {
  it('keeps the keys of others when its number of keys goes up and down', async () => {
    const { clock, store } = underTest()
    const ends = [10, 20, 30]
    for (const by of ends)
      expect(await store.record(key(`${by}`, START + by), { outstanding: 3 })).toBe('recorded')
    for (const by of [...ends, 40]) {
      const found = await Promise.all(ends.map((end) => store.find(key(`${end}`))))
      expect(found.map((one) => one?.retainUntil)).toEqual(
        ends.map((end) => (end < by - 9 ? undefined : START + end)),
      )
      clock.seconds = START + by + 1
    }
    expect(await store.record(key('new', START + 60), { outstanding: 1 })).toBe('recorded')
    expect(await store.record(key('more', START + 60), { outstanding: 1 })).toBe('outstanding')
  })
})
