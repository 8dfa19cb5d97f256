import { redisStore } from '../../lib/stores/redis/redis.js'
import { keyFor, PLENTY, withStore } from '../support/redis/bench'
import { type RedisServer, startRedis } from '../support/redis/servers'
import { itInAll } from '../support/scale.js'

let server: RedisServer
beforeAll(async () => {
  server = await startRedis()
})
beforeEach(() => server.cli('FLUSHALL'))
afterAll(() => server?.close())

const LIMITS = { outstanding: 10_000 }

/** The name of the sorted set of all keys of a part. */
async function listName(): Promise<string> {
  return server.cli('KEYS', 'epk:{??/64}:key')
}

describe('the list of keys in Redis', () => {
  it('has keys of one client in several scripts, each once', () =>
    withStore(server, async (store) => {
      const count = 700
      for (let i = 0; i < count; i += 1)
        await store.record(keyFor(`${i}`, { issuedAt: 1_000 + (i % 3) }), LIMITS)
      await store.revoke(keyFor('3'))
      for (const query of [{}, { clientId: 'a-client' }]) {
        const { keys, next } = await store.listKeys({ limit: 1_000, ...query })
        expect(new Set(keys.map(({ jti }) => jti)).size).toBe(count)
        expect(next).toBeUndefined()
        const revoked = await store.listKeys({ limit: 10, state: 'revoked', ...query })
        expect(revoked.keys.map(({ jti }) => jti)).toEqual(['3'])
        expect(revoked).not.toHaveProperty('next')
      }
      expect(await store.countKeys()).toMatchObject({ issued: count - 1, revoked: 1 })
    }))

  itInAll('loses the keys that are gone as new ones come', () =>
    withStore(server, async (store) => {
      for (let i = 0; i < 1_000; i += 1) await store.record(keyFor(`old-${i}`), LIMITS)
      const list = await listName()
      const [part] = list.split(':key')
      await server.cli(
        'EVAL',
        "for i = 0, 999 do redis.call('DEL', KEYS[1] .. i) end",
        '1',
        `${part}:key:a-client:old-`,
      )
      expect((await store.listKeys({ limit: 10 })).keys).toEqual([])
      for (let i = 0; i < 200; i += 1) await store.record(keyFor(`new-${i}`), LIMITS)
      expect(Number(await server.cli('ZCARD', list))).toBeLessThan(400)
      expect((await store.listKeys({ limit: 1_000 })).keys).toHaveLength(200)
    }),
  )

  it('is kept as long as a settlement may keep the last key', () =>
    withStore(
      server,
      async (store) => {
        await store.record(keyFor('key'), PLENTY)
        const seconds = Number(await server.cli('TTL', await listName()))
        expect(seconds).toBeGreaterThan(65 + 3_720)
        expect(seconds).toBeLessThan(65 + 3_720 + 120)
      },
      { maxRetentionSeconds: 3_720 },
    ))

  it('rejects when one part does not answer', () =>
    withStore(server, async (store) => {
      await store.record(keyFor('key'), PLENTY)
      await server.cli('SET', 'epk:{07/64}:key', 'no sorted set')
      await expect(store.listKeys({ limit: 1 })).rejects.toThrow('WRONGTYPE')
      await expect(store.countKeys()).rejects.toThrow('WRONGTYPE')
    }))

  it('is read from at most eight parts at the same time', async () => {
    let waiting = 0
    let most = 0
    const sendCommand = async () => {
      waiting += 1
      most = Math.max(most, waiting)
      await new Promise((resolve) => setImmediate(resolve))
      waiting -= 1
      return ['', '', '0', '0', '0', '0', '0']
    }
    const store = redisStore({ sendCommand, advise: () => undefined })
    expect(await store.countKeys()).toMatchObject({ issued: 0 })
    expect(most).toBeLessThanOrEqual(9)
  })
})
