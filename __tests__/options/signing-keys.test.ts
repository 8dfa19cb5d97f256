import { createSecretKey, generateKeyPairSync, type KeyObject, randomBytes, webcrypto } from 'node:crypto'
import { decodeProtectedHeader, jwtVerify } from 'jose'
import { generate } from 'selfsigned'
import { ConfigurationError } from '../../lib/base/errors.js'
import type { KeyAlgorithm } from '../../lib/jose/jwk.js'
import { generateSigningKeys } from '../../lib/options/generated-keys.js'
import { verifyGenuine } from '../../lib/tokens/issued-token.js'
import { newKey, PROVISIONING_KEY, signKey } from '../../lib/tokens/provisioning-key.js'
import { AUDIENCE, START } from '../support/deployed.js'
import { faultsOf, parse } from './faults-of.js'

const ec = (namedCurve = 'P-256') => generateKeyPairSync('ec', { namedCurve })
const rsa = (modulusLength = 2048) => generateKeyPairSync('rsa', { modulusLength })
const [EC, OTHER, RSA] = [ec(), ec(), rsa()]
const SECRET = randomBytes(32)

const pem = (key: KeyObject, type: 'pkcs8' | 'sec1' | 'pkcs1' | 'spki') =>
  key.export({ format: 'pem', type } as never) as string
const jwk = (key: KeyObject) => key.export({ format: 'jwk' })
const oct = (bytes: Buffer) => ({ kty: 'oct', k: bytes.toString('base64url') })

const USABLE =
  'an EC key on P-256, P-384 or P-521, an RSA key of 2048, 3072 or 4096 bits with the exponent 65537, ' +
  'or an HMAC secret of at least 256 bits'

describe('a signing key', () => {
  const KINDS: [string, unknown, KeyAlgorithm][] = [
    ['a PEM in PKCS#8', pem(EC.privateKey, 'pkcs8'), 'ES256'],
    ['a PEM in SEC 1', pem(EC.privateKey, 'sec1'), 'ES256'],
    ['a PEM in PKCS#1', pem(RSA.privateKey, 'pkcs1'), 'RS256'],
    [
      'a PEM with other line breaks, and more of them',
      `\n\n${pem(EC.privateKey, 'pkcs8').replaceAll('\n', '\r\n')}\n`,
      'ES256',
    ],
    ['a PEM with its algorithm', { key: pem(RSA.privateKey, 'pkcs8'), alg: 'PS256' }, 'PS256'],
    ['a JWK', jwk(EC.privateKey), 'ES256'],
    [
      'a JWK with further members',
      { ...jwk(RSA.privateKey), use: 'sig', kid: 'mine', alg: 'RS256' },
      'RS256',
    ],
    ['a JWK that says its algorithm', { ...jwk(RSA.privateKey), alg: 'PS256' }, 'PS256'],
    ['a wrapped JWK that says its algorithm', { key: { ...jwk(RSA.privateKey), alg: 'PS256' } }, 'PS256'],
    ['a KeyObject', EC.privateKey, 'ES256'],
    ['a wrapped KeyObject', { key: RSA.privateKey, alg: 'PS256' }, 'PS256'],
    ['a list of one', [EC.privateKey], 'ES256'],
    ['on P-384', ec('P-384').privateKey, 'ES384'],
    ['on P-521', pem(ec('P-521').privateKey, 'sec1'), 'ES512'],
    ['a secret of 256 bits', createSecretKey(SECRET), 'HS256'],
    ['a secret as JWK', oct(SECRET), 'HS256'],
    ['a wrapped secret', { key: oct(SECRET), alg: 'HS256' }, 'HS256'],
  ]
  it.each(KINDS)('that is %s mints keys that verify', async (_, signingKeys, alg) => {
    const { deployment } = parse({ signingKeys, now: () => START * 1000 })
    const terms = { subject: 'a', scope: ['a'], audience: AUDIENCE, lifetimeSeconds: 60, networks: undefined }
    const key = signKey(deployment, newKey(deployment, { clientId: 'a', ancestors: [] }, terms, undefined))
    expect(verifyGenuine(deployment, PROVISIONING_KEY, key)).toMatchObject({ sub: 'a' })
    const active = deployment.keyRing.active()
    expect(decodeProtectedHeader(key)).toMatchObject({ alg, kid: active.kid })
    await jwtVerify(key, active.publicKey, { algorithms: [alg], currentDate: new Date(START * 1000) })
  })

  it('in the tail may be a public one: it verifies, and never signs', async () => {
    const { cert } = await generate([{ name: 'commonName', value: 'old' }], {
      keySize: 2048,
      algorithm: 'sha256',
    })
    const tail = [pem(OTHER.publicKey, 'spki'), RSA.publicKey, jwk(ec().publicKey), cert]
    const { keyRing } = parse({ signingKeys: [EC.privateKey, ...tail] }).deployment
    expect(keyRing.jwks().keys).toHaveLength(5)
    const retired = keyRing
      .jwks()
      .keys.slice(1)
      .map(({ kid }) => keyRing.find(String(kid)))
    expect(retired.map((key) => [key?.publicKey.type, key?.privateKey])).toEqual(
      Array(4).fill(['public', undefined]),
    )
  })

  it('that is rotated still verifies its own signatures', () => {
    const before = parse({ signingKeys: EC.privateKey }).deployment
    const terms = { subject: 'a', scope: ['a'], audience: AUDIENCE, lifetimeSeconds: 60, networks: undefined }
    const key = signKey(before, newKey(before, { clientId: 'a', ancestors: [] }, terms, undefined))
    const after = parse({ signingKeys: [OTHER.privateKey, EC.publicKey] }).deployment
    expect(verifyGenuine(after, PROVISIONING_KEY, key)).toMatchObject({ sub: 'a' })
  })

  it('is read once: what its JWK becomes later changes nothing', () => {
    const material: Record<string, unknown> = { ...jwk(EC.privateKey) }
    const list: unknown[] = [material]
    const { keyRing } = parse({ signingKeys: list }).deployment
    const { kid } = keyRing.active()
    Object.assign(material, jwk(OTHER.privateKey))
    list.unshift(OTHER.privateKey)
    expect(keyRing.active().kid).toBe(kid)
  })
})

