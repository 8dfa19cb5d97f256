import { CALL_NAMES, call, PLENTY, type Prove } from './bench.js'
import { recordAll, statesOf, upTo } from './watermarks.js'

/** A watermark holds for what comes later, only moves forward, brings nothing back, and frees what it covers. */
export function proveWatermarkLife(prove: Prove): void {
  proveLaterRecords(prove)
  proveForward(prove)
  proveRetention(prove)
  provePlaces(prove)
  proveRaces(prove)
}

function proveLaterRecords(prove: Prove): void {
  prove('covers a key that was being minted, and comes to be recorded afterwards', async (on) => {
    const key = on.key()
    await on.store.revokeIssuedBefore(upTo(key))
    expect(await on.store.record(key, PLENTY)).toBe('revoked')
    expect(await on.store.find(key)).toBeUndefined()
    expect(await on.store.redeem(key, 'one')).toBe('unknown')
    const next = on.key('next', { issuedAt: key.issuedAt + 1 })
    await on.store.record(next, PLENTY)
    expect(await on.store.redeem(next, 'one')).toBe('reserved')
  })
  prove('covers a key of the identity that is recorded afterwards, and none of another', async (on) => {
    await on.store.revokeIssuedBefore(upTo(on.key(), { identity: 'device' }))
    const keys = [on.key('a'), on.key('b', { subject: 'other' })]
    expect(await recordAll(on, keys)).toEqual(['revoked', 'recorded'])
  })
}

function proveForward(prove: Prove): void {
  for (const identity of [undefined, 'client']) {
    prove(`moves the watermark of ${identity ?? 'all'} forward only`, async (on) => {
      const { issuedAt } = on.key()
      const keys = [0, 5, 10].map((by) => on.key(`${by}`, { issuedAt: issuedAt + by }))
      await recordAll(on, keys)
      const raise = (by: number) =>
        on.store.revokeIssuedBefore(
          upTo(on.key(), { issuedBefore: issuedAt + by, ...(identity !== undefined && { identity }) }),
        )
      expect([await raise(5), await raise(5), await raise(0)]).toEqual(['revoked', 'unchanged', 'unchanged'])
      expect(await statesOf(on, keys)).toEqual(['revoked', 'revoked', 'issued'])
      expect([await raise(10), await raise(9)]).toEqual(['revoked', 'unchanged'])
      expect(await statesOf(on, keys)).toEqual(['revoked', 'revoked', 'revoked'])
    })
  }
  prove('does not forget a watermark sooner for being raised until an earlier time', async (on) => {
    const bound = upTo(on.key())
    await on.store.revokeIssuedBefore(bound)
    await on.store.revokeIssuedBefore({ ...bound, retainUntil: on.nowSeconds() + 2 })
    await on.advance(3)
    const late = on.key('late', { issuedAt: bound.issuedBefore })
    expect(await on.store.record(late, PLENTY)).toBe('revoked')
  })
}

function proveRetention(prove: Prove): void {
  for (const history of [[], ['redeem'], ['redeem', 'settle']] as const) {
    const past = history.join(', ') || 'it was recorded'
    prove(`does not bring back a key that outlives the watermark, after ${past}`, async (on) => {
      const key = on.key()
      await on.store.record(key, PLENTY)
      await call(on.store, key, history)
      await on.store.revokeIssuedBefore(upTo(key, { retainUntil: on.nowSeconds() + 2 }))
      await on.advance(4)
      const expected = history.length === 2 ? { familyRevoked: true } : { state: 'revoked' }
      expect(await on.store.find(key)).toMatchObject(expected)
    })
  }
}

function provePlaces(prove: Prove): void {
  prove('gives back the places of all keys that it covers, and of no others', async (on) => {
    const { issuedAt } = on.key()
    const keys = ['a', 'b', 'c', 'd'].map((jti) => on.key(jti))
    const later = ['e', 'f', 'g', 'h', 'i'].map((jti) => on.key(jti, { issuedAt: issuedAt + 1 }))
    await recordAll(on, [...keys, ...later.slice(0, 1)])
    await call(on.store, on.key('a'), ['redeem'])
    await call(on.store, on.key('b'), ['redeem', 'settle'])
    await call(on.store, on.key('c'), ['revoke'])
    await on.store.revokeIssuedBefore(upTo(on.key(), { issuedBefore: issuedAt }))
    const [r, o] = ['recorded', 'outstanding']
    expect(await recordAll(on, later.slice(1), 3)).toEqual([r, r, o, o])
  })
  prove('gives back the places of a client whose keys were for a revoked subject', async (on) => {
    const keys = ['one', 'two', 'two'].map((subject, i) => on.key(`${i}`, { subject }))
    await recordAll(on, keys)
    await on.store.revokeIssuedBefore(upTo(on.key(), { identity: 'two' }))
    const more = ['x', 'y', 'z'].map((jti) => on.key(jti, { subject: 'three' }))
    expect(await recordAll(on, more, 3)).toEqual(['recorded', 'recorded', 'outstanding'])
  })
  prove('counts no place twice, when covered keys are touched and expire', async (on) => {
    const brief = ['a', 'b', 'c'].map((jti) => on.key(jti, { lifetimeSeconds: 2 }))
    await recordAll(on, brief)
    await on.store.revokeIssuedBefore(upTo(on.key()))
    for (const key of brief.slice(1)) await call(on.store, key, CALL_NAMES)
    await on.advance(3)
    const fresh = ['x', 'y', 'z'].map((jti) => on.key(jti))
    expect(await recordAll(on, fresh, 2)).toEqual(['recorded', 'recorded', 'outstanding'])
  })
  prove('says revoked, not outstanding, of a covered key, and counts no place for it', async (on) => {
    await on.store.revokeIssuedBefore(upTo(on.key()))
    const { issuedAt } = on.key()
    const late = ['a', 'b'].map((jti) => on.key(jti, { issuedAt: issuedAt - 5 }))
    const next = ['c', 'd'].map((jti) => on.key(jti, { issuedAt: issuedAt + 5 }))
    const answers = ['recorded', 'revoked', 'revoked', 'outstanding']
    expect(await recordAll(on, [...next.slice(0, 1), ...late, ...next.slice(1)], 1)).toEqual(answers)
  })
}

function proveRaces(prove: Prove): void {
  prove('leaves nothing alive, in 100 races with settle and with record', async (on) => {
    const race = async (i: number) => {
      const key = on.key(`${i}`, { clientId: `client-${i}`, issuedAt: on.key().issuedAt - 1 })
      if (i % 3 > 0) await on.store.record(key, PLENTY)
      if (i % 3 > 0) await on.store.redeem(key, 'one')
      const act = () =>
        i % 3 > 0 ? on.store.settle(key, 'one', key.retainUntil) : on.store.record(key, PLENTY)
      const raise = () => on.store.revokeIssuedBefore(upTo(on.key(), { identity: `client-${i}` }))
      await Promise.all(i % 2 === 0 ? [act(), raise()] : [raise(), act()])
      const found = await on.store.find(key)
      if (found === undefined) return i % 3 === 0
      return found.state === 'redeemed' ? found.familyRevoked : found.state === 'revoked'
    }
    const races = await Promise.all(Array.from({ length: 100 }, (_, i) => race(i)))
    expect(races).toEqual(Array(100).fill(true))
  })
}
