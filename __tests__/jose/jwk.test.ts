import { createPublicKey, createSecretKey, generateKeyPairSync, type KeyObject } from 'node:crypto'
import fc from 'fast-check'
import { calculateJwkThumbprint, exportJWK, generateKeyPair, type JWK } from 'jose'
import { algorithmsFor, importPublicJwk, publicJwk, thumbprint } from '../../lib/jose/jwk.js'

/** RFC 7638 3.1. */
const RFC_7638_KEY = {
  kty: 'RSA',
  n:
    '0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknj' +
    'hMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQ' +
    'vRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzK' +
    'nqDKgw',
  e: 'AQAB',
  alg: 'RS256',
  kid: '2011-04-29',
}

const ec = (namedCurve: string) => generateKeyPairSync('ec', { namedCurve })
const rsa = (modulusLength: number) => generateKeyPairSync('rsa', { modulusLength })
const rsaWith = (publicExponent: number) =>
  generateKeyPairSync('rsa', { modulusLength: 2048, publicExponent }).publicKey
/** Made from a modulus, because the search for large primes takes long. */
const rsaOf = (bits: number) =>
  createPublicKey({ key: { kty: 'RSA', n: modulus(bits), e: 'AQAB' }, format: 'jwk' })
const hmac = (bytes: number) => createSecretKey(Buffer.alloc(bytes, 7))

const PAIRS = { 'P-256': ec('P-256'), 'P-384': ec('P-384'), 'P-521': ec('P-521'), 'RSA 2048': rsa(2048) }
const p256 = PAIRS['P-256'].publicKey.export({ format: 'jwk' })

/** A random odd number with so many bits. */
function modulus(bits: number): string {
  return Buffer.alloc(bits / 8, 0xff).toString('base64url')
}

/** The same number with a leading zero, which is another text (RFC 7518 2). */
function withZero(number = ''): string {
  return Buffer.concat([Buffer.alloc(1), Buffer.from(number, 'base64url')]).toString('base64url')
}

function imported(jwk: unknown): KeyObject {
  const key = importPublicJwk(jwk)
  if (typeof key === 'string') throw new Error(key)
  return key
}

describe('thumbprint', () => {
  it('is that of the example in RFC 7638 3.1', () => {
    expect(thumbprint(imported(RFC_7638_KEY))).toBe('NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs')
  })

  it.each(Object.entries(PAIRS))(
    'of a key on %s is what jose calculates, for both halves',
    async (_, pair) => {
      const expected = await calculateJwkThumbprint(pair.publicKey.export({ format: 'jwk' }) as JWK)
      expect([thumbprint(pair.privateKey), thumbprint(pair.publicKey)]).toEqual([expected, expected])
    },
  )

  it('of a secret is what jose calculates', async () => {
    const jwk = { kty: 'oct', k: Buffer.alloc(32, 7).toString('base64url') }
    expect(thumbprint(hmac(32))).toBe(await calculateJwkThumbprint(jwk))
  })

  it('does not depend on further members, nor on how the required ones are ordered', () => {
    const further = fc.dictionary(fc.stringMatching(/^[a-z]{1,3}_$/), fc.jsonValue(), { maxKeys: 5 })
    const order = fc.shuffledSubarray(Object.entries(p256), { minLength: Object.keys(p256).length })
    fc.assert(
      fc.property(further, order, (more, members) => {
        expect(thumbprint(imported({ ...more, ...Object.fromEntries(members) }))).toBe(
          thumbprint(PAIRS['P-256'].publicKey),
        )
      }),
      { numRuns: 30 },
    )
  })
})

