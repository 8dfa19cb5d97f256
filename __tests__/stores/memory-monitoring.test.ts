import { type Finding, LOCK_KINDS, type Lock } from '../../lib/ports/monitoring-store.js'
import { memoryStore } from '../../lib/stores/memory/memory.js'
import type { MemoryStoreOptions } from '../../lib/stores/memory/memory-options.js'
import { heapBytes } from '../support/heap.js'
import { itInAll } from '../support/scale.js'

const START = 1_700_000_000
const PLENTY = { outstanding: 1_000 }

function underTest(options: MemoryStoreOptions = {}) {
  const clock = { seconds: START }
  return { clock, store: memoryStore({ now: () => clock.seconds * 1000, ...options }) }
}

function lockOf(clientId: string, seconds = 60): Lock {
  const words = { kind: 'lock', reason: 'stolen', author: 'operator' } as const
  return { clientId, ...words, lockedAt: START, until: START + seconds }
}

function findingOf(id: string, lastAt = START): Finding {
  const words = { rule: 'junk', severity: 'info', evidence: 'unbound', subject: `address:${id}` } as const
  return { id, ...words, count: 1, firstAt: lastAt, lastAt, samples: [], actions: [], until: lastAt + 86_400 }
}

describe('the locks of memoryStore', () => {
  it('are at most maxKeys, and those that have ended or are removed make room', async () => {
    const { store, clock } = underTest({ maxKeys: 10 })
    for (let i = 0; i < 10; i += 1) await store.lock(lockOf(`${i}`, 10 + i))
    expect(await store.lock(lockOf('late'))).toBe('full')
    expect(await store.locks()).toHaveLength(10)
    expect(await store.lock(lockOf('3', 90))).toBe('locked')
    await store.unlock('3')
    expect(await store.lock(lockOf('late'))).toBe('locked')
    clock.seconds += 11
    expect(await store.lock(lockOf('later'))).toBe('locked')
    expect(await store.lock(lockOf('latest'))).toBe('full')
    expect((await store.locks()).map(({ clientId }) => clientId)).toContain('9')
  })

  it('have room for each kind of lock of maxKeys identities', async () => {
    const { store } = underTest({ maxKeys: 2 })
    for (const clientId of ['a', 'b'])
      for (const kind of LOCK_KINDS) expect(await store.lock({ ...lockOf(clientId), kind })).toBe('locked')
    expect(await store.locks()).toHaveLength(6)
    expect(await store.lock(lockOf('c'))).toBe('full')
    expect(await store.unlock('a')).toBe('unlocked')
    expect(await store.lock(lockOf('c'))).toBe('locked')
  })

  it('do not end when the clock was ahead for a moment', async () => {
    const { store, clock } = underTest()
    const { clientId, jti } = { clientId: 'a', jti: 'key' }
    const terms = { subject: 'a', scope: ['read'], audience: 'urn:api', issuedAt: START }
    await store.lock(lockOf(clientId, 600))
    clock.seconds = START + 7_200
    expect(await store.locks()).toEqual([])
    clock.seconds = START + 1
    expect(await store.locks()).toHaveLength(1)
    const key = { clientId, jti, ...terms, expiresAt: START + 60, retainUntil: START + 60 }
    expect(await store.record(key, PLENTY)).toBe('locked')
  })

  it('tell why they are rejected', async () => {
    const { store } = underTest()
    const message = `until: expected a time in the future (now ${START}), got ${START}`
    await expect(store.lock(lockOf('a', 0))).rejects.toThrow(new RangeError(message))
    const bogus = { ...lockOf('a'), kind: 'secret-text' as 'lock' }
    const words = 'kind: expected one of throttle, stepUp, lock'
    await expect(store.lock(bogus)).rejects.toThrow(new RangeError(words))
  })
})

describe('the uses of memoryStore', () => {
  it('are at most maxKeys, and the longest unused one makes room', async () => {
    const { store } = underTest({ maxKeys: 10 })
    const use = (clientId: string, lastUsedAt: number) =>
      store.noteUse({ clientId, lastUsedAt, until: START + 86_400 })
    for (let i = 0; i < 10; i += 1) await use(`${i}`, START + i)
    await use('0', START + 20)
    await use('new', START + 15)
    await use('old', START - 1)
    const kept = (await store.unusedSince(START + 100, 100)).map(({ clientId }) => clientId)
    expect(kept).toEqual(['old', '3', '4', '5', '6', '7', '8', '9', 'new', '0'])
    expect(await store.lastUses('1')).toEqual([])
  })
})

describe('the memory of monitoring', () => {
  const MANY = 300_000

  itInAll(
    'is flat over any number of clients, findings, locks and ends',
    async () => {
      const { store, clock } = underTest({ maxKeys: 100 })
      const fill = async (from: number) => {
        for (let i = from; i < from + MANY; i += 1) {
          clock.seconds += 0.01
          const until = clock.seconds + 86_400 * 30
          await store.noteUse({ clientId: `client-${i}`, lastUsedAt: clock.seconds, until })
          if (i % 30 !== 0) continue
          await store.noteFinding(findingOf(`${i}`, clock.seconds))
          await store.lock({ ...lockOf(`client-${i}`), until })
          await store.unlock(`client-${i}`)
        }
      }
      await fill(0)
      const before = await heapBytes()
      await fill(MANY)
      expect((await heapBytes()) - before).toBeLessThan(1_000_000)
      expect(await store.findings()).toHaveLength(500)
      expect(await store.unusedSince(clock.seconds + 1, 1_000)).toHaveLength(100)
    },
    60_000,
  )

  it('is freed while nobody calls, and the timer ends', async () => {
    jest.useFakeTimers()
    try {
      const store = memoryStore()
      const now = Date.now() / 1000
      await store.lock({ ...lockOf('a'), until: now + 60 })
      await store.noteFinding({ ...findingOf('a'), until: now + 60 })
      await store.noteUse({ clientId: 'a', lastUsedAt: now, until: now + 60 })
      expect(jest.getTimerCount()).toBe(1)
      jest.advanceTimersByTime(2 * 3_600_000)
      expect(jest.getTimerCount()).toBe(0)
    } finally {
      jest.useRealTimers()
    }
  })
})

describe('what memoryStore answers about monitoring', () => {
  it('is frozen, and shows no identity when the store is inspected', async () => {
    const { store } = underTest()
    const key = { clientId: 'a-client', jti: 'a-jti', subject: 'device', scope: [], audience: 'urn:api' }
    const record = { ...key, issuedAt: START, expiresAt: START + 60, retainUntil: START + 60 }
    await store.record(record, PLENTY)
    await store.notePresentation(record, '192.0.2.0/24')
    await store.lock(lockOf('device'))
    const { finding } = await store.noteFinding(findingOf('a-finding'))
    await store.noteUse({ clientId: 'a-client', lastUsedAt: START, until: START + 60 })
    const found = await store.find(record)
    const [use] = await store.lastUses('a-client')
    for (const one of [found, found?.lock, found?.networks, finding, finding.samples, use])
      expect(Object.isFrozen(one)).toBe(true)
    expect(JSON.stringify(store)).toBe('{}')
  })
})
