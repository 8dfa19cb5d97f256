import { inspect } from 'node:util'
import { ConfigurationError } from '../../lib/core/errors.js'
import {
  type RedisStore,
  type RedisStoreOptions,
  redisStore,
  type SendCommand,
} from '../../lib/stores/redis.js'
import { SCRIPTS } from '../../lib/stores/redis-scripts.js'
import { readText } from '../docs/markdown'
import { keyFor, PLENTY, withStore } from '../support/redis/bench'
import { CLIENTS } from '../support/redis/clients'
import { pause, type RedisServer, startRedis } from '../support/redis/servers'

const now = () => Date.now() / 1000
const later = () => ({ issuedBefore: 0, retainUntil: now() + 60 })

/** Every verb once, on a key that lets it. */
const EVERY_VERB: Record<string, (store: RedisStore) => Promise<unknown>> = {
  record: (store) => store.record(keyFor('key'), PLENTY),
  find: (store) => store.find(keyFor('key')),
  redeem: (store) => store.redeem(keyFor('key'), 'one'),
  release: (store) => store.release(keyFor('key'), 'one'),
  redeemAgain: (store) => store.redeem(keyFor('key'), 'two'),
  settle: (store) => store.settle(keyFor('key'), 'two', now() + 120),
  revokeFamily: (store) => store.revokeFamily(keyFor('key')),
  recordOther: (store) => store.record(keyFor('other'), PLENTY),
  revoke: (store) => store.revoke(keyFor('other')),
  useOnce: (store) => store.useOnce('a-proof', now() + 60),
  revokeIssuedBefore: (store) => store.revokeIssuedBefore({ ...later(), issuedBefore: 1 }),
}

const SUCCESS = [
  'recorded',
  expect.objectContaining({ state: 'issued' }),
  ...['claimed', 'released', 'claimed', 'settled', 'revoked', 'recorded', 'revoked', 'first', 'revoked'],
]

async function everyVerb(store: RedisStore): Promise<unknown[]> {
  const answers: unknown[] = []
  for (const act of Object.values(EVERY_VERB)) answers.push(await act(store))
  return answers
}

let server: RedisServer
beforeAll(async () => {
  server = await startRedis()
})
beforeEach(() => server.cli('FLUSHALL'))
afterAll(() => server?.close())

describe('options of redisStore', () => {
  const sendCommand = async () => undefined
  const faultsOf = (options: object) => {
    try {
      redisStore(options as RedisStoreOptions)
      return []
    } catch (error) {
      return error instanceof ConfigurationError ? error.faults : [`${error}`]
    }
  }

  it('are told wrong all at once', () => {
    expect(
      faultsOf({ prefix: '{a}', timeoutSeconds: 0, minReplicas: 1.5, accept: ['losses'], timeout: 2 }),
    ).toEqual([
      expect.stringMatching(/^timeout: expected one of sendCommand, .*, got an unknown name$/),
      'sendCommand: expected a function, got undefined',
      'prefix: expected at most 64 visible ASCII characters without braces, got "{a}"',
      'timeoutSeconds: expected a number of seconds from 0.01 to 60, got 0',
      'minReplicas: expected an integer from 0 to 10, got 1.5',
      'accept: expected a list of persistence, eviction, unchecked, got ["losses"]',
    ])
    expect(faultsOf(undefined as unknown as object)).toHaveLength(1)
  })

  for (const wrong of [
    ...['', 'a b', 'x'.repeat(65), 'é'].slice(1).map((prefix) => ({ prefix })),
    ...[Number.NaN, 61, '2', Number.POSITIVE_INFINITY].map((timeoutSeconds) => ({ timeoutSeconds })),
    ...[63, 1e9, 1.5].map((maxPending) => ({ maxPending })),
    ...[59, Number.NaN].map((maxRetentionSeconds) => ({ maxRetentionSeconds })),
    ...[{ now: 0 }, { advise: 'x' }, { accept: 'eviction' }, { minReplicas: -1 }],
  ]) {
    it(`refuse ${inspect(wrong, { breakLength: Infinity }).slice(0, 60)}`, () => {
      expect(faultsOf({ sendCommand, ...wrong })).toHaveLength(1)
    })
  }

  it('may be left undefined, and are then the defaults', () => {
    expect(faultsOf({ sendCommand, prefix: undefined, accept: undefined })).toEqual([])
    expect(faultsOf({ sendCommand, prefix: '' })).toEqual([])
  })
})

