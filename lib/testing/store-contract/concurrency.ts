import { PLENTY, type Prove } from './bench.js'

const HUNDRED = Array.from({ length: 100 }, (_, i) => i)

/** Of those who ask at once, as many win as may. */
export function proveConcurrency(prove: Prove): void {
  prove('lets exactly one of 100 concurrent calls claim a key', async ({ store, key }) => {
    await store.record(key(), PLENTY)
    const answers = await Promise.all(HUNDRED.map((i) => store.redeem(key(), `attempt-${i}`)))
    expect(tally(answers)).toEqual({ reserved: 1, redeeming: 99 })
    const winner = `attempt-${answers.indexOf('reserved')}`
    expect(await store.settle(key(), winner, key().retainUntil)).toBe('settled')
  })
  prove('lets exactly one of 100 concurrent calls of one attempt claim a key', async ({ store, key }) => {
    await store.record(key(), PLENTY)
    const answers = await Promise.all(HUNDRED.map(() => store.redeem(key(), 'one')))
    expect(tally(answers)).toEqual({ reserved: 1, redeeming: 99 })
  })
  prove('records exactly one of 100 concurrent records of one jti', async ({ store, key }) => {
    const answers = await Promise.all(HUNDRED.map(() => store.record(key(), PLENTY)))
    expect(tally(answers)).toEqual({ recorded: 1, duplicate: 99 })
  })
  prove('records exactly 10 of 100 concurrent keys of a client that may have 10', async ({ store, key }) => {
    const answers = await Promise.all(HUNDRED.map((i) => store.record(key(`${i}`), { outstanding: 10 })))
    expect(tally(answers)).toEqual({ recorded: 10, outstanding: 90 })
  })
  prove('settles a key once for 100 concurrent calls', async ({ store, key }) => {
    await store.record(key(), PLENTY)
    await store.redeem(key(), 'one')
    const answers = await Promise.all(HUNDRED.map(() => store.settle(key(), 'one', key().retainUntil)))
    expect(tally(answers)).toEqual({ settled: 1, lost: 99 })
  })
  prove('revokes a key once, and a family once, for 100 concurrent calls', async ({ store, key }) => {
    await store.record(key('a'), PLENTY)
    await store.record(key('b'), PLENTY)
    await store.redeem(key('b'), 'one')
    await store.settle(key('b'), 'one', key().retainUntil)
    const keys = await Promise.all(HUNDRED.map(() => store.revoke(key('a'))))
    const families = await Promise.all(HUNDRED.map(() => store.revokeFamily(key('b'))))
    expect([tally(keys), tally(families)]).toEqual(Array(2).fill({ revoked: 1, unchanged: 99 }))
  })
  proveRaces(prove)
  proveClaims(prove)
}

function proveRaces(prove: Prove): void {
  prove(
    'never both revokes and redeems a key, in 100 races of revoke with settle',
    async ({ store, key }) => {
      const race = async (i: number) => {
        const one = key(`${i}`)
        await store.record(one, PLENTY)
        await store.redeem(one, 'one')
        const settle = () => store.settle(one, 'one', one.retainUntil)
        const revoke = () => store.revoke(one)
        const answers = await Promise.all(i % 2 === 0 ? [settle(), revoke()] : [revoke(), settle()])
        return [...answers, (await store.find(one))?.state].sort().join(' ')
      }
      const races = await Promise.all(HUNDRED.map(race))
      const fair = ['redeemed redeemed settled', 'revoked revoked revoked']
      expect(races.filter((outcome) => !fair.includes(outcome))).toEqual([])
    },
  )
  prove('never both revokes and settles a key that 100 calls of both fight for', async ({ store, key }) => {
    await store.record(key(), PLENTY)
    await store.redeem(key(), 'one')
    const fight = (i: number) =>
      i % 2 === 0 ? store.settle(key(), 'one', key().retainUntil) : store.revoke(key())
    const answers = tally(await Promise.all(HUNDRED.map(fight)))
    const state = (await store.find(key()))?.state
    if (state === 'redeemed') expect(answers).toEqual({ settled: 1, lost: 49, redeemed: 50 })
    else expect([state, answers]).toEqual(['revoked', { revoked: 51, unchanged: 49 }])
  })
}

function proveClaims(prove: Prove): void {
  prove('never lets two attempts hold one claim while it is released and taken again', async (on) => {
    await on.store.record(on.key(), PLENTY)
    const attempt = async (i: number) => {
      const name = `attempt-${i}`
      if ((await on.store.redeem(on.key(), name)) !== 'reserved') return 'beaten'
      return i % 2 === 0
        ? on.store.release(on.key(), name)
        : on.store.settle(on.key(), name, on.key().retainUntil)
    }
    const answers = tally(await Promise.all(HUNDRED.map(attempt)))
    expect(answers['lost']).toBeUndefined()
    expect(answers['settled'] ?? 0).toBeLessThanOrEqual(1)
  })
}

function tally(answers: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {}
  for (const answer of answers) counts[answer] = (counts[answer] ?? 0) + 1
  return counts
}
