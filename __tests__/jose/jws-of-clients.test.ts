import { constants, generateKeyPairSync, type KeyObject, sign } from 'node:crypto'
import { CompactSign, compactVerify } from 'jose'
import { importPublicJwk } from '../../lib/jose/jwk.js'
import { type ParsedJws, parseJws, verifiesWith } from '../../lib/jose/jws.js'
import { encodePart, signatureBytes, withSignature } from '../support/compact.js'

const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 })
const okp = generateKeyPairSync('ed25519')
const PAIRS: Record<string, { readonly publicKey: KeyObject; readonly privateKey: KeyObject }> = {
  ES256: generateKeyPairSync('ec', { namedCurve: 'P-256' }),
  ES384: generateKeyPairSync('ec', { namedCurve: 'P-384' }),
  ES512: generateKeyPairSync('ec', { namedCurve: 'P-521' }),
  RS256: rsa,
  PS256: rsa,
  EdDSA: okp,
  Ed25519: okp,
}
const ALGORITHMS = Object.keys(PAIRS)

function parsed(token: string): ParsedJws {
  const jws = parseJws(token)
  if (typeof jws === 'string') throw new Error(jws)
  return jws
}

function signedByJose(alg: string, payload = '{"a":1}'): Promise<string> {
  const signing = new CompactSign(Buffer.from(payload)).setProtectedHeader({ alg, typ: 'dpop+jwt' })
  return signing.sign(pairOf(alg).privateKey)
}

function pairOf(alg: string) {
  const pair = PAIRS[alg]
  if (pair === undefined) throw new Error(`no key for ${alg}`)
  return pair
}

/** The same token with another algorithm in its header, and the old signature. */
function relabelled(token: string, alg: string): string {
  return [encodePart({ alg, typ: 'dpop+jwt' }), ...token.split('.').slice(1)].join('.')
}

describe.each(ALGORITHMS)('a signature that jose made with %s', (alg) => {
  it('verifies with its key, and with no other', async () => {
    const token = await signedByJose(alg)
    const jws = parsed(token)
    expect(jws).toMatchObject({ header: { alg, typ: 'dpop+jwt' }, claims: { a: 1 } })
    expect(verifiesWith(jws, pairOf(alg).publicKey)).toBe(true)
    const { publicKey, privateKey } = another(alg)
    expect(verifiesWith(jws, publicKey)).toBe(false)
    const foreign = await new CompactSign(Buffer.from('{"a":1}')).setProtectedHeader({ alg }).sign(privateKey)
    expect(verifiesWith(parsed(foreign), pairOf(alg).publicKey)).toBe(false)
  })

  it('verifies with its key when that comes as a JWK', async () => {
    const key = importPublicJwk(pairOf(alg).publicKey.export({ format: 'jwk' }))
    expect(verifiesWith(parsed(await signedByJose(alg)), key as KeyObject)).toBe(true)
  })

  it('verifies for nothing else', async () => {
    const [token, other] = [await signedByJose(alg), await signedByJose(alg, '{"a":2}')]
    expect(verifiesWith(parsed(withSignature(token, signatureBytes(other))), pairOf(alg).publicKey)).toBe(
      false,
    )
  })

  it('verifies under no other alg, with its own key or any', async () => {
    const token = await signedByJose(alg)
    // EdDSA and Ed25519 name one algorithm. But the signed text contains the name, so they are not interchangeable.
    for (const name of [
      ...ALGORITHMS,
      'none',
      'HS256',
      'RS512',
      'ES256K',
      alg.toLowerCase(),
      '',
      null,
      [alg],
    ]) {
      if (name === alg) continue
      const jws = parsed(relabelled(token, name as string))
      for (const { publicKey } of Object.values(PAIRS)) expect(verifiesWith(jws, publicKey)).toBe(false)
    }
  })

  it('is refused when it is truncated, extended, or altered anywhere', async () => {
    const token = await signedByJose(alg)
    const bytes = signatureBytes(token)
    const half = bytes.length / 2
    const flipped = [0, half, bytes.length - 1].map((at) => {
      const copy = Buffer.from(bytes)
      copy[at] = (copy[at] ?? 0) ^ 1
      return copy
    })
    const wrong = [
      ...[1, 2, half, bytes.length - 1].map((left) => bytes.subarray(0, left)),
      ...[
        bytes.subarray(1),
        Buffer.concat([bytes, Buffer.alloc(1)]),
        Buffer.concat([Buffer.alloc(1), bytes]),
      ],
      ...[Buffer.concat([bytes, bytes]), Buffer.alloc(bytes.length), Buffer.alloc(bytes.length, 255)],
      ...flipped,
    ]
    const verdicts = wrong.map((one) =>
      verifiesWith(parsed(withSignature(token, one)), pairOf(alg).publicKey),
    )
    expect(verdicts).toEqual(wrong.map(() => false))
    expect(typeof parseJws(withSignature(token, ''))).toBe('string')
  })

  it('does not verify with an unsuitable key, like jose', async () => {
    const token = await signedByJose(alg)
    for (const [name, { publicKey }] of Object.entries(PAIRS)) {
      const byJose = await compactVerify(token, publicKey).then(
        () => true,
        () => false,
      )
      expect([name, verifiesWith(parsed(token), publicKey)]).toEqual([name, byJose])
    }
  })
})

function another(alg: string) {
  if (alg === 'RS256' || alg === 'PS256') return generateKeyPairSync('rsa', { modulusLength: 2048 })
  if (alg.startsWith('Ed')) return generateKeyPairSync('ed25519')
  return generateKeyPairSync('ec', { namedCurve: { ES256: 'P-256', ES384: 'P-384' }[alg] ?? 'P-521' })
}

describe('a signature', () => {
  it('of ECDSA in DER is refused (RFC 7518 3.4)', () => {
    const input = `${encodePart({ alg: 'ES256' })}.${encodePart({ a: 1 })}`
    const { publicKey, privateKey } = pairOf('ES256')
    const signature = sign('sha256', Buffer.from(input), { key: privateKey, dsaEncoding: 'der' })
    expect(verifiesWith(parsed(`${input}.${signature.toString('base64url')}`), publicKey)).toBe(false)
  })

  it('of RSA-PSS with a salt of another length is refused (RFC 7518 3.5)', () => {
    const input = `${encodePart({ alg: 'PS256' })}.${encodePart({ a: 1 })}`
    const { publicKey, privateKey: key } = pairOf('PS256')
    const verdicts = [0, 20, 32].map((saltLength) => {
      const padding = constants.RSA_PKCS1_PSS_PADDING
      const signature = sign('sha256', Buffer.from(input), { key, padding, saltLength })
      return verifiesWith(parsed(`${input}.${signature.toString('base64url')}`), publicKey)
    })
    expect(verdicts).toEqual([false, false, true])
  })
})

describe('the example of RFC 8037 A.4', () => {
  const JWK = { kty: 'OKP', crv: 'Ed25519', x: '11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo' }
  const TOKEN =
    'eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.' +
    'hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg'

  it('verifies, though its payload is no JSON object', () => {
    const jws = parsed(TOKEN)
    expect(jws).toMatchObject({ header: { alg: 'EdDSA' }, claims: undefined })
    expect(verifiesWith(jws, importPublicJwk(JWK) as KeyObject)).toBe(true)
    const shortened = parsed(withSignature(TOKEN, signatureBytes(TOKEN).subarray(0, 63)))
    expect(verifiesWith(shortened, importPublicJwk(JWK) as KeyObject)).toBe(false)
  })
})
