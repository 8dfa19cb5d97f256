import { redisStore } from '../../lib/stores/redis/redis.js'
import { layout } from '../../lib/stores/redis/redis-layout.js'
import { HELD, keyFor, PLENTY, withStore } from '../support/redis/bench'
import { EVERY_VERB, everyVerb } from '../support/redis/every-verb'
import { type RedisServer, startRedis } from '../support/redis/servers'

const now = () => Date.now() / 1000
const later = () => ({ issuedBefore: 0, retainUntil: now() + 60 })

let server: RedisServer
beforeAll(async () => {
  server = await startRedis()
})
beforeEach(() => server.cli('FLUSHALL'))
afterAll(() => server?.close())

describe('what redisStore leaves in Redis', () => {
  it('is named by ids, expires soon after its time, and holds nothing else of the record', () =>
    withStore(server, async (store) => {
      const key = { ...keyFor('a-jti', { confirmation: { jkt: 'a-thumbprint' } }), key: 'eyJ.secret.x' }
      await store.record(key, PLENTY)
      await store.redeem(key, 'an-attempt')
      await store.useOnce('a:{proof}', now() + 60)
      const names = (await server.cli('KEYS', '*')).split('\n').sort()
      expect(names).toEqual([
        'epk:once:a%3A%7Bproof%7D',
        'epk:{37/64}:key',
        'epk:{37/64}:key:a-client:a-jti',
        'epk:{37/64}:open:a-client',
      ])
      const [, list = '', entry = '', open = ''] = names
      const listed = (await server.cli('HGETALL', entry)).split('\n')
      expect(
        Object.fromEntries(listed.flatMap((name, i) => (i % 2 === 0 ? [[name, listed[i + 1]]] : []))),
      ).toEqual({
        state: 'redeeming',
        sub: 'device:7',
        scope: '["read"]',
        aud: 'https://api.example.com',
        iat: String(key.issuedAt),
        exp: String(key.expiresAt),
        until: String(key.retainUntil),
        cnf: '{"jkt":"a-thumbprint"}',
        attempt: 'an-attempt',
        first: expect.stringMatching(/^\d{10}(\.\d{1,3})?$/),
        at: expect.stringMatching(/^\d{10}(\.\d{1,3})?$/),
        call: expect.stringMatching(/^[\w-]{12}\.\w+$/),
      })
      expect(await server.cli('ZRANGE', open, '0', '-1')).toBe(`${key.issuedAt}:a-jti:device:7`)
      expect(await server.cli('ZRANGE', list, '0', '-1')).toBe('a-client:a-jti')
      // The list of keys stays as long as a settlement may keep the last key.
      expect(Number(await server.cli('TTL', list))).toBeLessThan(14_400 + 140)
      for (const name of names.filter((one) => one !== list)) {
        const seconds = Number(await server.cli('PTTL', name)) / 1000
        expect(seconds).toBeGreaterThan(65)
        expect(seconds).toBeLessThan(76)
      }
    }))

  it('expires after each verb, also after revokeIssuedBefore', () =>
    withStore(server, async (store) => {
      await everyVerb(store)
      await store.revokeIssuedBefore({ ...later(), identity: 'a-client' })
      // At its limit, so that the store looks through the keys of the client.
      await store.record(keyFor('late', { issuedAt: 5 }), { outstanding: 0 })
      const names = (await server.cli('KEYS', '*')).split('\n')
      expect(names.filter((name) => name.endsWith('revoked'))).toHaveLength(64)
      const lasting = await Promise.all(
        names.map(async (name) => [name, Number(await server.cli('TTL', name))]),
      )
      expect(
        lasting.filter(([, seconds]) => !(Number(seconds) > 0 && Number(seconds) < 14_400 + 140)),
      ).toEqual([])
      await server.cli('SCRIPT', 'FLUSH')
    }))

  it('does not contain the times of revokeIssuedBefore that are over', () => {
    const clock = { seconds: 1_700_000_000 }
    return withStore(
      server,
      async (store) => {
        const raise = (identity: string) => {
          const bound = { issuedBefore: clock.seconds, retainUntil: clock.seconds + 60 }
          return store.revokeIssuedBefore({ ...bound, identity })
        }
        await raise('first')
        clock.seconds += 100
        await raise('second')
        expect(await server.cli('HKEYS', 'epk:{00/64}:revoked')).toBe('=first\n#\n=second')
        clock.seconds += 14_301
        await raise('third')
        expect(await server.cli('HKEYS', 'epk:{00/64}:revoked')).toBe('#\n=second\n=third')
        expect(await server.cli('ZRANGE', 'epk:{63/64}:revoked-until', '0', '-1')).toBe('=second\n=third')
      },
      { now: () => clock.seconds * 1000 },
    )
  })

  it('is kept apart by the prefix', () =>
    withStore(server, async (one) => {
      await withStore(
        server,
        async (other) => {
          await one.record(keyFor('key'), PLENTY)
          expect(await other.redeem(keyFor('key'), 'one')).toBe('unknown')
          await other.revokeIssuedBefore({ issuedBefore: now() + 60, retainUntil: now() + 60 })
          expect(await one.redeem(keyFor('key'), 'one')).toBe('reserved')
        },
        { prefix: 'other:' },
      )
    }))
})

