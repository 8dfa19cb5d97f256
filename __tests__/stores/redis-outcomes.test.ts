import type { Settlement } from '../../lib/ports/store.js'
import { type RedisStore, redisStore } from '../../lib/stores/redis/redis.js'
import { HELD, HOLDER, keyFor, OVER, PLENTY, until, withStore } from '../support/redis/bench'
import { type RedisServer, startRedis } from '../support/redis/servers'

const OUTCOME_NAME = 'epk:{37/64}:outcome:a-client:key'
const LIST_NAME = 'epk:{37/64}:key'
const ENTRY_NAME = 'epk:{37/64}:key:a-client:key'
const LONG = 'aZ0-_'.repeat(26_000)
const key = keyFor('key')
const now = () => Date.now() / 1000

let server: RedisServer
beforeAll(async () => {
  server = await startRedis()
})
beforeEach(() => server.cli('FLUSHALL'))
afterAll(() => server?.close())

async function settled(store: RedisStore, settlement: Settlement, holding = OVER, own = keyFor('key')) {
  await store.record(own, PLENTY)
  expect(await store.redeem(own, 'one', holding)).toBe('reserved')
  expect(await store.settle(own, 'one', now() + 3_600, settlement)).toBe('settled')
}

const scanned = async () => (await server.cli('KEYS', '*')).split('\n').sort()

describe('an outcome in Redis', () => {
  it('lies beside its entry, which says who may read it, and no longer than the record was to', () =>
    withStore(server, async (store) => {
      await settled(store, { outcome: LONG, familyClientId: 'brought' })
      expect(await scanned()).toEqual([LIST_NAME, ENTRY_NAME, OUTCOME_NAME])
      expect(await server.cli('GET', OUTCOME_NAME)).toBe(LONG)
      const fields = ['owner', 'redemption', 'outcome_until', 'family_client']
      const kept = (await server.cli('HMGET', ENTRY_NAME, ...fields)).split('\n')
      expect(kept).toEqual([HOLDER, '', expect.stringMatching(/^\d+$/), 'brought'])
      const left = Number(await server.cli('PTTL', OUTCOME_NAME)) / 1000
      expect(left).toBeGreaterThan(30)
      expect(left).toBeLessThanOrEqual(Number(kept[2]) - now() + 1)
      expect(left).toBeLessThanOrEqual(66)
      expect(Number(await server.cli('TTL', ENTRY_NAME))).toBeGreaterThan(3_500)
      expect(await store.recall(key, HOLDER)).toEqual({ redemption: 'one', outcome: LONG })
    }))

  it('is gone from Redis when the time of its key is over, and the redemption is still known', () =>
    withStore(server, async (store) => {
      const brief = keyFor('key', { retainUntil: now() + 0.5 })
      await settled(store, { outcome: 'sealed' }, OVER, brief)
      await until(async () => (await server.cli('EXISTS', OUTCOME_NAME)) === '0')
      expect(await store.recall(brief, HOLDER)).toEqual({ redemption: 'one' })
      expect(await store.redeem(brief, 'two', OVER)).toBe('redeemed')
    }))

  it('is not read when its time is over by the clock of the caller, though it lies there', () => {
    const clock = { ahead: 0 }
    return withStore(
      server,
      async (store) => {
        await settled(store, { outcome: 'sealed' })
        clock.ahead = 120
        expect(await server.cli('EXISTS', OUTCOME_NAME)).toBe('1')
        expect(await store.recall(key, HOLDER)).toEqual({ redemption: 'one' })
      },
      { now: () => Date.now() + clock.ahead * 1000 },
    )
  })

  it('is not given to a new key with the same name', () =>
    withStore(server, async (store) => {
      await settled(store, { outcome: 'sealed' })
      await server.cli('DEL', ENTRY_NAME)
      await settled(store, {})
      expect(await server.cli('EXISTS', OUTCOME_NAME)).toBe('1')
      expect(await store.recall(key, HOLDER)).toEqual({ redemption: 'one' })
    }))

  it('is deleted with the family, even if the key is already revoked by revokeIssuedBefore', () =>
    withStore(server, async (store) => {
      await settled(store, { outcome: 'sealed' })
      expect(await store.revokeFamily(key)).toBe('revoked')
      expect(await server.cli('EXISTS', OUTCOME_NAME)).toBe('0')
      await server.cli('FLUSHALL')
      await settled(store, { outcome: 'sealed' })
      await store.revokeIssuedBefore({ issuedBefore: now() + 60, retainUntil: now() + 60 })
      expect(await store.recall(key, HOLDER)).toBeUndefined()
      expect(await store.revokeFamily(key)).toBe('unchanged')
      expect(await server.cli('EXISTS', OUTCOME_NAME)).toBe('0')
    }))

  it('leaves nothing behind when its settlement is refused', () =>
    withStore(server, async (store) => {
      await store.record(key, PLENTY)
      await store.redeem(key, 'one', HELD)
      expect(await store.settle(key, 'other', now() + 60, { outcome: 'sealed' })).toBe('lost')
      expect(await server.cli('EXISTS', OUTCOME_NAME)).toBe('0')
      expect(await server.cli('HGET', ENTRY_NAME, 'outcome_until')).toBe('')
    }))

  it('is known to nobody after FLUSHALL, as is its key', () =>
    withStore(server, async (store) => {
      await settled(store, { outcome: 'sealed' })
      await store.record(keyFor('stuck'), PLENTY)
      await store.redeem(keyFor('stuck'), 'one', OVER)
      await server.cli('FLUSHALL')
      for (const one of [key, keyFor('stuck')]) {
        expect(await store.recall(one, HOLDER)).toBeUndefined()
        expect(await store.redeem(one, 'two', OVER)).toBe('unknown')
        expect(await store.settle(one, 'one', now() + 60, { outcome: 'sealed' })).toBe('unknown')
      }
      expect(await server.cli('DBSIZE')).toBe('0')
    }))
})

