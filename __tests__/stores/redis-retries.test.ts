import { setTimeout as pause } from 'node:timers/promises'
import {
  type RedisStore,
  type RedisStoreOptions,
  redisStore,
  type SendCommand,
} from '../../lib/stores/redis/redis.js'
import { HELD, HOLDER, keyFor, OVER, PLENTY, until, withStore } from '../support/redis/bench'
import { CLIENTS } from '../support/redis/clients'
import { type RedisServer, startRedis } from '../support/redis/servers'

const ENTRY_NAME = 'epk:{37/64}:key:a-client:key'
const OTHERS = { ...OVER, ownerId: 'jkt:others' }
const key = keyFor('key')
const now = () => Date.now() / 1000

let server: RedisServer
beforeAll(async () => {
  server = await startRedis()
})
beforeEach(() => server.cli('FLUSHALL'))
afterAll(() => server?.close())

/** A store whose answers wait until the test releases them. */
async function withHeldAnswers(
  test: (held: RedisStore, letGo: () => void) => Promise<void>,
  options: Partial<RedisStoreOptions> = {},
): Promise<void> {
  const client = await CLIENTS.ioredis(server)
  let letGo = () => {}
  const hold = new Promise<void>((resolve) => {
    letGo = resolve
  })
  const slow: SendCommand = async (command, name) => {
    const answer = await client.sendCommand(command, name)
    await hold
    return answer
  }
  try {
    await test(redisStore({ sendCommand: slow, timeoutSeconds: 0.1, ...options }), letGo)
  } finally {
    await client.close()
  }
}

const fieldOf = (name: string) => server.cli('HGET', ENTRY_NAME, name)

describe('a claim that was taken over, and whose answer came too late', () => {
  it('goes back to its holder, who may have acted before, and to nobody else', () =>
    withStore(server, (store) =>
      withHeldAnswers(async (held, letGo) => {
        await store.record(key, PLENTY)
        expect(await store.redeem(key, 'one', OVER)).toBe('reserved')
        await expect(held.redeem(key, 'late', HELD)).rejects.toThrow('did not answer')
        expect(await store.redeem(key, 'two', HELD)).toBe('redeeming')
        letGo()
        await until(async () => (await fieldOf('lease')) === '0')
        expect(await store.find(key)).toMatchObject({ state: 'redeeming' })
        expect(await store.settle(key, 'late', now() + 60)).toBe('lost')
        expect(await store.settle(key, 'one', now() + 60)).toBe('lost')
        for (const other of [OTHERS, undefined])
          expect(await store.redeem(key, 'other', other)).toBe('redeeming')
        expect(await store.recall(key, HOLDER)).toEqual({ redemption: 'one' })
        expect(await store.redeem(key, 'two', HELD)).toBe('resumed')
        expect(await store.recall(key, HOLDER)).toEqual({ redemption: 'one' })
        expect(await store.settle(key, 'two', now() + 60, { outcome: 'sealed' })).toBe('settled')
        expect(await store.recall(key, HOLDER)).toEqual({ redemption: 'one', outcome: 'sealed' })
      }),
    ))

  it('is not taken from its new owner', () =>
    withStore(server, (store) =>
      withHeldAnswers(async (held, letGo) => {
        await store.record(key, PLENTY)
        await store.redeem(key, 'one', OVER)
        await expect(held.redeem(key, 'late', OVER)).rejects.toThrow('did not answer')
        expect(await store.redeem(key, 'late', HELD)).toBe('resumed')
        letGo()
        await pause(100)
        expect(await fieldOf('lease')).not.toBe('0')
        expect(await store.settle(key, 'late', now() + 60)).toBe('settled')
      }),
    ))

  it('is issued again after its first reservation, with or without owner', () =>
    withStore(server, (store) =>
      withHeldAnswers(async (held, letGo) => {
        await store.record(key, PLENTY)
        await expect(held.redeem(key, 'late', HELD)).rejects.toThrow('did not answer')
        letGo()
        await until(async () => (await store.find(key))?.state === 'issued')
        expect(await store.recall(key, HOLDER)).toBeUndefined()
        const left = (await server.cli('HMGET', ENTRY_NAME, 'attempt', 'owner', 'lease')).trim()
        expect(left).toBe('')
        expect(await store.redeem(key, 'other', OTHERS)).toBe('reserved')
      }),
    ))

  it('goes back as well when the connection breaks before the answer comes', () =>
    withStore(server, async (store) => {
      const client = await CLIENTS['node-redis'](server)
      const sendCommand: SendCommand = async (command, name) => {
        const answer = await client.sendCommand(command, name)
        if (answer === 'resumed') throw new Error('Connection is closed.')
        return answer
      }
      await store.record(key, PLENTY)
      await store.redeem(key, 'one', OVER)
      const breaking = redisStore({ sendCommand }).redeem(key, 'late', HELD)
      await expect(breaking).rejects.toThrow('Connection is closed.')
      await until(async () => (await store.redeem(key, 'two', HELD)) === 'resumed')
      await client.close()
    }))
})

describe('a settlement whose answer came too late', () => {
  it('stays, and its holder is told the outcome', () =>
    withStore(server, (store) =>
      withHeldAnswers(async (held, letGo) => {
        await store.record(key, PLENTY)
        await store.redeem(key, 'one', HELD)
        const settling = held.settle(key, 'one', now() + 60, { outcome: 'sealed' })
        await expect(settling).rejects.toThrow('did not answer')
        letGo()
        expect(await store.recall(key, HOLDER)).toEqual({ redemption: 'one', outcome: 'sealed' })
      }),
    ))
})
