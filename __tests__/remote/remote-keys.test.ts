import { ProvisioningError } from '../../lib/base/errors.js'
import { type KeyCacheRules, RemoteKeys } from '../../lib/remote/remote-keys.js'
import { PAIRS } from '../support/signing-pairs.js'

const { ES256, ES384 } = PAIRS
const jwk = ({ publicKey, alg }: (typeof PAIRS)['ES256'], kid: string) => ({
  ...publicKey.export({ format: 'jwk' }),
  kid,
  alg,
})
const OLD = jwk(ES256, 'old')
const NEW = jwk(ES384, 'new')

interface Answer {
  readonly keys?: unknown
  readonly cacheControl?: string
  readonly fault?: string
}

/** A ring over an issuer. The test sets its answers and the time. */
function ring(rules: Partial<KeyCacheRules> = {}) {
  const given = { seconds: 1_700_000_000, answer: { keys: [OLD] } as Answer, asked: 0 }
  const events: unknown[] = []
  let release: (() => void) | undefined
  let held: Promise<void> | undefined
  const fetchSet = async () => {
    given.asked += 1
    await held
    const { keys, cacheControl = '', fault } = given.answer
    if (fault !== undefined) throw new Error(fault)
    return { json: { keys }, cacheControl }
  }
  const keys = new RemoteKeys(fetchSet, {
    freshSeconds: 600,
    usableSeconds: 3600,
    cooldownSeconds: 30,
    now: () => given.seconds * 1000,
    emit: (type, details) => events.push({ type, ...details }),
    ...rules,
  })
  return {
    given,
    events,
    hold() {
      held = new Promise((resolve) => {
        release = resolve
      })
      return () => release?.()
    },
    /** The result for a kid: a key, none, or a refusal. */
    async ask(kid: string | undefined): Promise<string> {
      try {
        await keys.load(kid)
        return keys.find(kid) === undefined ? 'unknown' : 'known'
      } catch (error) {
        if (error instanceof ProvisioningError) return `${error.reason} ${error.facts.retryAfterSeconds}`
        throw error
      }
    },
  }
}

/** Waits until a fetch in the background has ended. */
const settle = () => new Promise((resolve) => setImmediate(resolve))

