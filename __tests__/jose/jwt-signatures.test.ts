import { createSecretKey, generateKeyPairSync, type KeyObject, sign } from 'node:crypto'
import fc from 'fast-check'
import type { KeyAlgorithm } from '../../lib/jose/jwk.js'
import { signJwt } from '../../lib/jose/jwt.js'
import { compact, encodePart, signatureBytes, withSignature, withSpareBit } from '../support/compact.js'
import { refusalOf } from '../support/deployed.js'
import { PAIRS, type SigningPair } from '../support/signing-pairs.js'
import { verifyJwt } from '../support/verify-jwt.js'

const TYP = 'provisioning-key+jwt'
const CLAIMS = { iat: 1_700_000_000, jti: 'a' }
const ALL = Object.values(PAIRS)

const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 }).publicKey

/** Other keys, each suitable for its algorithm. */
const STRANGERS: Record<KeyAlgorithm, KeyObject> = {
  ES256: generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey,
  ES384: generateKeyPairSync('ec', { namedCurve: 'P-384' }).publicKey,
  ES512: generateKeyPairSync('ec', { namedCurve: 'P-521' }).publicKey,
  RS256: rsa,
  PS256: rsa,
  HS256: createSecretKey(Buffer.alloc(32, 1)),
}

async function reasonFor(token: string, pair: SigningPair): Promise<string> {
  return (await refusalOf(() => verifyJwt(token, { typ: TYP, keyFor: () => pair }))).reason
}

describe('a compact form', () => {
  const pair = PAIRS.ES256
  const header = { alg: 'ES256', typ: TYP, kid: pair.kid, pad: '' }
  const token = compact(header, CLAIMS, pair.privateKey)
  const [h = '', p = '', s = ''] = token.split('.')
  const MALFORMED: [string, string][] = [
    ['nothing', ''],
    ['a word', 'abcd'],
    ['two parts', `${h}.${p}`],
    ['four parts', `${token}.${s}`],
    ['the five parts of a JWE', `${h}.${p}.${s}.${p}.${s}`],
    ['only dots', '..'],
    ['no header', `.${p}.${s}`],
    ['no signature', `${h}.${p}.`],
    ['a space before', ` ${token}`],
    ['a line break after', `${token}\n`],
    ['a line break within', `${h}.\n${p}.${s}`],
    ['padding after the header', `${h}=.${p}.${s}`],
    ['padding after the payload', `${h}.${p}=.${s}`],
    ['padding after the signature', `${token}==`],
    ['base64 in place of base64url', `${h}.${encodePart('{"a":"???>>>"}').replace('_', '/')}.${s}`],
    ['a character of no alphabet', `${h}.${p}.${s.slice(0, -1)}!`],
    ['a part of an impossible length', `${h}.${p}.${s}AAA`],
    ['the JSON serialization', JSON.stringify({ protected: h, payload: p, signature: s })],
    ['a header that is no JSON', `${encodePart('alg')}.${p}.${s}`],
    ['a header that is a list', `${encodePart([header])}.${p}.${s}`],
    ['a header that is null', `${encodePart('null')}.${p}.${s}`],
    ['a header that is a text', `${encodePart('"ES256"')}.${p}.${s}`],
  ]
  it.each(MALFORMED)('with %s is refused as malformed', async (_, malformed) => {
    expect(await reasonFor(malformed, pair)).toBe('key_malformed')
  })

  it('with an empty payload that was signed is refused', async () => {
    const refused = /^(claims_malformed|signature_wrong)$/
    expect(await reasonFor(compact(header, '', pair.privateKey), pair)).toMatch(refused)
  })

  it('has one spelling: a spare bit in any part refuses it', async () => {
    const padded = ['', 'x', 'xx'].map((pad) =>
      compact({ ...header, pad }, { ...CLAIMS, pad }, pair.privateKey),
    )
    const parts = padded.map((text) => text.split('.'))
    const odd = (index: number) => parts.find((three) => (three[index]?.length ?? 0) % 4 !== 0) ?? []
    for (const index of [0, 1, 2]) {
      const spelled = odd(index).map((part, at) => (at === index ? withSpareBit(part) : part))
      const plain = spelled.map((part) => Buffer.from(part, 'base64url').toString('base64url'))
      expect(verifyJwt(plain.join('.'), { typ: TYP, keyFor: () => pair })).toMatchObject(CLAIMS)
      expect(await reasonFor(spelled.join('.'), pair)).toBe('key_malformed')
    }
  })
})

