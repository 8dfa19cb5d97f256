import type { Finding, Lock } from '../../lib/ports/monitoring-store.js'
import { redisStore, type SendCommand } from '../../lib/stores/redis/redis.js'
import { layout } from '../../lib/stores/redis/redis-layout.js'
import { keyFor, PATIENCE_SECONDS, PLENTY, withStore } from '../support/redis/bench'
import { CLIENTS } from '../support/redis/clients'
import { type RedisServer, startRedis } from '../support/redis/servers'

const now = () => Math.floor(Date.now() / 1000)
const NAMES = layout('epk:')

function lockOf(clientId: string, differences: Partial<Lock> = {}): Lock {
  const words = { kind: 'lock', reason: 'stolen', author: 'operator' } as const
  return { clientId, ...words, lockedAt: now(), until: now() + 60, ...differences }
}

function findingOf(id: string, differences: Partial<Finding> = {}): Finding {
  const words = { rule: 'replay', severity: 'high', evidence: 'bound', subject: 'client:a' } as const
  const times = { firstAt: now(), lastAt: now(), until: now() + 60 }
  return { id, ...words, count: 1, ...times, samples: [], actions: [], ...differences }
}

let server: RedisServer
beforeAll(async () => {
  server = await startRedis()
})
beforeEach(async () => {
  await server.cli('CONFIG', 'SET', 'maxmemory', '0')
  await server.cli('FLUSHALL')
})
afterAll(() => server?.close())

describe('two processes over one Redis', () => {
  it('see the same locks at the next call, by different client libraries', () =>
    withStore(server, (one) =>
      withStore(
        server,
        async (other) => {
          await one.record(keyFor('key'), PLENTY)
          const lock = lockOf('device:7')
          expect(await one.lock(lock)).toBe('locked')
          expect((await other.find(keyFor('key')))?.lock).toEqual(lock)
          expect(await other.record(keyFor('next'), PLENTY)).toBe('locked')
          expect(await other.locks()).toEqual([lock])
          expect(await other.unlock('device:7')).toBe('unlocked')
          expect(await one.find(keyFor('key'))).not.toHaveProperty('lock')
          expect(await one.record(keyFor('next'), PLENTY)).toBe('recorded')
        },
        {},
        CLIENTS.ioredis,
      ),
    ))

  it('add their reports to one finding', () =>
    withStore(server, (one) =>
      withStore(server, async (other) => {
        const reports = Array.from({ length: 100 }, (_, i) =>
          (i % 2 === 0 ? one : other).noteFinding(findingOf('id')),
        )
        const noted = await Promise.all(reports)
        expect(noted.filter(({ isOpened }) => isOpened)).toHaveLength(1)
        expect(await one.findings()).toEqual(await other.findings())
        expect((await one.findings())[0]?.count).toBe(100)
      }),
    ))
})