describe('what redisStore leaves in Redis', () => {
  it('is named by ids, expires soon after its time, and holds nothing else of the record', () =>
    withStore(server, async (store) => {
      const key = { ...keyFor('a-jti', { confirmation: { jkt: 'a-thumbprint' } }), key: 'eyJ.secret.x' }
      await store.record(key, PLENTY)
      await store.redeem(key, 'an-attempt')
      await store.useOnce('a:{proof}', now() + 60)
      const names = (await server.cli('--scan')).split('\n').sort()
      expect(names).toEqual([
        'epk:once:a%3A%7Bproof%7D',
        'epk:{37/64}:key:a-client:a-jti',
        'epk:{37/64}:open:a-client',
      ])
      const [, entry = '', open = ''] = names
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
        call: expect.stringMatching(/^[\w-]{12}\.\w+$/),
      })
      expect(await server.cli('ZRANGE', open, '0', '-1')).toBe(`${key.issuedAt}:a-jti:device:7`)
      for (const name of names) {
        const seconds = Number(await server.cli('PTTL', name)) / 1000
        expect(seconds).toBeGreaterThan(65)
        expect(seconds).toBeLessThan(76)
      }
    }))

  it('goes by itself after each verb, watermarks too', () =>
    withStore(server, async (store) => {
      await everyVerb(store)
      await store.revokeIssuedBefore({ ...later(), identity: 'a-client' })
      // At its limit, so that the client's keys are looked through.
      await store.record(keyFor('late', { issuedAt: 5 }), { outstanding: 0 })
      const names = (await server.cli('--scan')).split('\n')
      expect(names.filter((name) => name.endsWith('revoked'))).toHaveLength(64)
      const lasting = await Promise.all(
        names.map(async (name) => [name, Number(await server.cli('TTL', name))]),
      )
      expect(lasting.filter(([, seconds]) => !(Number(seconds) > 0 && Number(seconds) < 14_412))).toEqual([])
      await server.cli('SCRIPT', 'FLUSH')
    }))

  it('is forgotten by the watermarks when its time is over', () => {
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
          expect(await one.redeem(keyFor('key'), 'one')).toBe('claimed')
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
        expect(await store.find(key)).toEqual({ ...key, state: 'issued', familyRevoked: false })
        clock.seconds = 5e9 + 10.251
        expect(await store.redeem(key, 'one')).toBe('unknown')
      },
      { now: () => clock.seconds * 1000 },
    )
  })

  it('passes for real as well', () =>
    withStore(server, async (store) => {
      const key = keyFor('key', { retainUntil: now() + 1 })
      await store.record(key, PLENTY)
      const answer = await store.redeem(key, 'one')
      // Unless the machine was so busy that the time was over by then.
      if (now() < key.retainUntil) expect(answer).toBe('claimed')
      while (now() <= key.retainUntil) await pause(20)
      expect(await store.settle(key, 'one', now() + 60)).toBe('unknown')
    }))

  it('that is past, or too far off to be covered by a watermark, is refused before anything is sent', async () => {
    const sent: unknown[] = []
    const store = redisStore({ sendCommand: async (command) => sent.push(command), maxRetentionSeconds: 60 })
    const refused = [
      store.record(keyFor('key', { retainUntil: now() }), PLENTY),
      store.record(keyFor('key', { retainUntil: now() + 61 }), PLENTY),
      store.record(keyFor('key', { issuedAt: Number.NaN, retainUntil: now() + 30 }), PLENTY),
      store.settle(keyFor('key'), 'one', now() + 61),
      store.settle(keyFor('key'), 'one', Number.POSITIVE_INFINITY),
      store.useOnce('id', now()),
      store.revokeIssuedBefore({ issuedBefore: 1, retainUntil: now() }),
    ]
    for (const one of refused) await expect(one).rejects.toThrow(RangeError)
    expect(sent).toEqual([])
  })

  it('is not told by a clock that tells none', () =>
    withStore(
      server,
      async (store) => {
        for (const act of Object.values(EVERY_VERB)) {
          await expect(act(store)).rejects.toThrow('now: expected a time in milliseconds, got NaN')
        }
      },
      { now: () => Number.NaN },
    ))
})