describe('a signature', () => {
  /** Changes to a signature that keep it well-formed base64url. */
  const DAMAGES: Record<string, (bytes: Buffer) => Buffer> = {
    'cut by a byte at its end': (bytes) => bytes.subarray(0, -1),
    'cut by a byte at its beginning': (bytes) => bytes.subarray(1),
    'cut in half': (bytes) => bytes.subarray(0, bytes.length / 2),
    'cut to one byte': (bytes) => bytes.subarray(0, 1),
    'padded with a zero at its end': (bytes) => Buffer.concat([bytes, Buffer.alloc(1)]),
    'padded with a zero at its beginning': (bytes) => Buffer.concat([Buffer.alloc(1), bytes]),
    doubled: (bytes) => Buffer.concat([bytes, bytes]),
    'made of zeros': (bytes) => Buffer.alloc(bytes.length),
    'made of ones': (bytes) => Buffer.alloc(bytes.length, 0xff),
    'turned around': (bytes) => Buffer.from(bytes).reverse(),
    'thousands of bytes long': (bytes) => Buffer.concat([bytes, Buffer.alloc(5000, 1)]),
  }
  const cases = ALL.flatMap((pair) =>
    Object.entries(DAMAGES).map(([title, damage]) => ({ pair, title, damage })),
  )

  it.each(cases)('of $pair.alg that is $title is refused', async ({ pair, damage }) => {
    const token = signJwt(CLAIMS, pair, TYP)
    expect(await reasonFor(withSignature(token, damage(signatureBytes(token))), pair)).toBe('signature_wrong')
  })

  it('of PS256 that has lost its leading zero is refused, although OpenSSL accepts it', async () => {
    // One in 256 signatures begins with a zero.
    let token = signJwt(CLAIMS, PAIRS.PS256, TYP)
    while (signatureBytes(token)[0] !== 0) token = signJwt(CLAIMS, PAIRS.PS256, TYP)
    expect(verifyJwt(token, { typ: TYP, keyFor: () => PAIRS.PS256 })).toEqual(CLAIMS)
    const shorter = withSignature(token, signatureBytes(token).subarray(1))
    expect(await reasonFor(shorter, PAIRS.PS256)).toBe('signature_wrong')
  })

  it.each(ALL)('of $alg holds for no other bit pattern than its own', async (pair) => {
    const token = signJwt(CLAIMS, pair, TYP)
    const bytes = signatureBytes(token)
    const bit = fc.integer({ min: 0, max: bytes.length * 8 - 1 })
    await fc.assert(
      fc.asyncProperty(bit, async (at) => {
        const flipped = Buffer.from(bytes)
        flipped.writeUInt8(flipped.readUInt8(at >> 3) ^ (1 << (at & 7)), at >> 3)
        expect(await reasonFor(withSignature(token, flipped), pair)).toBe('signature_wrong')
      }),
      { numRuns: 25 },
    )
  })

  it.each(ALL)('of $alg holds for no other claims, header or key', async (pair) => {
    const token = signJwt(CLAIMS, pair, TYP)
    const [h, p, s] = token.split('.')
    const other = signJwt({ ...CLAIMS, jti: 'b' }, pair, TYP)
    const richer = encodePart({ alg: pair.alg, typ: TYP, kid: pair.kid, more: true })
    for (const forged of [`${other.slice(0, other.lastIndexOf('.'))}.${s}`, `${richer}.${p}.${s}`]) {
      expect(await reasonFor(forged, pair)).toBe('signature_wrong')
    }
    const stranger = { ...pair, publicKey: STRANGERS[pair.alg] }
    expect(await reasonFor(`${h}.${p}.${s}`, stranger)).toBe('signature_wrong')
  })

  it.each([PAIRS.ES256, PAIRS.ES384, PAIRS.ES512])('of $alg in DER form is refused', async (pair) => {
    const token = signJwt(CLAIMS, pair, TYP)
    const input = Buffer.from(token.slice(0, token.lastIndexOf('.')))
    const der = sign(`sha${pair.alg.slice(2)}`, input, pair.privateKey)
    expect(await reasonFor(withSignature(token, der), pair)).toBe('signature_wrong')
  })
})

describe('a key of one algorithm', () => {
  const pair = PAIRS.RS256
  const { publicKey } = pair
  const SECRETS: [string, string | Buffer][] = [
    ['PEM', publicKey.export({ format: 'pem', type: 'spki' })],
    ['PEM without its last line break', String(publicKey.export({ format: 'pem', type: 'spki' })).trim()],
    ['PKCS#1 PEM', publicKey.export({ format: 'pem', type: 'pkcs1' })],
    ['DER', publicKey.export({ format: 'der', type: 'spki' })],
    ['JWK', JSON.stringify(publicKey.export({ format: 'jwk' }))],
  ]
  it.each(SECRETS)('is no HMAC secret: its %s signs nothing', async (_, text) => {
    const header = { alg: 'HS256', typ: TYP, kid: pair.kid }
    const forged = compact(header, CLAIMS, createSecretKey(Buffer.from(text)), 'HS256')
    expect(await reasonFor(forged, pair)).toBe('key_algorithm_refused')
    const asIfRs256 = compact(
      { ...header, alg: 'RS256' },
      CLAIMS,
      createSecretKey(Buffer.from(text)),
      'HS256',
    )
    expect(await reasonFor(asIfRs256, pair)).toBe('signature_wrong')
  })

  const SWAPS: [KeyAlgorithm, KeyAlgorithm][] = [
    ['RS256', 'PS256'],
    ['PS256', 'RS256'],
  ]
  it.each(SWAPS)('that is for %s verifies no %s, though the key is the same', async (alg, other) => {
    const pair = PAIRS[alg]
    const token = signJwt(CLAIMS, PAIRS[other], TYP)
    expect(await reasonFor(token, pair)).toBe('key_algorithm_refused')
    const renamed = compact({ alg, typ: TYP, kid: pair.kid }, CLAIMS, pair.privateKey, other)
    expect(await reasonFor(renamed, pair)).toBe('signature_wrong')
  })

  it.each(ALL)('that is for $alg verifies nothing that says alg none', async (pair) => {
    for (const alg of ['none', 'NONE', '']) {
      const unsigned = `${encodePart({ alg, typ: TYP, kid: pair.kid })}.${encodePart(CLAIMS)}`
      expect(await reasonFor(`${unsigned}.`, pair)).toBe('key_malformed')
      expect(await reasonFor(`${unsigned}.AAAA`, pair)).toBe('key_algorithm_refused')
    }
  })
})
