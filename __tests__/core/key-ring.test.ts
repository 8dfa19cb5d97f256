import { createLocalJWKSet, type JSONWebKeySet, jwtVerify } from 'jose'
import { signJwt } from '../../lib/core/jwt.js'
import { type ActiveKey, keyRing, type SigningKey } from '../../lib/core/key-ring.js'
import { PAIRS } from './signing-pairs.js'

const { ES256, ES384, RS256, HS256 } = PAIRS

function retired({ privateKey: _, ...key }: ActiveKey): SigningKey {
  return key
}

describe('keyRing', () => {
  const ring = keyRing(ES256, [retired(ES384), RS256, HS256])

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

  it('publishes the asymmetric keys, the active one first, with what they are for', () => {
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
    expect(keyRing(HS256, []).jwks()).toEqual({ keys: [] })
  })

  it('publishes the same frozen set each time', () => {
    const set = ring.jwks()
    expect(ring.jwks()).toBe(set)
    expect([set, set.keys, ...set.keys].every(Object.isFrozen)).toBe(true)
  })

  it('publishes a set with which jose verifies what the ring signs, before and after a rotation', async () => {
    const rotated = keyRing(RS256, [retired(ES256)])
    const keys = createLocalJWKSet(rotated.jwks() as JSONWebKeySet)
    for (const key of [ring.active(), rotated.active()]) {
      const token = signJwt({ iat: 1, jti: 'a' }, key, 'provisioning-key+jwt')
      const { protectedHeader } = await jwtVerify(token, keys)
      expect(protectedHeader.kid).toBe(key.kid)
    }
  })
})