describe('locks in Redis', () => {
  it('are in all parts, so that each part refuses the keys of the identity', () =>
    withStore(server, async (store) => {
      const lock = lockOf('device:7')
      await store.lock(lock)
      for (const [notBefore] of NAMES.allNotBefore) {
        const text = await server.cli('HGET', notBefore, 'lock=device:7')
        expect(text).toMatch(/^\d+\n/)
        expect(text.split('\n')[1]).toBe(`3 ${lock.until} ${JSON.stringify(lock)}`)
      }
      const clients = Array.from({ length: 100 }, (_, i) => keyFor('key', { clientId: `client-${i}` }))
      const answers = await Promise.all(clients.map((key) => store.record(key, PLENTY)))
      expect(new Set(answers)).toEqual(new Set(['locked']))
    }))

  it('leave nothing that stays for good, and do not end the times of revokeIssuedBefore', () =>
    withStore(server, async (store) => {
      await store.revokeIssuedBefore({ identity: 'other', issuedBefore: 1, retainUntil: now() + 60 })
      await store.lock(lockOf('device:7', { until: now() + 20_000 }))
      await store.lock(lockOf('brief', { until: now() + 5 }))
      await store.unlock('device:7')
      for (const name of NAMES.allNotBefore.flat().slice(0, 6)) {
        const seconds = Number(await server.cli('TTL', name))
        expect(name.endsWith('locked') ? seconds : seconds > 19_000).toBeTruthy()
      }
      const fields = (await server.cli('HKEYS', 'epk:{00/64}:revoked')).split('\n')
      expect(fields.sort()).toEqual(['#', '=other', 'lock#', 'lock=brief'])
    }))

  it('go with their ends when another lock comes', () => {
    const clock = { seconds: 1_700_000_000 }
    const at = (clientId: string) => lockOf(clientId, { lockedAt: clock.seconds, until: clock.seconds + 60 })
    return withStore(
      server,
      async (store) => {
        await store.lock(at('first'))
        clock.seconds += 61
        await store.lock(at('second'))
        expect(await server.cli('HKEYS', 'epk:{63/64}:revoked')).toBe('lock=second')
        expect(await server.cli('ZRANGE', 'epk:{63/64}:locked', '0', '-1')).toBe('second')
      },
      { now: () => clock.seconds * 1000 },
    )
  })

  it('are at most 10,000, and one more changes nothing in any part', () =>
    withStore(server, async (store) => {
      const fill = `for i = 1, 10000 do redis.call('ZADD', KEYS[1], ARGV[1], 'client-' .. i) end`
      await server.cli('EVAL', fill, '1', NAMES.allNotBefore[0][2], String(now() + 60))
      expect(await store.lock(lockOf('late'))).toBe('full')
      for (const [notBefore] of NAMES.allNotBefore) expect(await server.cli('EXISTS', notBefore)).toBe('0')
    }))

  it('are shown if only some parts have them, and can be made whole or removed by a second call', () =>
    withStore(server, async (store) => {
      const client = await CLIENTS.ioredis(server)
      const unreached = NAMES.allNotBefore[3]?.[0] ?? ''
      const sendCommand: SendCommand = (command, key) =>
        key === unreached ? Promise.reject(new Error('down')) : client.sendCommand(command, key)
      const half = redisStore({ sendCommand, timeoutSeconds: PATIENCE_SECONDS, advise: () => undefined })
      await expect(half.lock(lockOf('a'))).rejects.toThrow('down')
      expect(await half.locks()).toHaveLength(1)
      expect(await store.lock(lockOf('a', { until: now() + 61 }))).toBe('locked')
      expect(await server.cli('HEXISTS', unreached, 'lock=a')).toBe('1')
      await expect(half.unlock('a')).rejects.toThrow('down')
      expect(await half.locks()).toHaveLength(1)
      expect(await store.unlock('a')).toBe('unlocked')
      expect(await server.cli('HGET', unreached, 'lock=a')).toMatch(/^\d+$/)
      expect(await store.locks()).toEqual([])
      await client.close()
    }))

  it('are ended in all parts although the first one has lost them, and a new lock is in all parts again', () =>
    withStore(server, async (store) => {
      await store.lock(lockOf('a'))
      const [first, ...others] = NAMES.allNotBefore
      await server.cli('DEL', ...first)
      expect(await store.locks()).toEqual([])
      expect([await store.unlock('a'), await store.unlock('a')]).toEqual(['unlocked', 'unknown'])
      for (const [notBefore] of others) expect(await server.cli('HEXISTS', notBefore, 'lock=a')).toBe('0')
      await store.lock(lockOf('a', { until: now() + 90 }))
      await server.cli('DEL', ...first)
      const shorter = lockOf('a', { until: now() + 60, kind: 'stepUp' })
      expect(await store.lock(shorter)).toBe('locked')
      for (const [notBefore] of NAMES.allNotBefore) {
        const text = await server.cli('HGET', notBefore, 'lock=a')
        expect(text.split('\n').slice(1)).toEqual([`2 ${shorter.until} ${JSON.stringify(shorter)}`])
      }
    }))

  it('are refused where UTF-8 would make one of two', () =>
    withStore(server, async (store) => {
      for (const clientId of ['\ud800', 'a\udfff']) {
        await expect(store.lock(lockOf(clientId))).rejects.toThrow(URIError)
        await expect(store.unlock(clientId)).rejects.toThrow(URIError)
        await expect(store.noteFinding(findingOf(clientId))).rejects.toThrow(URIError)
        await expect(store.noteUse({ clientId, lastUsedAt: 1, until: now() + 60 })).rejects.toThrow(URIError)
      }
      await store.record(keyFor('key'), PLENTY)
      await expect(store.notePresentation(keyFor('key'), '\ud800')).rejects.toThrow(URIError)
      expect(await server.cli('DBSIZE')).toBe('3')
    }))
})

