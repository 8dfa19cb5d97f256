import { hundred, recorded, tally } from './calls.js'
import { PLENTY, type StoreTest } from './setup.js'

/** Of 100 calls at the same time, exactly as many succeed as may. */
export function testConcurrency(test: StoreTest): void {
  test('reserves a key for exactly one of 100 concurrent attempts', async (setup) => {
    const key = await recorded(setup)
    const answers = await hundred((i) => setup.store.redeem(key, `attempt-${i}`))
    expect(tally(answers)).toEqual({ reserved: 1, redeeming: 99 })
    const winner = `attempt-${answers.indexOf('reserved')}`
    expect(await setup.store.settle(key, winner, key.retainUntil)).toBe('settled')
  })
  test('reserves a key for exactly one of 100 concurrent calls of one attempt', async (setup) => {
    const key = await recorded(setup)
    const answers = await hundred(() => setup.store.redeem(key, 'one'))
    expect(tally(answers)).toEqual({ reserved: 1, redeeming: 99 })
  })
  test('records exactly one of 100 concurrent records of one jti', async ({ store, key }) => {
    expect(tally(await hundred(() => store.record(key(), PLENTY)))).toEqual({ recorded: 1, duplicate: 99 })
  })
  test('records exactly 10 of 100 concurrent keys of a client that may have 10', async ({ store, key }) => {
    const answers = await hundred((i) => store.record(key(`${i}`), { outstanding: 10 }))
    expect(tally(answers)).toEqual({ recorded: 10, outstanding: 90 })
  })
  testMoves(test)
  testRaces(test)
}

function testMoves(test: StoreTest): void {
  test('settles a key for exactly one of 100 concurrent calls', async (setup) => {
    const key = await recorded(setup, ['redeem'])
    const answers = await hundred(() => setup.store.settle(key, 'one', key.retainUntil))
    expect(tally(answers)).toEqual({ settled: 1, lost: 99 })
  })
  test('revokes a key for exactly one of 100 concurrent calls', async (setup) => {
    const key = await recorded(setup)
    expect(tally(await hundred(() => setup.store.revoke(key)))).toEqual({ revoked: 1, unchanged: 99 })
  })
  test('revokes a family for exactly one of 100 concurrent calls', async (setup) => {
    const key = await recorded(setup, ['redeem', 'settle'])
    expect(tally(await hundred(() => setup.store.revokeFamily(key)))).toEqual({ revoked: 1, unchanged: 99 })
  })
  test('never gives one reservation to two attempts while it is released and taken again', async (setup) => {
    const { store } = setup
    const key = await recorded(setup)
    const attempt = async (i: number) => {
      const name = `attempt-${i}`
      if ((await store.redeem(key, name)) !== 'reserved') return 'beaten'
      return i % 2 === 0 ? store.release(key, name) : store.settle(key, name, key.retainUntil)
    }
    const { lost, settled = 0 } = tally(await hundred(attempt))
    expect(lost).toBeUndefined()
    expect(settled).toBeLessThanOrEqual(1)
  })
}

function testRaces(test: StoreTest): void {
  test('never both revokes and redeems a key, in 100 races of revoke and settle', async ({ store, key }) => {
    const race = async (i: number) => {
      const one = key(`${i}`)
      await store.record(one, PLENTY)
      await store.redeem(one, 'one')
      const settle = () => store.settle(one, 'one', one.retainUntil)
      const revoke = () => store.revoke(one)
      const answers = await Promise.all(i % 2 === 0 ? [settle(), revoke()] : [revoke(), settle()])
      return [...answers, (await store.find(one))?.state].sort().join(' ')
    }
    const fair = ['redeemed redeemed settled', 'revoked revoked revoked']
    expect((await hundred(race)).filter((outcome) => !fair.includes(outcome))).toEqual([])
  })
  test('never both revokes and settles a key, in 50 concurrent calls of each', async (setup) => {
    const { store } = setup
    const key = await recorded(setup, ['redeem'])
    const answers = tally(
      await hundred((i) => (i % 2 === 0 ? store.settle(key, 'one', key.retainUntil) : store.revoke(key))),
    )
    const state = (await store.find(key))?.state
    if (state === 'redeemed') expect(answers).toEqual({ settled: 1, lost: 49, redeemed: 50 })
    else expect([state, answers]).toEqual(['revoked', { revoked: 51, unchanged: 49 }])
  })
}