describe('texts of a claim', () => {
  it('are refused where they would not come back as they went, before anything is sent', async () => {
    const sent: unknown[] = []
    const store = redisStore({ sendCommand: async (command) => sent.push(command) })
    const half = '\ud800'
    for (const refused of [
      () => store.redeem(key, 'one', { ...HELD, ownerId: half }),
      () => store.recall(key, half),
      () => store.settle(key, 'one', now() + 60, { outcome: half }),
      () => store.settle(key, 'one', now() + 60, { familyClientId: half }),
    ])
      await expect(refused()).rejects.toThrow(URIError)
    await expect(store.redeem(key, 'one', { ...HELD, leaseSeconds: 0 })).rejects.toThrow(RangeError)
    expect(sent).toEqual([])
  })
})

describe('a Redis without room', () => {
  it('keeps a redemption without its outcome, and outcomes again when there is room', () =>
    withStore(server, async (store) => {
      for (const jti of ['key', 'next', 'stuck']) {
        await store.record(keyFor(jti), PLENTY)
        await store.redeem(keyFor(jti), 'one', OVER)
      }
      await server.cli('CONFIG', 'SET', 'maxmemory', '500000')
      try {
        const settlement = { outcome: LONG, familyClientId: 'brought' }
        expect(await store.settle(key, 'one', now() + 60, settlement)).toBe('settled')
        expect(await store.redeem(keyFor('stuck'), 'two', OVER)).toBe('resumed')
        expect(await store.recall(key, HOLDER)).toEqual({ redemption: 'one' })
        expect(await store.find(key)).toMatchObject({ state: 'redeemed', familyClientId: 'brought' })
        expect(await server.cli('EXISTS', OUTCOME_NAME)).toBe('0')
        expect(await store.revokeFamily(key)).toBe('revoked')
      } finally {
        await server.cli('CONFIG', 'SET', 'maxmemory', '0')
      }
      expect(await store.settle(keyFor('next'), 'one', now() + 60, { outcome: LONG })).toBe('settled')
      expect((await store.recall(keyFor('next'), HOLDER))?.outcome).toBe(LONG)
    }))

  it('is told from one that takes no writes, in which the claim stays as it is', () =>
    withStore(server, async (store) => {
      await store.record(key, PLENTY)
      await store.redeem(key, 'one', HELD)
      await server.cli('CONFIG', 'SET', 'min-replicas-to-write', '1')
      try {
        const settling = store.settle(key, 'one', now() + 60, { outcome: 'sealed' })
        await expect(settling).rejects.toThrow('NOREPLICAS')
      } finally {
        await server.cli('CONFIG', 'SET', 'min-replicas-to-write', '0')
      }
      expect(await store.find(key)).toMatchObject({ state: 'redeeming' })
      expect(await store.settle(key, 'one', now() + 60, { outcome: 'sealed' })).toBe('settled')
    }))

  it('is told from one whose rules forbid what keeps an outcome', async () => {
    await server.cli('ACL', 'SETUSER', 'poor', 'on', '>secret', '~*', 'resetchannels', '+@all', '-set')
    const url = server.url.replace('redis://', 'redis://poor:secret@')
    try {
      await withStore({ ...server, url }, async (store) => {
        await store.record(key, PLENTY)
        await store.redeem(key, 'one', HELD)
        await expect(store.settle(key, 'one', now() + 60, { outcome: 'sealed' })).rejects.toThrow()
        expect(await store.find(key)).toMatchObject({ state: 'redeeming' })
        expect(await store.settle(key, 'one', now() + 60)).toBe('settled')
      })
    } finally {
      await server.cli('ACL', 'DELUSER', 'poor')
    }
  })
})
