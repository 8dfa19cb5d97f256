import crypto, { createPublicKey, type KeyObject, randomBytes } from 'node:crypto'
import { newFaults } from '../../../lib/base/faults.js'
import { signerOf } from '../../../lib/clients/authentication/signature.js'
import { Decoys } from '../../../lib/jose/decoys.js'
import { type ProofAlgorithm, type PublicJwk, thumbprint } from '../../../lib/jose/jwk.js'
import { type ParsedJws, parseJws } from '../../../lib/jose/jws.js'
import { type ClientOptions, readClient, readFoundClient } from '../../../lib/options/client.js'
import type { Client } from '../../../lib/ports/client.js'
import {
  type AssertionParts,
  type ClientKey,
  clientKey,
  signAssertion,
} from '../../support/client-assertion.js'

type Signer = Parameters<typeof signerOf>[0]

const DECOYS = new Decoys()

function isSignedBy(client: Signer, jws: ParsedJws): boolean {
  return signerOf(client, jws, DECOYS) !== undefined
}

/** More keys of a kind than the server tries. */
const EC = Array.from({ length: 8 }, () => clientKey('ES256')) as [ClientKey, ...ClientKey[]]
const [OLDEST, , , , , , SECOND, NEWEST] = EC as [ClientKey, ...ClientKey[]] & { 6: ClientKey; 7: ClientKey }
const STRANGER = clientKey('ES256')
const ED = clientKey('Ed25519')

const jwks = (...keys: PublicJwk[]) => ({ jwks: { keys } })
const named = ({ jwk }: ClientKey, kid: string) => ({ ...jwk, kid })
const jktOf = ({ jwk }: ClientKey) => thumbprint(createPublicKey({ key: { ...jwk }, format: 'jwk' }))
const bound = (keys: readonly ClientKey[]) => ({
  bindings: keys.map((key, index) => {
    const bindingId = `b${index}`
    return { bindingId, confirmation: { jkt: jktOf(key) }, jwk: key.jwk, boundAt: 1, keyId: 'k' }
  }),
})

/** An RSA key without a private key. Its first byte sets the size of its modulus. */
function rsaOf(bits: number, first = 0xc0): PublicJwk {
  const n = randomBytes(bits / 8)
  n[0] = first
  n[bits / 8 - 1] = 0xff
  return { kty: 'RSA', n: n.toString('base64url'), e: 'AQAB' }
}

/** A client from a lookup function, with any keys. */
function found(client: Partial<Client & ClientOptions>) {
  const faults = newFaults()
  const read = readFoundClient({ clientId: 'signer', ...client }, 'client', faults)
  expect(faults.list).toEqual([])
  return read
}

function parsed(assertion: string): ParsedJws {
  const jws = parseJws(assertion)
  if (typeof jws === 'string') throw new Error(jws)
  return jws
}

function signed(key: ClientKey, header: AssertionParts['header'] = {}): ParsedJws {
  const claims = { clientId: 'signer', audience: 'https://auth.example.com', now: 1 }
  return parsed(signAssertion(key, claims, { header }))
}

/** An assertion with any bytes as its signature. */
function forged(header: Record<string, unknown>, signature: Buffer): ParsedJws {
  const [head, payload] = [header, { sub: 'signer' }].map((part) =>
    Buffer.from(JSON.stringify(part)).toString('base64url'),
  )
  return parsed(`${head}.${payload}.${signature.toString('base64url')}`)
}

interface Verification {
  readonly key: KeyObject
  readonly signature: Buffer
}

/** The work to find the key of an assertion. */
function workOf(client: Signer, jws: ParsedJws) {
  // The first signature of a kind also makes the decoy, whoever the client is.
  DECOYS.for(jws.header.alg as ProofAlgorithm, jws.signature)
  const spies = (['createPublicKey', 'createHash', 'verify'] as const).map((name) => jest.spyOn(crypto, name))
  try {
    const holds = isSignedBy(client, jws)
    const [imports, hashes, verifications] = spies.map(({ mock }) => mock.calls.length)
    const calls = (spies[2]?.mock.calls ?? []) as unknown as [unknown, unknown, { key: KeyObject }, Buffer][]
    const verified: Verification[] = calls.map(([, , { key }, signature]) => ({ key, signature }))
    return { holds, counted: { imports, hashes, verifications }, verified }
  } finally {
    for (const spy of spies) spy.mockRestore()
  }
}

