import { Session } from 'node:inspector/promises'
import { setImmediate } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import type { KeyRecord, ProvisioningStore } from '../../lib/ports/store.js'
import { memoryStore } from '../../lib/stores/memory/memory.js'
import { itInAll, times } from '../support/scale.js'

const START = 1_700_000_000
const MANY = times({ all: 20_000, few: 4_000 })
const PLENTY = { outstanding: 1_000_000 }

// V8 counts executed blocks for coverage. This measures work on a busy machine too. V8 counts only in code that it
// compiles after the start, hence this separate file. It does not count in inlined functions, so the optimisers are
// off. Newer versions of V8 have two.
const session = new Session()
const OPTIMISERS = ['opt', 'maglev']

beforeAll(async () => {
  for (const optimiser of OPTIMISERS) setFlagsFromString(`--no-${optimiser}`)
  session.connect()
  await session.post('Profiler.enable')
  await session.post('Profiler.startPreciseCoverage', { callCount: true, detailed: true })
})

afterAll(() => {
  session.disconnect()
  // Maglev stays off, because it is not ready in versions in which it is off by default.
  setFlagsFromString('--opt')
})

async function stepsOf(calls: () => Promise<void>): Promise<number> {
  await session.post('Profiler.takePreciseCoverage')
  await calls()
  const { result } = await session.post('Profiler.takePreciseCoverage')
  const ranges = result
    .filter(({ url }) => /lib.stores.memory.[\w-]+\.ts$/.test(url))
    .flatMap(({ functions }) => functions.flatMap((one) => one.ranges))
  return ranges.reduce((sum, { count }) => sum + count, 0)
}

function key(i: number, retainUntil = 0): KeyRecord {
  const terms = { subject: 'device', scope: ['read'], audience: 'urn:api' }
  return { clientId: 'client', jti: `${i}`, ...terms, issuedAt: START, expiresAt: retainUntil, retainUntil }
}

async function everyVerb(store: ProvisioningStore, i: number): Promise<void> {
  await store.record(key(i, START + 60), PLENTY)
  await store.redeem(key(i), 'one')
  await store.release(key(i), 'one')
  await store.redeem(key(i), 'two')
  await store.settle(key(i), 'two', START + 120)
  await store.revoke(key(i))
  await store.revokeFamily(key(i))
  await store.find(key(i))
}

describe('work of memoryStore', () => {
  it('is the same for a verb whether few keys or many are held', async () => {
    const steps = async (held: number) => {
      const store = memoryStore({ now: () => START * 1000 })
      for (let i = 0; i < held; i += 1) await store.record(key(i, START + 60), PLENTY)
      return stepsOf(async () => {
        for (let i = 0; i < 20; i += 1) await everyVerb(store, i)
        for (let i = 0; i < 20; i += 1) await everyVerb(store, held + i)
      })
    }
    const few = await steps(20)
    expect(few).toBeGreaterThan(20 * 16)
    expect(await steps(MANY)).toBeLessThan(1.2 * few)
  })

  it('of revokeIssuedBefore and the verbs after it is the same with few keys and with many', async () => {
    const bound = { issuedBefore: START, retainUntil: START + 60 }
    const steps = async (held: number) => {
      const store = memoryStore({ now: () => START * 1000 })
      for (let i = 0; i < held; i += 1) await store.record(key(i, START + 60), PLENTY)
      return stepsOf(async () => {
        for (const identity of ['client', 'device', 'another']) {
          await store.revokeIssuedBefore({ ...bound, identity })
          for (let i = 0; i < 20; i += 1) await everyVerb(store, i)
        }
        await store.revokeIssuedBefore(bound)
        for (let i = 0; i < 20; i += 1) await everyVerb(store, held + i)
      })
    }
    const few = await steps(20)
    expect(few).toBeGreaterThan(20 * 16)
    expect(await steps(MANY)).toBeLessThan(1.2 * few)
  })

  itInAll('for a client at its limit is one look at its keys after each revokeIssuedBefore', async () => {
    const held = 10_000
    const store = memoryStore({ now: () => START * 1000 })
    for (let i = 0; i < held; i += 1) await store.record(key(i, START + 60), PLENTY)
    const full = { outstanding: held }
    await store.revokeIssuedBefore({ identity: 'x', issuedBefore: START, retainUntil: START + 60 })
    const first = await stepsOf(async () => {
      expect(await store.record(key(held, START + 60), full)).toBe('outstanding')
    })
    const others = await stepsOf(async () => {
      for (let i = 0; i < 100; i += 1) await store.record(key(held + i, START + 60), full)
    })
    expect(first).toBeGreaterThan(held)
    expect(first).toBeLessThan(20 * held)
    expect(others).toBeLessThan(held)
  })

  itInAll('is a few steps for each key that expires, in whatever order the keys came', async () => {
    const held = 10_000
    const clock = { seconds: START }
    const store = memoryStore({ now: () => clock.seconds * 1000 })
    const steps = await stepsOf(async () => {
      for (let i = 0; i < held; i += 1) {
        await store.record(key(i, START + 60 + ((i * 7919) % held)), PLENTY)
        await store.redeem(key(i), 'one')
        await store.settle(key(i), 'one', START + 2 * held + ((i * 6007) % held))
      }
      // Four sweeps: two of these keys, which are then retained longer, and two of the retained keys.
      for (const seconds of [held / 2, held + 100, 2.5 * held, 4 * held]) {
        clock.seconds = START + seconds
        await store.find(key(0))
        // A sweep continues in later turns.
        for (let turn = 0; turn < 15; turn += 1) await setImmediate()
      }
    })
    expect(await store.find(key(1))).toBeUndefined()
    expect(steps).toBeGreaterThan(10 * held)
    // No two ends are the same. Usually many keys share one.
    expect(steps).toBeLessThan(45 * held * Math.log2(held))
  })
})