describe('keys from elsewhere', () => {
  it('are fetched by the first request that needs one, and by no other', async () => {
    const { given, ask } = ring()
    expect(given.asked).toBe(0)
    const met = await Promise.all(Array.from({ length: 100 }, () => ask('old')))
    expect(new Set(met)).toEqual(new Set(['known']))
    expect(given.asked).toBe(1)
  })

  it('are not fetched for what names no key', async () => {
    const { given, ask } = ring()
    expect(await ask(undefined)).toBe('unknown')
    expect(given.asked).toBe(0)
  })

  it('are fetched once per cool-down by however many unknown kids, each of which is unknown then', async () => {
    const { given, ask } = ring()
    await ask('old')
    given.seconds += 31
    const storm = () =>
      Promise.all(Array.from({ length: 1000 }, (_, i) => ask(`random-${i}-${given.seconds}`)))
    for (let i = 1; i <= 3; i += 1) {
      expect(new Set(await storm())).toEqual(new Set(['unknown']))
      expect(new Set(await storm())).toEqual(new Set(['unknown']))
      expect(given.asked).toBe(1 + i)
      given.seconds += 30
    }
  })

  it('do not let an unknown kid cause a fetch within the cool-down of any fetch before', async () => {
    const { given, ask } = ring()
    expect(await ask('random')).toBe('unknown')
    given.answer = { keys: [OLD, NEW] }
    given.seconds += 29
    expect([await ask('new'), given.asked]).toEqual(['unknown', 1])
    given.seconds += 1
    expect([await ask('new'), given.asked]).toEqual(['known', 2])
  })

  it('are still used while stale, during the next fetch', async () => {
    const { given, hold, ask } = ring()
    await ask('old')
    given.seconds += 599
    await ask('old')
    expect(given.asked).toBe(1)
    given.seconds += 1
    const release = hold()
    expect(await Promise.all([ask('old'), ask('old')])).toEqual(['known', 'known'])
    expect(given.asked).toBe(2)
    given.answer = { keys: [NEW] }
    release()
    await settle()
    expect([await ask('new'), await ask('old')]).toEqual(['known', 'unknown'])
  })

  it('are fetched before they are used again after a long time without a request', async () => {
    const { given, ask } = ring()
    await ask('old')
    given.answer = { keys: [NEW] }
    given.seconds += 1200
    expect(await Promise.all([ask('old'), ask('old')])).toEqual(['unknown', 'unknown'])
    expect(given.asked).toBe(2)
  })

  it('are used without waiting after a long time, if the last answer of the issuer was not good', async () => {
    const { given, hold, ask } = ring()
    await ask('old')
    given.answer = { fault: 'x' }
    given.seconds += 1200
    expect(await ask('old')).toBe('known')
    given.seconds += 1
    const release = hold()
    expect(await ask('old')).toBe('known')
    expect(given.asked).toBe(3)
    release()
    await settle()
  })

  it.each([
    ['public, max-age=300', 300],
    ['max-age="120"', 120],
    ['max-age=1', 30],
    ['max-age=86400', 600],
    ['no-store', 30],
    ['no-cache, max-age=300', 30],
    ['s-maxage=60', 600],
    ['', 600],
    ['max-age=soon', 600],
  ])(
    'are fresh as long as the answer says, within the configured bounds: %j is %s s',
    async (cacheControl, seconds) => {
      const { given, ask } = ring()
      given.answer = { keys: [OLD], cacheControl }
      await ask('old')
      given.seconds += seconds - 1
      await ask('old')
      expect(given.asked).toBe(1)
      given.seconds += 1
      await ask('old')
      expect(given.asked).toBe(2)
    },
  )

  it('refuse every request while there are none, and are tried again sooner and then later', async () => {
    const { given, ask, events } = ring()
    given.answer = { fault: 'the connection failed (ECONNREFUSED)' }
    const attempts: number[] = []
    for (let second = 0; second < 120; second += 1) {
      const before = given.asked
      expect(await ask('old')).toMatch(/^signing_keys_unavailable \d+$/)
      if (given.asked > before) attempts.push(second)
      given.seconds += 1
    }
    expect(attempts).toEqual([0, 1, 3, 7, 15, 31, 61, 91])
    const detail = 'the connection failed (ECONNREFUSED)'
    expect(events).toEqual(attempts.map(() => ({ type: 'signing_keys.unavailable', detail, usable: false })))
    given.answer = { keys: [OLD] }
    given.seconds += 30
    expect(await ask('old')).toBe('known')
  })

  it('say when it is worth asking again', async () => {
    const { given, ask } = ring()
    given.answer = { fault: 'x' }
    const waits: string[] = []
    for (let i = 0; i < 7; i += 1) {
      waits.push(await ask('old'))
      given.seconds += 40
    }
    expect(waits.map((wait) => Number(wait.split(' ')[1]))).toEqual([1, 2, 4, 8, 16, 30, 30])
  })

  it('are used for as long as configured while no new answer is good, and then not at all', async () => {
    const { given, ask, events } = ring()
    await ask('old')
    given.answer = { fault: 'x' }
    given.seconds += 3599
    expect(await ask('old')).toBe('known')
    await settle()
    expect(events).toEqual([{ type: 'signing_keys.unavailable', detail: 'x', usable: true }])
    given.seconds += 1
    expect(await ask('old')).toMatch(/^signing_keys_unavailable/)
  })

  it('are not asked for by every request while they are stale and no answer is good', async () => {
    const { given, ask } = ring()
    await ask('old')
    given.seconds += 600
    given.answer = { fault: 'x' }
    for (let second = 0; second < 60; second += 1) {
      expect(await Promise.all([ask('old'), ask('old')])).toEqual(['known', 'known'])
      await settle()
      given.seconds += 1
    }
    // At 0, 1, 3, 7, 15 and 31 seconds.
    expect(given.asked).toBe(1 + 6)
  })

  it('do not call a kid unknown when the last answer was not good', async () => {
    const { given, ask } = ring()
    await ask('old')
    given.seconds += 31
    given.answer = { fault: 'x' }
    expect([await ask('new'), await ask('random')]).toEqual([
      'signing_keys_unavailable 30',
      'signing_keys_unavailable 30',
    ])
    expect([await ask('old'), given.asked]).toEqual(['known', 2])
    given.answer = { keys: [OLD, NEW] }
    given.seconds += 30
    expect([await ask('new'), await ask('random')]).toEqual(['known', 'unknown'])
  })

  it('are fetched at most once per cool-down for unknown kids also while no answer is good', async () => {
    const { given, ask } = ring()
    await ask('old')
    given.seconds += 31
    given.answer = { fault: 'x' }
    for (let second = 0; second < 60; second += 1) {
      await ask(`random-${second}`)
      given.seconds += 1
    }
    expect(given.asked).toBe(3)
  })

  it('are replaced by an empty set, which is the way to withdraw all keys', async () => {
    const { given, ask } = ring()
    await ask('old')
    given.answer = { keys: [] }
    given.seconds += 31
    expect([await ask('random'), await ask('old')]).toEqual(['unknown', 'unknown'])
  })

  it('outlive a set that is refused, and forget nothing of the one before', async () => {
    const { given, ask, events } = ring()
    await ask('old')
    given.answer = { keys: [{ ...NEW, d: 'AQ' }] }
    given.seconds += 31
    expect(await ask('new')).toMatch(/^signing_keys_unavailable/)
    expect(await ask('old')).toBe('known')
    const detail = 'the answer is refused: it holds private or symmetric keys'
    expect(events).toEqual([{ type: 'signing_keys.unavailable', detail, usable: true }])
  })

  it('do not live for ever by a clock that is set back', async () => {
    const { given, ask } = ring()
    await ask('old')
    given.answer = { fault: 'x' }
    given.seconds -= 7200
    expect(await ask('old')).toMatch(/^signing_keys_unavailable/)
  })

  it('refuse by a clock that answers no time', async () => {
    const { given, ask } = ring()
    await ask('old')
    given.seconds = Number.NaN
    expect(await ask('old')).toMatch(/^signing_keys_unavailable/)
  })
})
