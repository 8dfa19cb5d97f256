import { createLocalJWKSet, type JSONWebKeySet, jwtVerify } from 'jose'
import { signJwt } from '../../lib/jose/jwt.js'
import { type ActiveKey, KeyRing, type SigningKey } from '../../lib/jose/key-ring.js'
import { PAIRS } from '../support/signing-pairs.js'

const { ES256, ES384, RS256, HS256 } = PAIRS
const START = 1_700_000_000
const RULES = { now: () => START * 1000, toleranceSeconds: 5, longestLifetimeSeconds: 900 }

function retired({ privateKey: _, ...key }: ActiveKey): SigningKey {
  return key
}

describe('a key ring', () => {
  const ring = new KeyRing(ES256, [retired(ES384), RS256, HS256], RULES)

  it('signs with the active key', () => {
    expect(ring.active()).toBe(ES256)
  })

  it('finds the active and every retired key by kid', () => {
    const found = [ES256, ES384, RS256, HS256].map(({ kid }) => ring.find(kid)?.alg)
    expect(found).toEqual(['ES256', 'ES384', 'RS256', 'HS256'])
  })

  it.each([undefined, '', 'another', '__proto__', 'constructor'])('finds no key for the kid %j', (kid) => {
    expect(ring.find(kid)).toBeUndefined()
  })

  it('publishes the asymmetric keys with their use, the active one first', () => {
    const expected = [ES256, ES384, RS256].map(({ kid, alg, publicKey }) => ({
      ...publicKey.export({ format: 'jwk' }),
      kid,
      alg,
      use: 'sig',
    }))
    expect(ring.jwks()).toEqual({ keys: expected })
  })

  it('publishes nothing that is private or symmetric', () => {
    const names = ring.jwks().keys.flatMap((jwk) => Object.keys(jwk))
    expect(names.filter((name) => ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k'].includes(name))).toEqual([])
    expect(new KeyRing(HS256, [], RULES).jwks()).toEqual({ keys: [] })
  })

  it('publishes the same frozen set each time', () => {
    const set = ring.jwks()
    expect(ring.jwks()).toBe(set)
    expect([set, set.keys, ...set.keys].every(Object.isFrozen)).toBe(true)
  })

  it('publishes a set with which jose verifies what the ring signs, before and after a rotation', async () => {
    const rotated = new KeyRing(RS256, [retired(ES256)], RULES)
    const keys = createLocalJWKSet(rotated.jwks() as JSONWebKeySet)
    for (const key of [ring.active(), rotated.active()]) {
      const token = signJwt({ iat: 1, jti: 'a' }, key, 'provisioning-key+jwt')
      const { protectedHeader } = await jwtVerify(token, keys)
      expect(protectedHeader.kid).toBe(key.kid)
    }
  })
})

/** A ring with a clock that tests can change. */
function turning(active: ActiveKey = ES256, others: readonly SigningKey[] = []) {
  const clock = { seconds: START }
  return { clock, ring: new KeyRing(active, others, { ...RULES, now: () => clock.seconds * 1000 }) }
}

const kidsOf = (ring: KeyRing) => ring.jwks().keys.map(({ kid }) => kid)

describe('a key ring that is rotated', () => {
  it('signs with the next key, and verifies with the one before', () => {
    const { ring } = turning()
    // 5 s of tolerance, 900 s of life, and 5 s of tolerance again.
    expect(ring.rotate(ES384, 0)).toEqual({ kid: ES256.kid, until: START + 910 })
    expect(ring.active()).toBe(ES384)
    expect(ring.find(ES256.kid)).toMatchObject({ kid: ES256.kid, lastIssuedAt: START + 5 })
    expect(ring.find(ES384.kid)).toBe(ES384)
    expect(kidsOf(ring)).toEqual([ES384.kid, ES256.kid])
  })

  it('keeps of the retired key only what verifies', () => {
    const { ring } = turning()
    ring.rotate(ES384, 0)
    expect(ring.find(ES256.kid)?.privateKey).toBeUndefined()
    expect(Object.isFrozen(ring.find(ES256.kid))).toBe(true)
  })

  it('lets a retired key go at the very second at which nothing of it can be in time', () => {
    const { ring, clock } = turning()
    const { until } = ring.rotate(ES384, 0)
    clock.seconds = until - 0.001
    expect(ring.find(ES256.kid)?.kid).toBe(ES256.kid)
    expect(kidsOf(ring)).toEqual([ES384.kid, ES256.kid])
    clock.seconds = until
    expect(ring.find(ES256.kid)).toBeUndefined()
    expect(kidsOf(ring)).toEqual([ES384.kid])
    expect(ring.statusOf(ES256.kid)).toBeUndefined()
  })

  it('keeps a retired key longer by the overlap', () => {
    const { ring } = turning()
    expect(ring.rotate(ES384, 300).until).toBe(START + 1210)
    expect(ring.find(ES256.kid)?.lastIssuedAt).toBe(START + 305)
  })

  it('verifies with a retired key no more while its clock does not tell the time', () => {
    const { ring, clock } = turning()
    ring.rotate(ES384, 0)
    clock.seconds = Number.NaN
    expect(ring.find(ES256.kid)).toBeUndefined()
    expect(ring.find(ES384.kid)).toBe(ES384)
  })

  it('verifies with the keys that it was made with for as long as it lives', () => {
    const { ring, clock } = turning(ES256, [retired(ES384)])
    ring.rotate(RS256, 0)
    clock.seconds += 1_000_000_000
    expect(kidsOf(ring)).toEqual([RS256.kid, ES384.kid])
    expect(ring.find(ES384.kid)?.lastIssuedAt).toBeUndefined()
  })

  it('activates a key that has been waiting, once', () => {
    const { ring } = turning()
    ring.add(retired(ES384))
    expect([ring.statusOf(ES384.kid), ring.find(ES384.kid)?.kid]).toEqual(['waiting', ES384.kid])
    expect(ring.active()).toBe(ES256)
    expect(kidsOf(ring)).toEqual([ES256.kid, ES384.kid])
    ring.rotate(ES384, 0)
    expect(ring.find(ES384.kid)).toBe(ES384)
    expect(kidsOf(ring)).toEqual([ES384.kid, ES256.kid])
    expect([ES256, ES384, RS256].map(({ kid }) => ring.statusOf(kid))).toEqual([
      'retired',
      'active',
      undefined,
    ])
  })

  it('forgets a key that is removed, and never the active one', () => {
    const { ring } = turning(ES256, [RS256])
    ring.rotate(ES384, 0)
    for (const { kid } of [ES256, RS256, ES384]) ring.remove(kid)
    expect([ES256, RS256, ES384].map(({ kid }) => ring.find(kid)?.alg)).toEqual([
      undefined,
      undefined,
      'ES384',
    ])
    expect(kidsOf(ring)).toEqual([ES384.kid])
  })

  it('never publishes a secret, whether it waits, signs or is retired', () => {
    const { ring } = turning()
    ring.add(HS256)
    expect(kidsOf(ring)).toEqual([ES256.kid])
    ring.rotate(HS256, 0)
    expect(kidsOf(ring)).toEqual([ES256.kid])
    ring.rotate(ES384, 0)
    expect(kidsOf(ring)).toEqual([ES384.kid, ES256.kid])
    expect(ring.find(HS256.kid)?.publicKey).toBe(HS256.publicKey)
    expect(JSON.stringify(ring.jwks())).not.toMatch(/"(oct|k|d)"/)
  })

  it('holds no more keys after a thousand rotations than are in time', () => {
    const { ring, clock } = turning()
    for (let i = 0; i < 1_000; i += 1) {
      clock.seconds += 60
      ring.rotate({ ...ES384, kid: `kid-${i}` }, 0)
    }
    expect(kidsOf(ring).length).toBeLessThan(20)
  })

  it('publishes the same set until something changes', () => {
    const { ring, clock } = turning()
    const changes = [
      () => ring.add(RS256),
      () => ring.rotate(ES384, 0),
      () => ring.remove(RS256.kid),
      () => {
        clock.seconds += 1_000
      },
    ]
    for (const change of changes) {
      const before = ring.jwks()
      expect(ring.jwks()).toBe(before)
      change()
      expect(ring.jwks()).not.toBe(before)
    }
  })
})