describe('time in redisStore', () => {
  it('is the clock of the caller, to the millisecond', () => {
    const clock = { seconds: 5_000_000_000 }
    return withStore(
      server,
      async (store) => {
        const key = keyFor('key', { issuedAt: 5e9, expiresAt: 5e9 + 10, retainUntil: 5e9 + 10.25 })
        await store.record(key, PLENTY)
        clock.seconds = 5e9 + 10.25
        expect(await store.find(key)).toEqual({
          ...key,
          state: 'issued',
          changedAt: 5e9,
          familyRevoked: false,
        })
        clock.seconds = 5e9 + 10.251
        expect(await store.redeem(key, 'one')).toBe('unknown')
      },
      { now: () => clock.seconds * 1000 },
    )
  })

  it('passes for real as well', () =>
    withStore(server, async (store) => {
      const key = keyFor('key', { retainUntil: now() + 0.3 })
      await store.record(key, PLENTY)
      expect(await store.redeem(key, 'one')).toBe('reserved')
      await new Promise((resolve) => setTimeout(resolve, 350))
      expect(await store.settle(key, 'one', now() + 60)).toBe('unknown')
    }))

  it('is refused before anything is sent if it is past, or later than maxRetentionSeconds', async () => {
    const sent: unknown[] = []
    const store = redisStore({
      sendCommand: async (command) => sent.push(command),
      maxRetentionSeconds: 3_720,
    })
    const refused = [
      store.record(keyFor('key', { retainUntil: now() }), PLENTY),
      store.record(keyFor('key', { retainUntil: now() + 3_721 }), PLENTY),
      store.record(keyFor('key', { issuedAt: Number.NaN, retainUntil: now() + 30 }), PLENTY),
      store.settle(keyFor('key'), 'one', now() + 3_721),
      store.settle(keyFor('key'), 'one', Number.POSITIVE_INFINITY),
      store.useOnce('id', now()),
      store.revokeIssuedBefore({ issuedBefore: 1, retainUntil: now() }),
    ]
    for (const one of refused) await expect(one).rejects.toThrow(RangeError)
    expect(sent).toEqual([])
  })

  it('is not told by a clock that tells none', () => {
    let time = Date.now()
    return withStore(
      server,
      async (store) => {
        time = Number.NaN
        for (const act of Object.values(EVERY_VERB)) {
          await expect(act(store)).rejects.toThrow('now: expected a time in milliseconds, got NaN')
        }
      },
      { now: () => time },
    )
  })
})

describe('a client at its limit', () => {
  it('gets back the places of one revokeIssuedBefore, and then those of the next', () =>
    withStore(server, async (store) => {
      const one = { outstanding: 1 }
      const keys = ['a', 'b', 'c'].map((name) => keyFor(name, { subject: name, issuedAt: 1_000 }))
      const raise = (identity: string) =>
        store.revokeIssuedBefore({ identity, issuedBefore: 1_000, retainUntil: now() + 60 })
      const answers: string[] = []
      for (const key of keys) {
        answers.push(await store.record(key, one), await store.record(keyFor('late'), one))
        await raise(key.subject)
      }
      expect(answers).toEqual(Array(3).fill(['recorded', 'outstanding']).flat())
    }))
})