const CLIENTS: Record<string, Signer> = {
  'that does not exist': undefined,
  'with a secret alone': found({ clientSecret: randomBytes(32).toString('hex') }),
  'with one EC key': found(jwks(EC[0].jwk)),
  'with eight EC keys': found(jwks(...EC.map(({ jwk }) => jwk))),
  'with eight named EC keys': found(jwks(...EC.map((key, index) => named(key, `kid-${index}`)))),
  'with a key for another use': found(jwks({ ...EC[0].jwk, use: 'enc' })),
  'with a point that is on no curve': found(
    jwks({ ...EC[0].jwk, x: EC[0].jwk.y ?? '', y: EC[0].jwk.x ?? '' }),
  ),
  'with an Ed25519 key': found(jwks(ED.jwk)),
  'with an RSA key of 2048 bits': found(jwks(rsaOf(2048))),
  'with an RSA key of 4096 bits': found(jwks(rsaOf(4096))),
  'with RSA keys of all sizes': found(jwks(...[2048, 3072, 4096].map((bits) => rsaOf(bits)))),
  'with eight RSA keys of 8192 bits': found(jwks(...Array.from({ length: 8 }, () => rsaOf(8192)))),
  'with RSA keys of exponents 3 and 2^64 - 1': found(
    jwks({ ...rsaOf(2048), e: 'Aw' }, { ...rsaOf(2048), e: Buffer.alloc(8, 0xff).toString('base64url') }),
  ),
  'with one bound key': found(bound([EC[0]])),
  'with sixteen bound keys': found(bound([...EC, ...Array.from({ length: 8 }, () => clientKey('ES256'))])),
  'with bound keys alone': found({ ...bound(EC), boundMethods: ['private_key_jwt'] }),
}

const ASSERTIONS: [string, ParsedJws, number][] = [
  ['ES256', signed(STRANGER), 2],
  ['ES256 and a kid that nobody has', signed(STRANGER, { kid: 'nobody' }), 1],
  ['ES256 and a kid that a key declares', signed(STRANGER, { kid: 'kid-3' }), 1],
  ['ES256 and the thumbprint of a key', signed(STRANGER, { kid: jktOf(EC[0]) }), 1],
  ['ES256 and a kid that is no string', signed(STRANGER, { kid: 7 }), 2],
  ['ES384', signed(clientKey('ES384')), 2],
  ['ES512 and a kid', signed(clientKey('ES512'), { kid: 'kid-3' }), 1],
  ['Ed25519', signed(clientKey('Ed25519')), 2],
  ...[2048, 3072, 4096, 8192].flatMap((bits): [string, ParsedJws, number][] => [
    [`RS256 of ${bits} bits`, forged({ alg: 'RS256' }, randomBytes(bits / 8).fill(0x7f, 0, 1)), 2],
    [
      `PS256 of ${bits} bits and a kid`,
      forged({ alg: 'PS256', kid: 'a' }, randomBytes(bits / 8).fill(0x7f, 0, 1)),
      1,
    ],
  ]),
  ['ES256 and a signature that is cut', forged({ alg: 'ES256' }, randomBytes(7)), 2],
]

describe('an attacker who measures the work for an assertion', () => {
  it.each(ASSERTIONS)('learns nothing of any client with %s', (_, jws, tries) => {
    const { kid } = jws.header
    const expected = {
      imports: tries,
      hashes: tries + (typeof kid === 'string' ? 8 : 0),
      verifications: tries,
    }
    for (const [name, client] of Object.entries(CLIENTS)) {
      const { holds, counted } = workOf(client, jws)
      expect({ name, holds, ...counted }).toEqual({ name, holds: false, ...expected })
    }
  })

  it.each(ASSERTIONS)('has the same kinds of keys tried for every client with %s', (_, jws) => {
    const kindsOf = (client: Signer) =>
      workOf(client, jws).verified.map(({ key }) => [key.asymmetricKeyType, key.asymmetricKeyDetails])
    const unknown = kindsOf(undefined)
    for (const [name, client] of Object.entries(CLIENTS))
      expect([name, kindsOf(client)]).toEqual([name, unknown])
  })

  it('cannot make a server verify with a key of more than 4096 bits', () => {
    const client = found(jwks(...Array.from({ length: 8 }, () => rsaOf(8192))))
    const { verified } = workOf(client, forged({ alg: 'RS256' }, randomBytes(1024)))
    expect(verified.map(({ key }) => key.asymmetricKeyDetails?.modulusLength)).toEqual([2048, 2048])
  })

  it('learns nothing of a modulus by a signature that is not below it, which OpenSSL refuses early', () => {
    const client = found(jwks(rsaOf(2048, 0x80), rsaOf(2048, 0x81)))
    const { counted, verified } = workOf(client, forged({ alg: 'RS256' }, Buffer.alloc(256, 0xf0)))
    expect(counted).toEqual({ imports: 2, hashes: 2, verifications: 2 })
    for (const { key, signature } of verified) {
      const modulus = Buffer.from(key.export({ format: 'jwk' }).n ?? '', 'base64url')
      expect(signature.compare(modulus)).toBe(-1)
    }
  })

  it('learns nothing of which of two keys is right', () => {
    const client = found(jwks(SECOND.jwk, NEWEST.jwk))
    const works = [SECOND, NEWEST].map((key) => workOf(client, signed(key)))
    const counted = { imports: 2, hashes: 2, verifications: 2 }
    expect(works).toMatchObject([
      { holds: true, counted },
      { holds: true, counted },
    ])
  })
})