describe('a client at its limit', () => {
  it('gets back the places of one watermark, and then those of the next', () =>
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

for (const [name, connect] of Object.entries(CLIENTS)) {
  describe(`scripts of redisStore by ${name}`, () => {
    it('are made known to a Redis that does not know them, and again when it has forgotten them', () =>
      withStore(
        server,
        async (store) => {
          await server.cli('SCRIPT', 'FLUSH')
          expect(await everyVerb(store)).toEqual(SUCCESS)
          await server.cli('FLUSHALL')
          await server.cli('SCRIPT', 'FLUSH')
          expect(await everyVerb(store)).toEqual(SUCCESS)
          const known = await server.cli('SCRIPT', 'EXISTS', ...Object.values(SCRIPTS).map(({ sha }) => sha))
          expect(known.split('\n')).toEqual(Array(9).fill('1'))
        },
        {},
        connect,
      ))
  })
}

describe('a user of Redis as docs/redis.md makes one', () => {
  it('may do what the store does, and touch nothing else', async () => {
    const [, rules = ''] = /`ACL SETUSER provisioning ([^`]+)`/.exec(readText('docs/redis.md')) ?? []
    const words = rules.split(/\s+/).filter((rule) => rule !== '')
    await server.cli('ACL', 'SETUSER', 'provisioning', ...words)
    const client = await CLIENTS.ioredis({
      ...server,
      url: server.url.replace('redis://', 'redis://provisioning:secret@'),
    })
    try {
      const store = redisStore({ sendCommand: client.sendCommand, minReplicas: 0 })
      expect(await everyVerb(store)).toEqual(SUCCESS)
      expect(await store.check()).toEqual([])
      expect(await client.sendCommand(['WAIT', '0', '1'])).toBe(0)
      await expect(client.sendCommand(['GET', 'other:key'])).rejects.toThrow('NOPERM')
      await expect(client.sendCommand(['FLUSHALL'])).rejects.toThrow('NOPERM')
    } finally {
      await client.close()
      await server.cli('ACL', 'DELUSER', 'provisioning')
    }
  })
})

describe('a command that is sent twice', () => {
  it('is answered as if it had been sent once, whatever the verb', async () => {
    const client = await CLIENTS.ioredis(server)
    const twice: SendCommand = async (command, key) => {
      await client.sendCommand(command, key)
      return client.sendCommand(command, key)
    }
    try {
      expect(await everyVerb(redisStore({ sendCommand: twice, accept: ['persistence'] }))).toEqual(SUCCESS)
    } finally {
      await client.close()
    }
  })

  it('counts nothing twice', () =>
    withStore(server, async (store) => {
      await store.record(keyFor('a'), { outstanding: 2 })
      expect(await store.record(keyFor('b'), { outstanding: 2 })).toBe('recorded')
      expect(await store.record(keyFor('c'), { outstanding: 2 })).toBe('outstanding')
    }))
})

describe('an answer that is none of the verb', () => {
  for (const nonsense of [undefined, null, 'OK', 'QUEUED', 'claimed!', 1, [], {}, ['claimed']]) {
    it(`rejects: ${inspect(nonsense)}`, async () => {
      const store = redisStore({ sendCommand: async () => nonsense, advise: () => undefined })
      const { find, ...verbs } = EVERY_VERB
      const isClaim = Array.isArray(nonsense) && nonsense[0] === 'claimed'
      for (const [name, act] of Object.entries(verbs)) {
        if (isClaim && name.startsWith('redeem')) continue
        await expect(act(store)).rejects.toThrow('Redis: expected one of')
      }
      if (!Array.isArray(nonsense) || nonsense.length > 0)
        await expect(find?.(store)).rejects.toThrow('Redis')
    })
  }
})
