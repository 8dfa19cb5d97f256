import { setTimeout as pause } from 'node:timers/promises'
import { redisStore, type SendCommand } from '../../lib/stores/redis/redis.js'
import {
  HOLDER,
  keyFor,
  OVER,
  PLENTY,
  rejection,
  stateOf,
  until,
  withServer,
  withStore,
} from '../support/redis/bench'
import { CLIENTS } from '../support/redis/clients'
import { startRedis } from '../support/redis/servers'
import { sampled } from '../support/scale'

const now = () => Date.now() / 1000

for (const [name, connect] of sampled(Object.entries(CLIENTS), () => 'a library')) {
  describe(`a Redis that does not answer, by ${name}`, () => {
    it('is given up in time, is not asked for more than it may owe, and is back by itself', () =>
      withServer([], (server) =>
        withStore(
          server,
          async (store) => {
            await store.record(keyFor('key'), PLENTY)
            server.signal('SIGSTOP')
            const waiting = Array.from({ length: 64 }, (_, i) => rejection(store.find(keyFor(`${i}`))))
            const refused = await rejection(store.useOnce('proof', now() + 60))
            expect(refused.message).toBe('Redis has not answered 64 earlier calls')
            expect(refused.seconds).toBeLessThan(1)
            for (const { message, seconds } of await Promise.all(waiting)) {
              expect(message).toBe('Redis did not answer within 1 s')
              expect(seconds).toBeLessThan(3)
            }
            const stillRefused = await rejection(store.find(keyFor('key')))
            expect(stillRefused.message).toBe('Redis has not answered 64 earlier calls')
            server.signal('SIGCONT')
            await until(async () => (await stateOf(store, 'key').catch(() => '')) === 'issued')
          },
          { timeoutSeconds: 1, maxPending: 64 },
          connect,
        ),
      ))

    it('gives back a claim that it makes too late, so that the key can be redeemed', () =>
      withServer([], (server) =>
        withStore(
          server,
          async (store) => {
            await store.record(keyFor('key'), PLENTY)
            server.signal('SIGSTOP')
            const { message } = await rejection(store.redeem(keyFor('key'), 'one'))
            expect(message).toBe('Redis did not answer within 1 s')
            server.signal('SIGCONT')
            await until(async () => (await store.redeem(keyFor('key'), 'two')) === 'reserved')
            expect(await store.settle(keyFor('key'), 'one', now() + 60)).toBe('lost')
            expect(await store.settle(keyFor('key'), 'two', now() + 60)).toBe('settled')
          },
          { timeoutSeconds: 1 },
          connect,
        ),
      ))

    it('redeems, if it settles too late, a key that nobody can redeem again', () =>
      withServer([], (server) =>
        withStore(
          server,
          async (store) => {
            await store.record(keyFor('key'), PLENTY)
            await store.redeem(keyFor('key'), 'one')
            server.signal('SIGSTOP')
            await rejection(store.settle(keyFor('key'), 'one', now() + 60))
            server.signal('SIGCONT')
            await until(async () => (await stateOf(store, 'key')) === 'redeemed')
            expect(await store.redeem(keyFor('key'), 'two')).toBe('redeemed')
          },
          { timeoutSeconds: 1 },
          connect,
        ),
      ))

    it('knows no key when it is killed and comes back, and serves again', async () => {
      const first = await startRedis()
      await withStore(
        first,
        async (store) => {
          await store.record(keyFor('key'), PLENTY)
          await store.record(keyFor('redeemed'), PLENTY)
          await store.redeem(keyFor('redeemed'), 'one', OVER)
          await store.settle(keyFor('redeemed'), 'one', now() + 60, { outcome: 'sealed' })
          await first.close()
          const { seconds } = await rejection(store.redeem(keyFor('key'), 'one'))
          expect(seconds).toBeLessThan(3)
          const second = await startRedis([], first.port)
          try {
            await until(async () => (await stateOf(store, 'key').catch(() => 'down')) === undefined)
            expect(await store.redeem(keyFor('key'), 'one')).toBe('unknown')
            expect(await store.redeem(keyFor('redeemed'), 'two', OVER)).toBe('unknown')
            expect(await store.recall(keyFor('redeemed'), HOLDER)).toBeUndefined()
            expect(await store.record(keyFor('key'), PLENTY)).toBe('recorded')
          } finally {
            await second.close()
          }
        },
        { timeoutSeconds: 0.5 },
        connect,
      )
    })
  })
}