describe('the keys of a client that an assertion can be by', () => {
  const eight = found(jwks(...EC.map(({ jwk }) => jwk)))

  it('are the two newest where it has no kid', () => {
    const client = found({ ...jwks(OLDEST.jwk, SECOND.jwk), ...bound([NEWEST]) })
    expect([OLDEST, SECOND, NEWEST].map((key) => isSignedBy(client, signed(key)))).toEqual([
      false,
      true,
      true,
    ])
    expect(EC.map((key) => isSignedBy(eight, signed(key)))).toEqual([...Array(6).fill(false), true, true])
  })

  it('are those that fit its alg, whatever other keys are newer', () => {
    const client = found(jwks(OLDEST.jwk, ED.jwk, rsaOf(2048), { ...SECOND.jwk, use: 'enc' }))
    expect([OLDEST, ED, SECOND].map((key) => isSignedBy(client, signed(key)))).toEqual([true, true, false])
  })

  it('are each of eight and more by its kid, declared or thumbprint', () => {
    const declaring = found(jwks(...EC.map((key, index) => named(key, `kid-${index}`))))
    for (const [index, key] of EC.entries()) {
      expect(isSignedBy(declaring, signed(key, { kid: `kid-${index}` }))).toBe(true)
      for (const client of [eight, declaring, found(bound(EC))])
        expect(isSignedBy(client, signed(key, { kid: jktOf(key) }))).toBe(true)
    }
  })

  it('are no others than the one of its kid', () => {
    const client = found(jwks(named(OLDEST, 'old'), named(NEWEST, 'new'), SECOND.jwk))
    expect(isSignedBy(client, signed(NEWEST, { kid: 'old' }))).toBe(false)
    expect(isSignedBy(client, signed(SECOND, { kid: 'old' }))).toBe(false)
  })

  it('are the newest without a kid of its own where nobody knows the kid', () => {
    const client = found(jwks(OLDEST.jwk, SECOND.jwk, named(NEWEST, 'new')))
    const kid = { kid: 'unknown' }
    const tried = [OLDEST, SECOND, NEWEST].map((key) => isSignedBy(client, signed(key, kid)))
    expect(tried).toEqual([false, true, false])
  })

  it('are not those that a client has registered where it has the method by its bindings alone', () => {
    const client = found({ ...jwks(OLDEST.jwk), ...bound([NEWEST]), boundMethods: ['private_key_jwt'] })
    expect([OLDEST, NEWEST].map((key) => isSignedBy(client, signed(key)))).toEqual([false, true])
  })

  it('do not include one that was bound under the thumbprint of another', () => {
    const bindings = bound([OLDEST]).bindings.map((binding) => ({ ...binding, jwk: NEWEST.jwk }))
    const client = found({ bindings })
    expect([OLDEST, NEWEST].map((key) => isSignedBy(client, signed(key)))).toEqual([false, false])
    expect(isSignedBy(client, signed(NEWEST, { kid: jktOf(OLDEST) }))).toBe(false)
  })
})

describe('a client that a lookup function finds', () => {
  const eight = { clientId: 'signer', ...jwks(...EC.map(({ jwk }) => jwk)), ...bound(EC) }

  it('has none of its keys imported, so that it takes no longer than one that does not exist', () => {
    const imports = jest.spyOn(crypto, 'createPublicKey')
    try {
      expect(found(eight)).toMatchObject({ clientId: 'signer', authenticationMethods: ['private_key_jwt'] })
      expect(imports).not.toHaveBeenCalled()
    } finally {
      imports.mockRestore()
    }
  })

  it.each([
    ['is private', { ...OLDEST.jwk, d: 'AAAA' }, 'it holds private key material'],
    ['is symmetric', { kty: 'oct', k: 'AAAA' }, 'it holds private key material'],
    ['lacks a member', { ...OLDEST.jwk, y: undefined }, 'it lacks one of crv, kty, x, y'],
    ['is no object', 'a', 'it is not a JSON object'],
  ])('is refused for a key that %s', (_, jwk, why) => {
    const faults = newFaults()
    readFoundClient({ clientId: 'signer', jwks: { keys: [jwk] } }, 'client', faults)
    expect(faults.list).toEqual([
      `client.jwks: expected public keys only (one is refused: ${why}), got an object`,
    ])
  })

  it('is refused in the configuration for a key that cannot be imported', () => {
    const large = rsaOf(8192)
    const [binding] = bound([OLDEST]).bindings
    const client = {
      clientId: 'signer',
      jwks: { keys: [EC[0].jwk, large] },
      bindings: [{ ...binding, jwk: NEWEST.jwk }],
    }
    const faults = newFaults()
    readClient(client, 'clients[0]', faults)
    const refused = 'one is refused: its curve, size or exponent is not accepted'
    expect(faults.list).toEqual([
      `clients[0].jwks: expected public keys only (${refused}), got an object`,
      'clients[0].bindings[0].jwk: expected the public key of which the jkt is the thumbprint, got an object',
    ])
  })
})
