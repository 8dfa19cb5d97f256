import { inspect } from 'node:util'
import { RedisStore as RedisLimits } from 'rate-limit-redis'
import type { Finding } from '../../lib/ports/monitoring-store.js'
import { type RedisStore, redisStore, type SendCommand } from '../../lib/stores/redis/redis.js'
import { SCRIPTS } from '../../lib/stores/redis/redis-scripts.js'
import { readText } from '../docs/markdown'
import { HELD, HOLDER, keyFor, OVER, PATIENCE_SECONDS, PLENTY, withStore } from '../support/redis/bench'
import { CLIENTS } from '../support/redis/clients'
import { EVERY_VERB, everyVerb, READING, SUCCESS } from '../support/redis/every-verb'
import { type RedisServer, startRedis } from '../support/redis/servers'

let server: RedisServer
beforeAll(async () => {
  server = await startRedis()
})
beforeEach(() => server.cli('FLUSHALL'))
afterAll(() => server?.close())

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
          expect(known.split('\n')).toEqual(Array(25).fill('1'))
        },
        {},
        connect,
      ))
  })
}

/** The rules of an ACL that docs/operations/redis.md writes after some words. */
function documentedRules(before: string): string[] {
  const [, rules = ''] = new RegExp(`${before}([^\`]+)\``).exec(readText('docs/operations/redis.md')) ?? []
  return rules.split(/\s+/).filter((rule) => rule !== '')
}

describe('a user of Redis as docs/operations/redis.md makes one', () => {
  const connectAsUser = () =>
    CLIENTS.ioredis({ ...server, url: server.url.replace('redis://', 'redis://provisioning:secret@') })
  beforeEach(() =>
    server.cli('ACL', 'SETUSER', 'provisioning', 'reset', ...documentedRules('`ACL SETUSER provisioning ')),
  )
  afterEach(() => server.cli('ACL', 'DELUSER', 'provisioning'))

  it('may count requests for rate limits after the further rules, and not before', async () => {
    const client = await connectAsUser()
    const count = async () => {
      const sendCommand = ([name = '', ...args]: string[]) => client.sendCommand([name, ...args])
      const limits = new RedisLimits({
        prefix: 'epk:limit:token-address:',
        sendCommand: (...command) => sendCommand(command) as Promise<number>,
      })
      await limits.init({ windowMs: 60_000 } as Parameters<typeof limits.init>[0])
      await limits.increment('a')
      return limits.increment('a')
    }
    try {
      await expect(count()).rejects.toThrow('NOPERM')
      await server.cli('ACL', 'SETUSER', 'provisioning', ...documentedRules('`rate-limit-redis`:\\s+`'))
      expect(await count()).toMatchObject({ totalHits: 2 })
    } finally {
      await client.close()
    }
  })

  it('may do what the store does, and touch nothing else', async () => {
    const client = await connectAsUser()
    try {
      const store = redisStore({
        sendCommand: client.sendCommand,
        minReplicas: 0,
        timeoutSeconds: PATIENCE_SECONDS,
      })
      expect(await everyVerb(store)).toEqual(SUCCESS)
      expect(await store.check()).toEqual([])
      expect(await client.sendCommand(['WAIT', '0', '1'])).toBe(0)
      await expect(client.sendCommand(['GET', 'other:key'])).rejects.toThrow('NOPERM')
      await expect(client.sendCommand(['FLUSHALL'])).rejects.toThrow('NOPERM')
    } finally {
      await client.close()
    }
  })
})

const finding: Finding = {
  ...{ id: 'one', rule: 'replay', severity: 'high', evidence: 'bound', subject: 'client:a', count: 1 },
  ...{ firstAt: 1_700_000_000.123, lastAt: 1_700_000_000.456, samples: [], actions: [], until: 9e9 },
}