describe('names in redisStore', () => {
  it('show where an id ends, whatever is in it', () =>
    withStore(server, async (store) => {
      const key = keyFor('c:{d}', { clientId: 'a:b' })
      await store.record(key, PLENTY)
      await store.redeem(key, 'one')
      await store.settle(key, 'one', now() + 60, { outcome: 'sealed' })
      const names = (await server.cli('KEYS', '*')).split('\n').map((name) => name.replace(/^epk:{.+?}/, ''))
      expect(names.sort()).toEqual([':key', ':key:a%3Ab:c%3A%7Bd%7D', ':outcome:a%3Ab:c%3A%7Bd%7D'])
    }))

  it('are the same when they come back, whatever is in them', () =>
    withStore(server, async (store) => {
      const odd = '\n\r\t\0"\\/\u007f\u0080\u2028\ufeff\u{1f511}[",]:=*#'
      const key = keyFor(odd, { clientId: odd, subject: odd, audience: odd, scope: [odd] })
      await store.record(key, PLENTY)
      await store.redeem(key, odd, { ...HELD, ownerId: odd })
      await store.settle(key, odd, now() + 60, { outcome: odd, request: odd, familyClientId: odd })
      expect(await store.find(key)).toMatchObject({
        ...{ clientId: odd, jti: odd, subject: odd, audience: odd, scope: [odd], familyClientId: odd },
      })
      expect(await store.recall(key, odd)).toEqual({ redemption: odd, outcome: odd, request: odd })
      await store.revokeIssuedBefore({ identity: odd, issuedBefore: now(), retainUntil: now() + 60 })
      expect(await store.find(key)).toMatchObject({ state: 'redeemed', familyRevoked: true })
    }))

  it('of a client are the same after those of many others', () => {
    const names = layout('epk:')
    const first = names.ofClient('a-client').entry('key')
    for (let i = 0; i < 5_000; i += 1) names.ofClient(`client-${i}`)
    expect(names.ofClient('a-client').entry('key')).toBe(first)
    expect(first).toBe('epk:{37/64}:key:a-client:key')
  })

  it('are refused where UTF-8 would make one of two', () =>
    withStore(server, async (store) => {
      for (const part of ['clientId', 'jti', 'subject', 'audience']) {
        await expect(store.record(keyFor('key', { [part]: '\ud800' }), PLENTY)).rejects.toThrow(URIError)
      }
      await expect(store.useOnce('\udfff', now() + 60)).rejects.toThrow(URIError)
      await expect(store.revokeIssuedBefore({ ...later(), identity: '\ud800' })).rejects.toThrow(URIError)
      expect(await server.cli('DBSIZE')).toBe('0')
    }))
})

describe('a process whose clock is hours ahead', () => {
  const ahead = () => Date.now() + 5 * 3_600_000

  it('ends no revocation and no lock of the others', () =>
    withStore(server, async (store) => {
      const key = keyFor('a-jti')
      await store.record(key, PLENTY)
      await store.revokeIssuedBefore({ issuedBefore: now(), retainUntil: now() + 60 })
      await store.lock(lockFor('a-client', now()))
      await withStore(
        server,
        async (other) => {
          const [issuedBefore, retainUntil] = [ahead() / 1000, ahead() / 1000 + 60]
          await other.revokeIssuedBefore({ identity: 'another', issuedBefore, retainUntil })
          await other.lock(lockFor('another', ahead() / 1000))
        },
        { now: ahead },
      )
      expect(await store.find(key)).toMatchObject({ state: 'revoked', lock: { clientId: 'a-client' } })
      expect(await store.redeem(key, 'one')).toBe('revoked')
    }))
})

function lockFor(clientId: string, lockedAt: number) {
  const words = { kind: 'lock', reason: 'stolen', author: 'operator' } as const
  return { clientId, ...words, lockedAt, until: lockedAt + 600 }
}