describe('algorithmsFor', () => {
  const cases: [string, KeyObject, string[]][] = [
    ['P-256', PAIRS['P-256'].privateKey, ['ES256']],
    ['P-384', PAIRS['P-384'].publicKey, ['ES384']],
    ['P-521', PAIRS['P-521'].publicKey, ['ES512']],
    ['secp256k1', ec('secp256k1').publicKey, []],
    ['RSA of 2048 bits', PAIRS['RSA 2048'].publicKey, ['RS256', 'PS256']],
    ['RSA of 2040 bits', rsa(2040).publicKey, []],
    ['RSA of 1024 bits', rsa(1024).publicKey, []],
    ['RSA of 2056 bits', rsaOf(2056), []],
    ['RSA of 3072 bits', rsaOf(3072), ['RS256', 'PS256']],
    ['RSA of 4096 bits', rsaOf(4096), ['RS256', 'PS256']],
    ['RSA of 4104 bits', rsaOf(4104), []],
    ['RSA of 8192 bits', rsaOf(8192), []],
    ['RSA of exponent 3', rsaWith(3), []],
    ['RSA of exponent 65539', rsaWith(65539), []],
    ['RSA for PSS alone', generateKeyPairSync('rsa-pss', { modulusLength: 2048 }).publicKey, []],
    ['Ed25519', generateKeyPairSync('ed25519').publicKey, []],
    ['X25519', generateKeyPairSync('x25519').publicKey, []],
    ['an HMAC secret of 256 bits', hmac(32), ['HS256']],
    ['an HMAC secret of 248 bits', hmac(31), []],
  ]
  it.each(cases)('of a key that is %s are the strong ones it can be used with', (_, key, algorithms) => {
    expect(algorithmsFor(key)).toEqual(algorithms)
  })
})

describe('publicJwk', () => {
  it.each(Object.entries(PAIRS))(
    'of a key on %s has the required members alone, and is frozen',
    (_, pair) => {
      const jwk = publicJwk(pair.privateKey)
      const names = jwk.kty === 'RSA' ? ['e', 'kty', 'n'] : ['crv', 'kty', 'x', 'y']
      expect(Object.keys(jwk).sort()).toEqual(names)
      expect(jwk).toEqual(pair.publicKey.export({ format: 'jwk' }))
      expect(Object.isFrozen(jwk)).toBe(true)
    },
  )

  it('of a secret has no secret in it', () => {
    expect(publicJwk(hmac(32))).toEqual({ kty: 'oct' })
  })
})

