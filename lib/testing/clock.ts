/**
 * A clock that a test can move. `testClock()` makes one. With the fake timers of a test runner, write your own.
 *
 * @example
 * const clock: TestClock = testClock()
 * clock.advance(3600)
 */
export interface TestClock {
  /** Milliseconds since the epoch: the option `now` of the app under test. */
  readonly now: () => number
  /** Moves the clock forward by some seconds, or back by a negative number. */
  advance(seconds: number): void
}

/**
 * Makes a clock that runs like the clock of the machine, until a test moves it. Give its `now` to the app under test.
 *
 * @throws TypeError from `advance()` if its argument is not a finite number
 *
 * @example
 * const clock = testClock()
 * const { SIGNING_KEY = '', FLEET_SECRET = '' } = process.env
 * const keys = provisioningKeys({
 *   issuer: 'https://auth.example.com',
 *   audience: 'https://api.example.com',
 *   signingKeys: SIGNING_KEY,
 *   clients: [{ clientId: 'fleet', clientSecret: FLEET_SECRET }],
 *   now: clock.now,
 * })
 * clock.advance(15 * 60)
 */
export function testClock(): TestClock {
  let offset = 0
  return Object.freeze({
    now: () => Date.now() + offset,
    advance(seconds: number) {
      if (!Number.isFinite(seconds)) throw new TypeError('advance: expected a number of seconds')
      offset += seconds * 1000
    },
  })
}