/** A store that sends every command twice, like a client that has lost the first answer. */
async function withTwice(test: (store: RedisStore) => Promise<void>): Promise<void> {
  const client = await CLIENTS.ioredis(server)
  const sendCommand: SendCommand = async (command, key) => {
    await client.sendCommand(command, key)
    return client.sendCommand(command, key)
  }
  await test(redisStore({ sendCommand, timeoutSeconds: PATIENCE_SECONDS })).finally(client.close)
}

describe('a command that is sent twice', () => {
  it('is answered as if it had been sent once, whatever the verb', () =>
    withTwice(async (store) => {
      expect(await everyVerb(store)).toEqual(SUCCESS)
    }))

  it('counts nothing twice', () =>
    withTwice(async (store) => {
      const [a, b, c] = ['a', 'b', 'c'].map((jti) => store.record(keyFor(jti), { outstanding: 2 }))
      expect([await a, await b, await c]).toEqual(['recorded', 'recorded', 'outstanding'])
    }))

  it('counts a report of a finding once, also if another report comes in between', async () => {
    const client = await CLIENTS.ioredis(server)
    const between: (() => Promise<unknown>)[] = []
    const sendCommand: SendCommand = async (command, key) => {
      await client.sendCommand(command, key)
      if (command[0] !== 'CONFIG' && command[0] !== 'INFO') await between.pop()?.()
      return client.sendCommand(command, key)
    }
    await withStore(server, async (other) => {
      const store = redisStore({ sendCommand, timeoutSeconds: PATIENCE_SECONDS })
      between.push(() => other.noteFinding(finding))
      expect(await store.noteFinding(finding)).toMatchObject({ finding: { count: 2 }, isOpened: true })
      between.push(() => other.noteFinding(finding))
      expect(await store.noteFinding(finding)).toMatchObject({ finding: { count: 4 }, isOpened: false })
      expect(await store.findings()).toEqual([{ ...finding, count: 4 }])
    }).finally(client.close)
  })

  it('takes over a reservation once, and later calls learn that it is taken', () =>
    withTwice(async (store) => {
      await store.record(keyFor('key'), PLENTY)
      expect(await store.redeem(keyFor('key'), 'one', OVER)).toBe('reserved')
      expect(await store.redeem(keyFor('key'), 'one', OVER)).toBe('resumed')
      expect(await store.redeem(keyFor('key'), 'two', HELD)).toBe('resumed')
      expect(await store.redeem(keyFor('key'), 'two', HELD)).toBe('redeeming')
      expect(await store.recall(keyFor('key'), HOLDER)).toEqual({ redemption: 'one' })
    }))
})

describe('an answer that is none of the verb', () => {
  for (const nonsense of [undefined, null, 'OK', 'QUEUED', 'claimed!', 1, [], {}, ['reserved']]) {
    it(`rejects: ${inspect(nonsense)}`, async () => {
      const store = redisStore({ sendCommand: async () => nonsense, advise: () => undefined })
      const { find, recall, locks, noteFinding, findings, lastUses, unusedSince } = EVERY_VERB
      const { listKeys, countKeys, listUses } = EVERY_VERB
      const isList = Array.isArray(nonsense)
      for (const [name, act] of Object.entries(EVERY_VERB)) {
        if (READING.includes(name)) continue
        if (isList && nonsense[0] === 'reserved' && name.startsWith('redeem')) continue
        await expect(act(store)).rejects.toThrow('Redis: expected one of')
      }
      if (!isList || nonsense.length > 0) await expect(find?.(store)).rejects.toThrow('Redis')
      for (const act of [listKeys, countKeys, listUses])
        await expect(act?.(store)).rejects.toThrow('Redis: expected a')
      if (!isList) await expect(recall?.(store)).rejects.toThrow('Redis: expected a list')
      await expect(noteFinding?.(store)).rejects.toThrow('Redis: expected an object')
      for (const act of [locks, findings, lastUses, unusedSince])
        if (!isList || nonsense.length > 0) await expect(act?.(store)).rejects.toThrow('Redis: expected a')
    })
  }
})