describe('importPublicJwk', () => {
  it.each(['ES256', 'ES384', 'ES512', 'RS256', 'PS256', 'Ed25519'])(
    'reads a key that jose made for %s',
    async (alg) => {
      const { publicKey } = await generateKeyPair(alg, { extractable: true })
      const jwk = await exportJWK(publicKey)
      expect(imported({ ...jwk, use: 'sig', kid: 'any', alg }).export({ format: 'jwk' })).toEqual(jwk)
    },
  )

  const privateEc = PAIRS['P-256'].privateKey.export({ format: 'jwk' })
  const privateRsa = PAIRS['RSA 2048'].privateKey.export({ format: 'jwk' })
  const holdsPrivate = 'it holds private key material'
  const neither = 'its kty is none of EC, OKP, RSA'
  const notAccepted = 'its curve, size or exponent is not accepted'
  const notCanonical = 'it is not in its canonical form'
  const invalid = 'it is not a valid key'
  const REFUSED: [string, unknown, string][] = [
    ['nothing', undefined, 'it is not a JSON object'],
    ['null', null, 'it is not a JSON object'],
    ['a text', JSON.stringify(p256), 'it is not a JSON object'],
    ['a list', [p256], 'it is not a JSON object'],
    ['a private EC key', privateEc, holdsPrivate],
    ['a private RSA key', privateRsa, holdsPrivate],
    ['a key with one private member, even null', { ...p256, d: null }, holdsPrivate],
    ['an RSA key with other primes', { ...RFC_7638_KEY, oth: [] }, holdsPrivate],
    ['a symmetric key', { kty: 'oct', k: 'AAAA' }, holdsPrivate],
    ['a symmetric key without its secret', { kty: 'oct' }, neither],
    ['a key without kty', { ...p256, kty: undefined }, neither],
    ['a kty that is a list', { ...p256, kty: ['EC'] }, neither],
    ['a kty in lower case', { ...p256, kty: 'ec' }, neither],
    ['a key on X25519', generateKeyPairSync('x25519').publicKey.export({ format: 'jwk' }), notAccepted],
    ['an OKP key without x', { kty: 'OKP', crv: 'Ed25519' }, 'it lacks one of crv, kty, x'],
    ['an Ed25519 key that is too short', { kty: 'OKP', crv: 'Ed25519', x: 'AAAA' }, invalid],
    ['an EC key without y', { ...p256, y: undefined }, 'it lacks one of crv, kty, x, y'],
    ['an EC key whose x is a number', { ...p256, x: 1 }, 'it lacks one of crv, kty, x, y'],
    ['an RSA key without e', { ...RFC_7638_KEY, e: undefined }, 'it lacks one of e, kty, n'],
    ['an EC key of an unknown curve', { ...p256, crv: 'P-257' }, invalid],
    ['a point that is not on the curve', { ...p256, x: p256.y, y: p256.x }, invalid],
    ['an EC key with empty coordinates', { ...p256, x: '', y: '' }, invalid],
    ['a key on secp256k1', ec('secp256k1').publicKey.export({ format: 'jwk' }), notAccepted],
    ['an RSA key of 1024 bits', rsa(1024).publicKey.export({ format: 'jwk' }), notAccepted],
    ['an RSA key of 4104 bits', { ...RFC_7638_KEY, n: modulus(4104) }, notAccepted],
    ['an RSA key of 8192 bits', { ...RFC_7638_KEY, n: modulus(8192) }, notAccepted],
    ['an RSA key of 16384 bits', { ...RFC_7638_KEY, n: modulus(16384) }, notAccepted],
    ['an RSA key whose exponent is 1', { ...RFC_7638_KEY, e: 'AQ' }, notAccepted],
    ['an RSA key whose exponent is 3', { ...RFC_7638_KEY, e: 'Aw' }, notAccepted],
    ['an RSA key whose exponent is 0', { ...RFC_7638_KEY, e: 'AA' }, notAccepted],
    ['an RSA key whose exponent is even', { ...RFC_7638_KEY, e: 'AQAA' }, notAccepted],
    ['an RSA key whose exponent has 65 bits', { ...RFC_7638_KEY, e: 'AQAAAAAAAAAB' }, notAccepted],
    [
      'an RSA key whose exponent is as long as its modulus',
      { ...RFC_7638_KEY, e: RFC_7638_KEY.n },
      notAccepted,
    ],
    ['an exponent with a zero before it', { ...RFC_7638_KEY, e: 'AAEAAQ' }, notCanonical],
    ['a modulus with a zero before it', { ...RFC_7638_KEY, n: withZero(RFC_7638_KEY.n) }, notCanonical],
    ['a coordinate with a zero before it', { ...p256, x: withZero(p256.x) }, notCanonical],
    ['a coordinate with padding', { ...p256, x: `${p256.x}=` }, notCanonical],
    ['a coordinate with spaces', { ...p256, x: ` ${p256.x}` }, notCanonical],
    [
      'a coordinate in base64',
      { ...p256, x: Buffer.from(p256.x ?? '', 'base64url').toString('base64') },
      notCanonical,
    ],
  ]
  it.each(REFUSED)('refuses %s in words', (_, value, fault) => {
    expect(importPublicJwk(value)).toBe(fault)
  })

  it.each(['constructor', 'toString', 'valueOf', '__proto__', 'hasOwnProperty'])(
    'refuses the kty %s, which every object has a member for',
    (kty) => {
      expect(importPublicJwk({ kty })).toBe(neither)
    },
  )

  it('never throws, whatever a stranger sends', () => {
    const member = fc.oneof(fc.constantFrom('AQAB', 'P-256', p256.x, RFC_7638_KEY.n, ''), fc.jsonValue())
    const kty = fc.oneof(fc.constantFrom('EC', 'RSA', 'oct', 'OKP'), fc.string())
    const jwk = fc.record(
      { kty, crv: member, x: member, y: member, n: member, e: member },
      { requiredKeys: [] },
    )
    fc.assert(
      fc.property(fc.oneof(jwk, fc.anything()), (value) => {
        const key = importPublicJwk(value)
        expect(typeof key === 'string' || key.type === 'public').toBe(true)
      }),
    )
  })
})
