import fc from 'fast-check'
import { CompactSign, compactVerify, jwtVerify, SignJWT } from 'jose'
import { ProvisioningError } from '../../lib/base/errors.js'
import { signJwt } from '../../lib/jose/jwt.js'
import { compact, encodePart } from '../support/compact.js'
import { cpuSecondsOf } from '../support/cpu-time.js'
import { reasonOf } from '../support/deployed.js'
import { PAIRS, type SigningPair } from '../support/signing-pairs.js'
import { type JwtExpectation, verifyJwt } from '../support/verify-jwt.js'

const TYP = 'provisioning-key+jwt'
const CLAIMS = {
  iss: 'https://auth.example.com',
  iat: 1_700_000_000,
  exp: 1_700_000_300,
  scope: 'a b',
  jti: 'x',
}
const ALL = Object.values(PAIRS)

function expectation(pair: SigningPair, typ = TYP): JwtExpectation {
  return { typ, keyFor: (kid) => (kid === pair.kid ? pair : undefined) }
}

describe('signJwt and jose', () => {
  it.each(ALL)('agree: jose verifies what signJwt signs with $alg', async (pair) => {
    const token = signJwt(CLAIMS, pair, TYP)
    const { payload, protectedHeader } = await jwtVerify(token, pair.publicKey, {
      typ: TYP,
      issuer: CLAIMS.iss,
      algorithms: [pair.alg],
      currentDate: new Date(CLAIMS.iat * 1000),
    })
    expect(payload).toEqual(CLAIMS)
    expect(protectedHeader).toEqual({ alg: pair.alg, typ: TYP, kid: pair.kid })
  })

  it.each(ALL)('agree: verifyJwt accepts what jose signs with $alg', async (pair) => {
    const header = { alg: pair.alg, typ: TYP, kid: pair.kid }
    const token = await new SignJWT(CLAIMS).setProtectedHeader(header).sign(pair.privateKey)
    expect(verifyJwt(token, expectation(pair))).toEqual(CLAIMS)
  })

  it('agree on whatever JSON the claims hold', async () => {
    const { ES256 } = PAIRS
    const json = fc.dictionary(fc.stringMatching(/^[a-z_]{4,8}$/), fc.jsonValue(), { maxKeys: 4 })
    await fc.assert(
      fc.asyncProperty(json, async (more) => {
        const token = signJwt({ ...more, iat: 1 }, ES256, TYP)
        const claims = verifyJwt(token, expectation(ES256))
        expect(claims).toEqual(JSON.parse(JSON.stringify({ ...more, iat: 1 })))
        expect(
          JSON.parse(Buffer.from((await compactVerify(token, ES256.publicKey)).payload).toString()),
        ).toEqual(claims)
      }),
      { numRuns: 20 },
    )
  })
})

describe('signJwt', () => {
  it('adds nothing to claims that have an iat', () => {
    expect(verifyJwt(signJwt(CLAIMS, PAIRS.ES256, TYP), expectation(PAIRS.ES256))).toEqual(CLAIMS)
  })

  it('leaves the claims it was given as they were', () => {
    const claims = Object.freeze({ ...CLAIMS })
    signJwt(claims, PAIRS.ES256, TYP)
    expect(claims).toEqual(CLAIMS)
  })
})