describe('a late claim that is given back', () => {
  it('is not taken from a later call of the same attempt', () =>
    withServer([], (server) =>
      withStore(server, async (store, _advice) => {
        const client = await CLIENTS.ioredis(server)
        let hold = Promise.resolve()
        const slow: SendCommand = async (command, key) => {
          const answer = await client.sendCommand(command, key)
          await hold
          return answer
        }
        const held = redisStore({ sendCommand: slow, timeoutSeconds: 0.1, accept: ['persistence'] })
        await store.record(keyFor('key'), PLENTY)
        let letGo = () => {}
        hold = new Promise((resolve) => {
          letGo = resolve
        })
        expect((await rejection(held.redeem(keyFor('key'), 'one'))).message).toMatch('did not answer')
        await store.release(keyFor('key'), 'one')
        expect(await store.redeem(keyFor('key'), 'one')).toBe('reserved')
        letGo()
        await pause(100)
        expect(await stateOf(store, 'key')).toBe('redeeming')
        await client.close()
      }),
    ))

  it('is given back when the connection breaks before the answer comes', () =>
    withServer([], (server) =>
      withStore(server, async (store) => {
        const client = await CLIENTS.ioredis(server)
        const broken: SendCommand = async (command, key) => {
          const answer = await client.sendCommand(command, key)
          if (answer === 'reserved') throw new Error('Connection is closed.')
          return answer
        }
        const breaking = redisStore({ sendCommand: broken })
        await store.record(keyFor('key'), PLENTY)
        await expect(breaking.redeem(keyFor('key'), 'one')).rejects.toThrow('Connection is closed.')
        await until(async () => (await stateOf(store, 'key')) === 'issued')
        await client.close()
      }),
    ))
})

describe('a Redis at its maxmemory', () => {
  it('takes no new key and no new proof, loses none, and lets every key be redeemed and revoked', () =>
    withServer([], (server) =>
      withStore(server, async (store) => {
        for (const jti of ['redeemed', 'released', 'revoked', 'covered', 'family']) {
          await store.record(keyFor(jti, jti === 'covered' ? { subject: 'lost' } : {}), PLENTY)
        }
        await store.redeem(keyFor('family'), 'one')
        await store.settle(keyFor('family'), 'one', now() + 60)
        await store.useOnce('proof', now() + 60)
        // Less than an empty server needs.
        await server.cli('CONFIG', 'SET', 'maxmemory', '500000')
        expect(await store.record(keyFor('late'), PLENTY)).toBe('full')
        expect(await store.record(keyFor('redeemed'), PLENTY)).toBe('duplicate')
        expect(await store.find(keyFor('late'))).toBeUndefined()
        expect([await store.useOnce('late', now() + 60), await store.useOnce('proof', now() + 60)]).toEqual([
          'full',
          'used',
        ])
        expect(await store.redeem(keyFor('redeemed'), 'one')).toBe('reserved')
        expect(await store.settle(keyFor('redeemed'), 'one', now() + 120)).toBe('settled')
        expect(await store.redeem(keyFor('released'), 'one')).toBe('reserved')
        expect(await store.release(keyFor('released'), 'one')).toBe('released')
        expect(await store.revoke(keyFor('revoked'))).toBe('revoked')
        expect(await store.revokeFamily(keyFor('family'))).toBe('revoked')
        const bound = { identity: 'lost', issuedBefore: now(), retainUntil: now() + 60 }
        expect(await store.revokeIssuedBefore(bound)).toBe('revoked')
        expect(await store.redeem(keyFor('covered'), 'one')).toBe('revoked')
        expect(await store.record(keyFor('late'), PLENTY)).toBe('full')
        await server.cli('CONFIG', 'SET', 'maxmemory', '0')
        expect(await store.record(keyFor('late'), PLENTY)).toBe('recorded')
      }),
    ))
})

describe('a Redis that takes no writes', () => {
  it('rejects them, and is not said to be full', () =>
    withServer(['--min-replicas-to-write', '1'], (server) =>
      withStore(server, async (store) => {
        expect(await store.find(keyFor('key'))).toBeUndefined()
        await expect(store.record(keyFor('key'), PLENTY)).rejects.toThrow('NOREPLICAS')
        await expect(store.useOnce('proof', now() + 60)).rejects.toThrow('NOREPLICAS')
        await expect(store.revokeIssuedBefore({ issuedBefore: 1, retainUntil: now() + 60 })).rejects.toThrow()
      }),
    ))
})