/** The JWK of a private key with the public members of another key. */
function swapped(one: { privateKey: KeyObject }, other: { publicKey: KeyObject }) {
  return { ...jwk(one.privateKey), ...jwk(other.publicKey) }
}

/** Node 24 and newer cannot import a JWK that consists of two keys. */
const IMPORTS_TWO_KEYS = Number.parseInt(process.versions.node, 10) < 24

describe('a signing key is refused', () => {
  const material = 'a PEM, a JWK or a KeyObject'
  const twoKeys = IMPORTS_TWO_KEYS
    ? 'a private key with its own public key, got one with the public key of another'
    : `${material}, got an object`
  const REFUSED: [string, unknown, string][] = [
    ['text that is no PEM', 'correct-horse-battery-staple', `${material}, got text that is not a PEM key`],
    ['an empty text', '', `${material}, got an empty text`],
    ['half a PEM', pem(EC.privateKey, 'pkcs8').slice(0, 80), `${material}, got text that is not a PEM key`],
    ['a number', 42, `${material}, got 42`],
    ['null', null, `${material}, got null`],
    ['an empty object', {}, `${material}, got an object`],
    ['an object around nothing', { key: undefined }, `${material}, got undefined`],
    ['a Buffer', SECRET, `${material}, got an object`],
    ['a broken JWK', { kty: 'EC', crv: 'P-256', x: 'a', y: 'b', d: 'c' }, `${material}, got an object`],
    [
      'an HMAC secret of 248 bits',
      createSecretKey(SECRET.subarray(1)),
      `${USABLE}, got an HMAC secret of 248 bits`,
    ],
    ['a short secret as JWK', oct(SECRET.subarray(8)), `${USABLE}, got an HMAC secret of 192 bits`],
    ['a JWK without its secret', { kty: 'oct' }, `${material}, got an object`],
    ['a JWK with a passphrase', { kty: 'oct', k: 'correct horse '.repeat(5) }, `${material}, got an object`],
    ['a JWK with an empty secret', { kty: 'oct', k: '' }, `${USABLE}, got an HMAC secret of 0 bits`],
    ['an EC key with the public key of another', swapped(EC, OTHER), twoKeys],
    ['an RSA key with the public key of another', swapped(RSA, rsa()), twoKeys],
    ['RSA of 1024 bits', rsa(1024).privateKey, `${USABLE}, got a key of type rsa of 1024 bits`],
    ['secp256k1', ec('secp256k1').privateKey, `${USABLE}, got a key of type ec on secp256k1`],
    ['Ed25519', generateKeyPairSync('ed25519').privateKey, `${USABLE}, got a key of type ed25519`],
  ]
  it.each(REFUSED)('when it is %s', (_, signingKeys, fault) => {
    const [first, ...others] = faultsOf({ signingKeys })
    expect(first).toEqual(`signingKeys[0]: expected ${fault}`)
    expect(others).toEqual([])
  })

  it.each([
    ['alg none', EC.privateKey, 'none', 'ES256'],
    ['an alg of another curve', EC.privateKey, 'ES384', 'ES256'],
    ['an alg of another kind', EC.privateKey, 'RS256', 'ES256'],
    ['HS256 for an RSA key', RSA.privateKey, 'HS256', 'RS256 or PS256'],
    ['an alg that is too weak', RSA.privateKey, 'RS1', 'RS256 or PS256'],
    ['an alg in lower case', RSA.privateKey, 'ps256', 'RS256 or PS256'],
    ['RS256 for a secret', createSecretKey(SECRET), 'RS256', 'HS256'],
  ])('when it is to be used with %s', (_, key, alg, possible) => {
    const fault = `signingKeys[0].alg: expected ${possible} for this key, got "${alg}"`
    expect(faultsOf({ signingKeys: { key, alg } })).toEqual([fault])
    if (key.type === 'private') expect(faultsOf({ signingKeys: { ...jwk(key), alg } })).toEqual([fault])
  })

  it('when it is a CryptoKey, whose material may not be had', async () => {
    const pair = await webcrypto.subtle.generateKey({ name: 'ECDSA', namedCurve: 'P-256' }, false, ['sign'])
    expect(faultsOf({ signingKeys: pair.privateKey })).toEqual([
      expect.stringMatching(/^signingKeys\[0\]: expected /),
    ])
  })

  it.each([
    [undefined, 'undefined'],
    [[], 'an empty list'],
  ])('when there is none: %j', (signingKeys, got) => {
    expect(faultsOf({ signingKeys })).toEqual([
      `signingKeys: expected a PEM, a JWK, a KeyObject, or generateSigningKeys('ES256'), got ${got}`,
    ])
  })

  it('when it is public and stands first', () => {
    expect(faultsOf({ signingKeys: [EC.publicKey, OTHER.privateKey] })).toEqual([
      'signingKeys[0]: expected a private key, because the first key signs, got a public key',
    ])
  })

  it('when it is in the list twice, in whatever form', () => {
    for (const again of [
      EC.privateKey,
      pem(EC.publicKey, 'spki'),
      { key: jwk(EC.privateKey), alg: 'ES256' },
    ]) {
      expect(faultsOf({ signingKeys: [EC.privateKey, OTHER.publicKey, again] })).toEqual([
        'signingKeys[2]: expected a key that is not in the list yet, got the same key again',
      ])
    }
  })

  it('with the name that was meant, when it is wrapped with another', () => {
    expect(faultsOf({ signingKeys: { key: EC.privateKey, algo: 'ES256' } })).toEqual([
      'signingKeys[0].algo: expected a known option; did you mean alg? got an unknown name',
    ])
  })

  it('anywhere in the list, all of them together', () => {
    const faults = faultsOf({ signingKeys: [EC.privateKey, 'a', { key: RSA.privateKey, alg: 'none' }, 7] })
    expect(faults.map((fault) => fault.split(':')[0])).toEqual([
      'signingKeys[1]',
      'signingKeys[2].alg',
      'signingKeys[3]',
    ])
  })
})

describe('generateSigningKeys', () => {
  it.each(['ES256', 'ES384', 'ES512', 'RS256', 'PS256', 'HS256'] as const)('makes a key for %s', (alg) => {
    const { keyRing } = parse({ signingKeys: generateSigningKeys(alg) }).deployment
    expect(keyRing.active().alg).toBe(alg)
  })

  it('makes another ES256 key each time', () => {
    const kids = [1, 2].map(() => parse({ signingKeys: generateSigningKeys() }).deployment.keyRing.active())
    expect(kids.map(({ alg }) => alg)).toEqual(['ES256', 'ES256'])
    expect(kids[0]?.kid).not.toBe(kids[1]?.kid)
  })

  it.each(['none', 'HS512', 'es256', '', 'constructor', '__proto__', null])('refuses %j', (alg) => {
    const message = `alg: expected one of ES256, ES384, ES512, RS256, PS256, HS256, got ${JSON.stringify(alg)}`
    expect(() => generateSigningKeys(alg as KeyAlgorithm)).toThrow(new ConfigurationError([message]))
  })
})