describe('verifyJwt', () => {
  const pair = PAIRS.ES256
  const genuine = { alg: 'ES256', typ: TYP, kid: pair.kid }
  const signed = (header: object, payload: unknown = CLAIMS) => compact(header, payload, pair.privateKey)

  it('judges no time: a JWT that expired long ago, and one that is far from valid, are both genuine', () => {
    for (const times of [{ exp: 1 }, { nbf: 9_999_999_999 }, { exp: 'never' }, { nbf: 'soon' }]) {
      expect(verifyJwt(signed(genuine, times), expectation(pair))).toEqual(times)
    }
  })

  it.each(['provisioning-key+JWT', 'PROVISIONING-KEY+jwt'])('compares typ without case: %s', (typ) => {
    expect(verifyJwt(signed({ ...genuine, typ }), expectation(pair))).toEqual(CLAIMS)
  })

  it.each([
    undefined,
    null,
    '',
    'JWT',
    'at+jwt',
    'dpop+jwt',
    'provisioning-key',
    `${TYP} `,
    [TYP],
    1,
    `x-${TYP}`,
  ])('refuses the typ %j, though the signature holds', async (typ) => {
    const token = signed({ ...genuine, typ })
    expect(await reasonOf(() => verifyJwt(token, expectation(pair)))).toBe('key_type_wrong')
  })

  it.each([['exp'], [], ['b64'], null, 'exp', false].map((crit) => ({ crit })))(
    'refuses a header with crit, whatever it says: $crit',
    async ({ crit }) => {
      const token = signed({ ...genuine, crit, b64: true, exp: 1 })
      expect(await reasonOf(() => verifyJwt(token, expectation(pair)))).toBe('key_header_refused')
    },
  )

  it.each([undefined, null, 1, '', ['kid'], 'another', '__proto__'])('refuses the kid %j', async (kid) => {
    const token = signed({ ...genuine, kid })
    expect(await reasonOf(() => verifyJwt(token, expectation(pair)))).toBe('signing_key_unknown')
  })

  it.each([
    undefined,
    null,
    '',
    'none',
    'None',
    'nOnE',
    'es256',
    'ES256K',
    'ES384',
    'HS256',
    'RS256',
    ['ES256'],
  ])('refuses the alg %j for an ES256 key, though the signature is one of that key', async (alg) => {
    const token = signed({ ...genuine, alg })
    expect(await reasonOf(() => verifyJwt(token, expectation(pair)))).toBe('key_algorithm_refused')
  })

  it.each(['jwk', 'x5c', 'jku', 'x5u'])(
    'never follows %s in the header to the key of a stranger',
    async (name) => {
      const stranger = PAIRS.ES512.publicKey.export({ format: 'jwk' })
      const brought = {
        jwk: stranger,
        x5c: ['MIIB'],
        jku: 'https://evil.example/jwks',
        x5u: 'https://evil.example',
      }
      const header = { ...genuine, [name]: brought[name as keyof typeof brought] }
      const forged = compact(header, CLAIMS, PAIRS.ES512.privateKey, 'ES512')
      expect(await reasonOf(() => verifyJwt(forged, expectation(pair)))).toBe('signature_wrong')
      expect(verifyJwt(signed(header), expectation(pair))).toEqual(CLAIMS)
    },
  )

  it.each(['null', '[]', '"text"', '1', 'true', '{', '{"a":1}{', '\u0000', 'undefined'])(
    'refuses the payload %j, though it was signed',
    async (payload) => {
      const signing = new CompactSign(new TextEncoder().encode(payload)).setProtectedHeader(genuine)
      const token = await signing.sign(pair.privateKey)
      expect(await reasonOf(() => verifyJwt(token, expectation(pair)))).toBe('claims_malformed')
    },
  )

  it('verifies 8192 characters and parses no text longer than that', async () => {
    const sized = (length: number): string => {
      for (const pad of ['', 'x', 'xx']) {
        const header = { ...genuine, pad }
        const left = length - encodePart(header).length - 2 - 86
        const payload = { pad: 'x'.repeat(Math.floor((left * 3) / 4) - '{"pad":""}'.length) }
        if (encodePart(payload).length === left) return signed(header, payload)
      }
      throw new Error('no header and payload have this length together')
    }
    const [longest, longer] = [sized(8192), sized(8193)]
    expect([longest.length, longer.length]).toEqual([8192, 8193])
    expect(Object.keys(verifyJwt(longest, expectation(pair)))).toEqual(['pad'])
    expect(await reasonOf(() => verifyJwt(longer, expectation(pair)))).toBe('key_malformed')
  })

  it.each(['.'.repeat(5_000_000), 'eyJ'.repeat(5_000_000), '{'.repeat(5_000_000)])(
    'refuses a text of millions of characters in no time',
    async (text) => {
      const refuse = async () =>
        expect(await reasonOf(() => verifyJwt(text, expectation(pair)))).toBe('key_malformed')
      expect(await cpuSecondsOf(refuse)).toBeLessThan(1)
    },
  )

  it('refuses a header nested thousands deep without running out of stack', async () => {
    const header = '['.repeat(5_000)
    const token = `${encodePart(header)}.${encodePart(CLAIMS)}.AAAA`
    expect(await reasonOf(() => verifyJwt(token, expectation(pair)))).toBe('key_malformed')
  })

  it('refuses whatever text a stranger sends, and never with anything but a refusal', () => {
    const json = fc.json().map((text) => encodePart(text))
    const part = fc.oneof(json, fc.base64String(), fc.string(), fc.constant(encodePart(genuine)))
    const text = fc.oneof(
      fc.array(part, { maxLength: 5 }).map((parts) => parts.join('.')),
      fc.string(),
    )
    fc.assert(
      fc.property(text, (token) => {
        expect(() => verifyJwt(token, expectation(pair))).toThrow(ProvisioningError)
      }),
    )
  })
})
