import { generateKeyPairSync } from 'node:crypto'
import { readJwkSet } from '../../lib/jose/jwk-set.js'
import { VerifiedTokens } from '../../lib/jose/verified-tokens.js'
import { PAIRS } from '../support/signing-pairs.js'

const { ES256, ES384, RS256 } = PAIRS
const jwk = (pair: (typeof PAIRS)['ES256'], members: Record<string, unknown> = {}) => ({
  ...pair.publicKey.export({ format: 'jwk' }),
  kid: pair.kid,
  ...members,
})

/** The algorithm of each key of a set, by its kid, or the fault of the set. */
function read(...keys: unknown[]): Record<string, string> | string {
  const set = readJwkSet({ keys })
  return typeof set === 'string' ? set : Object.fromEntries([...set].map(([kid, { alg }]) => [kid, alg]))
}

describe('readJwkSet', () => {
  it('reads keys by the kid that the set gives them, each with its algorithm', () => {
    const keys = [
      jwk(ES256, { kid: 'a' }),
      jwk(ES384, { alg: 'ES384', use: 'sig' }),
      jwk(RS256, { alg: 'PS256' }),
    ]
    expect(read(...keys)).toEqual({ a: 'ES256', [ES384.kid]: 'ES384', [RS256.kid]: 'PS256' })
    expect(read(jwk(RS256, { key_ops: ['verify'] }))).toEqual({ [RS256.kid]: 'RS256' })
  })

  it('reads no private key, whatever the set is given', () => {
    const set = readJwkSet({ keys: [jwk(ES256)] })
    expect(typeof set !== 'string' && set.get(ES256.kid)).toEqual({
      kid: ES256.kid,
      alg: 'ES256',
      publicKey: expect.objectContaining({ type: 'public' }),
      verifiedTokens: expect.any(VerifiedTokens),
    })
  })

  it.each<[string, Record<string, unknown>]>([
    ['for encryption', { use: 'enc' }],
    ['for no operation', { key_ops: [] }],
    ['for signing alone', { key_ops: ['sign'] }],
    ['with operations that are no list', { key_ops: 'verify' }],
    ['of an algorithm that does not fit', { alg: 'ES384' }],
    ['of an HMAC algorithm', { alg: 'HS256' }],
    ['of no algorithm', { alg: 'none' }],
    ['with an algorithm that is no text', { alg: 7 }],
    ['without a kid', { kid: undefined }],
    ['with an empty kid', { kid: '' }],
    ['with a kid that is no text', { kid: 7 }],
    ['with a kid of 257 characters', { kid: 'k'.repeat(257) }],
    ['with a space in its kid', { kid: 'a b' }],
    ['whose point is not on the curve', { x: Buffer.alloc(32, 1).toString('base64url') }],
    ['of an unknown type', { kty: 'AKP' }],
    ['of an unknown curve', { crv: 'secp256k1' }],
  ])('leaves out a key %s, and keeps the others', (_, members) => {
    expect(read(jwk(ES256, members), jwk(RS256))).toEqual({ [RS256.kid]: 'RS256' })
  })

  it('leaves out keys that nothing of ours is signed with', () => {
    const small = generateKeyPairSync('rsa', { modulusLength: 1024 }).publicKey.export({ format: 'jwk' })
    const edwards = generateKeyPairSync('ed25519').publicKey.export({ format: 'jwk' })
    expect(read({ ...small, kid: 'a' }, { ...edwards, kid: 'b' }, null, 7, 'x', [], {})).toEqual({})
  })

  it('reads an empty set', () => {
    expect(read()).toEqual({})
  })

  it.each(['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k'])(
    'refuses a set as a whole for a key with %s',
    (member) => {
      expect(read(jwk(RS256), { ...jwk(ES256, { use: 'enc' }), [member]: null })).toBe(
        'it holds private or symmetric keys',
      )
    },
  )

  it('refuses a set as a whole for a symmetric key', () => {
    expect(read(jwk(ES256), { kty: 'oct' })).toBe('it holds private or symmetric keys')
  })

  it('refuses a set in which two keys have one kid', () => {
    expect(read(jwk(ES256, { kid: 'a' }), jwk(RS256, { kid: 'a' }))).toBe('two of its keys have the same kid')
    expect(read(jwk(ES256, { kid: 'a' }), jwk(RS256, { kid: 'a', use: 'enc' }))).toEqual({ a: 'ES256' })
  })

  it('takes 32 keys and not 33', () => {
    const many = (count: number) => Array.from({ length: count }, (_, i) => jwk(ES256, { kid: String(i) }))
    expect(Object.keys(read(...many(32)))).toHaveLength(32)
    expect(read(...many(33))).toBe('it has more than 32 keys')
  })

  it.each([undefined, null, 7, 'keys', [], [{ kty: 'EC' }], {}, { keys: {} }, { keys: 'a' }, { keys: null }])(
    'refuses a value that is no set: %j',
    (value) => {
      expect(readJwkSet(value)).toBe('it is not a JWK Set')
    },
  )

  it('finds no key by a name that objects have of their own', () => {
    const set = readJwkSet({ keys: [jwk(ES256)] })
    expect(typeof set !== 'string' && [set.get('__proto__'), set.get('constructor')]).toEqual([
      undefined,
      undefined,
    ])
  })
})
