import { RecentMap } from '../../lib/base/recent-map.js'
import { faultsOf, parse } from './faults-of.js'

const SECRET = 'correct-horse-battery-staple-0123'

describe('the option dpop', () => {
  it('defaults to proofs of a minute that need no nonce', () => {
    for (const dpop of [undefined, {}, { proofAgeSeconds: undefined }]) {
      const defaults = {
        proofAgeSeconds: 60,
        nonces: undefined,
        uses: expect.any(WeakMap),
        proofKeys: expect.any(RecentMap),
      }
      expect(parse({ dpop }).deployment.dpop).toEqual(defaults)
    }
    expect(Object.isFrozen(parse().deployment.dpop)).toBe(true)
  })

  it('says how old a proof may be', () => {
    expect(parse({ dpop: { proofAgeSeconds: 300 } }).deployment.dpop.proofAgeSeconds).toBe(300)
  })

  it('makes nonces that last as long as it says, by the clock of the deployment, and for every instance', () => {
    const clock = { seconds: 1_700_000_000 }
    const options = {
      now: () => clock.seconds * 1000,
      dpop: { nonceSecret: SECRET, nonceLifetimeSeconds: 10 },
    }
    const [one, other] = [1, 2].map(() => parse(options).deployment.dpop.nonces)
    const nonce = one?.current() ?? ''
    const verdicts = [0, 10, 20].map((seconds) => {
      clock.seconds = 1_700_000_000 + seconds
      return other?.accepts(nonce)
    })
    expect(verdicts).toEqual([true, true, false])
  })

  it.each([
    ['dpop', null, 'an object, got null'],
    ['dpop', true, 'an object, got true'],
    ['dpop.proofAgeSeconds', { proofAgeSeconds: 301 }, expect.stringContaining('300 seconds, got 301')],
    ['dpop.proofAgeSeconds', { proofAgeSeconds: 0 }, expect.stringContaining('300 seconds, got 0')],
    ['dpop.proofAgeSeconds', { proofAgeSeconds: '60' }, expect.stringContaining('300 seconds, got "60"')],
    [
      'dpop.nonceLifetimeSeconds',
      { nonceLifetimeSeconds: 3601 },
      expect.stringContaining('3600 seconds, got'),
    ],
    [
      'dpop.nonceSecret',
      { nonceSecret: SECRET.slice(0, 31) },
      expect.stringContaining('at least 32 characters'),
    ],
    ['dpop.nonceSecret', { nonceSecret: 42 }, expect.stringContaining('at least 32 characters')],
    ['dpop.nonceSecrets', { nonceSecrets: SECRET }, expect.stringContaining('did you mean nonceSecret?')],
  ])('is refused when %s is wrong: %j', (path, dpop, fault) => {
    const [first = '', ...others] = faultsOf({ dpop })
    expect([first.split(': expected ')[0], others]).toEqual([path, []])
    expect(first.slice(first.indexOf('expected ') + 9)).toEqual(fault)
  })

  it('is refused without a word of the nonce secret', () => {
    expect(faultsOf({ dpop: { nonceSecret: SECRET.slice(0, 31) } }).join()).not.toContain('horse')
  })
})

describe('policy.senderConstraint', () => {
  it.each(['none', 'dpop', 'mtls'])('may be %s', (senderConstraint) => {
    expect(faultsOf({ policy: { senderConstraint }, clients: () => undefined })).toEqual([])
  })

  it.each(['DPoP', 'mTLS', '', null, true, ['dpop']])('may not be %j', (senderConstraint) => {
    expect(faultsOf({ policy: { senderConstraint }, clients: () => undefined })).toEqual([
      expect.stringMatching(/^policy\.senderConstraint: expected none or dpop or mtls, got /),
    ])
  })
})