describe('findings and uses in Redis', () => {
  it('end with the last of them', () =>
    withStore(server, async (store) => {
      await store.noteFinding(findingOf('a', { until: now() + 100 }))
      await store.noteFinding(findingOf('b', { evidence: 'unbound' }))
      await store.noteUse({ clientId: 'a', lastUsedAt: now(), until: now() + 100 })
      await store.noteUse({ clientId: 'a', bindingId: 'laptop', lastUsedAt: now(), until: now() + 50 })
      const names = (await server.cli('KEYS', '*')).split('\n')
      expect(names).toHaveLength(7)
      for (const name of names) {
        const seconds = Number(await server.cli('TTL', name))
        expect(seconds > 100 && seconds <= 111).toBe(true)
      }
    }))

  it('keep at most 16,384 uses of a part, and the longest unused one makes room', () =>
    withStore(server, async (store) => {
      const [uses, times, ends] = NAMES.ofClient('a-client').uses
      const fill = `for i = 1, 16384 do
        local at = string.format('%d', i)
        redis.call('HSET', KEYS[1], 'client-' .. i, cjson.encode({ [''] = { at, ARGV[1] } }))
        redis.call('ZADD', KEYS[2], at, 'client-' .. i)
        redis.call('ZADD', KEYS[3], ARGV[1], 'client-' .. i)
      end`
      await server.cli('EVAL', fill, '3', uses, times, ends, String(now() + 60))
      await store.noteUse({ clientId: 'a-client', lastUsedAt: 0.5, until: now() + 60 })
      expect(await server.cli('ZCARD', times)).toBe('16384')
      expect(await server.cli('HEXISTS', uses, 'client-1')).toBe('0')
      const unused = await store.unusedSince(3.5, 10)
      expect(unused.map(({ clientId }) => clientId)).toEqual(['a-client', 'client-2', 'client-3'])
    }))

  it('are rejected by a full Redis with nothing changed, while locks are made and ended', () =>
    withStore(server, async (store) => {
      const use = { clientId: 'a-client', lastUsedAt: now(), until: now() + 60 }
      await store.record(keyFor('key'), PLENTY)
      await store.noteFinding(findingOf('known'))
      await store.lock(lockOf('known'))
      const before = [await store.findings(), await store.find(keyFor('key'))]
      // Less than an empty server needs.
      await server.cli('CONFIG', 'SET', 'maxmemory', '500000')
      for (const id of ['known', 'late'])
        await expect(store.noteFinding(findingOf(id))).rejects.toThrow('OOM')
      await expect(store.noteUse(use)).rejects.toThrow('OOM')
      await expect(store.notePresentation(keyFor('key'), '192.0.2.0/24')).rejects.toThrow('OOM')
      expect([await store.findings(), await store.find(keyFor('key'))]).toEqual(before)
      expect(await store.lastUses('a-client')).toEqual([])
      expect([await store.lock(lockOf('late')), await store.unlock('known')]).toEqual(['locked', 'unlocked'])
      expect(await store.closeFinding('known')).toBe('closed')
      expect((await store.locks()).map(({ clientId }) => clientId)).toEqual(['late'])
    }))
})
