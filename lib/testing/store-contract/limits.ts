import { type Bench, type CallName, call, PLENTY, type Prove } from './bench.js'

/** What a client may have outstanding: every end of a key gives back one place, and nothing else does. */
export function proveOutstanding(prove: Prove): void {
  prove('answers outstanding to one key too many, and records nothing', async (on) => {
    expect(await record(on, ['a', 'b', 'c'], 2)).toEqual(['recorded', 'recorded', 'outstanding'])
    expect(await on.store.find(on.key('c'))).toBeUndefined()
    expect(await on.store.redeem(on.key('c'), 'one')).toBe('unknown')
    expect(await record(on, ['c'], 3)).toEqual(['recorded'])
  })
  prove('answers outstanding when the limit is 0', async (on) => {
    expect(await record(on, ['a'], 0)).toEqual(['outstanding'])
  })
  prove('counts each client for itself', async ({ store, key }) => {
    await store.record(key('a'), { outstanding: 1 })
    const ofAnother = key('b', { clientId: 'another' })
    expect(await store.record(ofAnother, { outstanding: 1 })).toBe('recorded')
    expect(await store.record(key('c'), { outstanding: 1 })).toBe('outstanding')
  })
  prove('answers duplicate, not outstanding, to a jti it knows', async (on) => {
    expect(await record(on, ['a', 'a'], 1)).toEqual(['recorded', 'duplicate'])
  })
  proveFreedPlaces(prove)
}

/** What may become of a key, and how many places that gives back at once. */
const FATES: readonly (readonly [calls: readonly CallName[], places: 0 | 1])[] = [
  [['redeem'], 0],
  [['redeem', 'release', 'redeem', 'release', 'release'], 0],
  [['redeem', 'settleByOther', 'releaseByOther'], 0],
  [['settle', 'release', 'revokeFamily'], 0],
  [['redeem', 'settle'], 1],
  [['redeem', 'release', 'redeem', 'settle'], 1],
  [['redeem', 'settle', 'settle', 'revoke', 'revokeFamily', 'revokeFamily', 'release'], 1],
  [['revoke'], 1],
  [['revoke', 'revoke', 'redeem', 'settle'], 1],
  [['redeem', 'revoke', 'settle', 'release', 'revoke'], 1],
]

function proveFreedPlaces(prove: Prove): void {
  for (const [fate, places] of FATES) {
    const past = fate.join(', ')
    prove(`gives back ${places === 0 ? 'no place' : 'exactly one place'} after ${past}`, async (on) => {
      await record(on, ['a', 'b'], 2)
      await call(on.store, on.key('a'), fate)
      const answers = places === 0 ? ['outstanding', 'outstanding'] : ['recorded', 'outstanding']
      expect(await record(on, ['c', 'd'], 2)).toEqual(answers)
    })
  }
  for (const fate of [[], ...FATES.map(([calls]) => calls)]) {
    const past = fate.join(', ') || 'it was recorded'
    prove(`has given back exactly one place when a key expires after ${past}`, async (on) => {
      const brief = on.key('a', { lifetimeSeconds: 2 })
      await on.store.record(brief, { outstanding: 2 })
      await record(on, ['b'], 2)
      await call(on.store, brief, fate)
      await on.advance(3)
      expect(await record(on, ['c', 'd'], 2)).toEqual(['recorded', 'outstanding'])
    })
  }
}

const TEN = Array.from({ length: 10 }, (_, i) => `key-${i}`)

/** At the cap a store refuses what is new, and keeps what it has. */
export function proveCap(prove: Prove): void {
  prove('answers full to an eleventh key, of whichever client, and evicts nothing', async (on) => {
    await record(on, TEN)
    await call(on.store, on.key('key-0'), ['revoke'])
    await call(on.store, on.key('key-1'), ['redeem', 'settle'])
    expect(await record(on, ['late'])).toEqual(['full'])
    expect(await on.store.record(on.key('late', { clientId: 'another' }), PLENTY)).toBe('full')
    expect(await on.store.find(on.key('late'))).toBeUndefined()
    const found = await Promise.all(TEN.map((jti) => on.store.find(on.key(jti))))
    expect(found.map((entry) => entry?.state)).toEqual(['revoked', 'redeemed', ...Array(8).fill('issued')])
  })
  prove('answers duplicate, not full, to a jti it knows', async (on) => {
    await record(on, TEN)
    expect(await record(on, ['key-3'])).toEqual(['duplicate'])
  })
  prove('takes as many new keys as have expired', async (on) => {
    await record(on, TEN.slice(0, 8))
    for (const jti of ['brief-1', 'brief-2']) {
      await on.store.record(on.key(jti, { lifetimeSeconds: 2 }), PLENTY)
    }
    expect(await record(on, ['late'])).toEqual(['full'])
    await on.advance(3)
    expect(await record(on, ['x', 'y', 'z'])).toEqual(['recorded', 'recorded', 'full'])
  })
  prove('counts no key that it refused', async (on) => {
    await on.store.record(on.key('first', { lifetimeSeconds: 2 }), PLENTY)
    await record(on, TEN.slice(1))
    await record(on, ['x', 'key-1', 'y'])
    await on.advance(3)
    expect(await record(on, ['x', 'y'])).toEqual(['recorded', 'full'])
  })
  prove('lets exactly 10 of 100 concurrent records in', async ({ store, key }) => {
    const all = Array.from({ length: 100 }, (_, i) => store.record(key(`${i}`), PLENTY))
    expect((await Promise.all(all)).filter((answer) => answer === 'recorded')).toHaveLength(10)
  })
}

async function record({ store, key }: Bench, jtis: readonly string[], outstanding = 1_000) {
  const answers: string[] = []
  for (const jti of jtis) answers.push(await store.record(key(jti), { outstanding }))
  return answers
}
