import { createSecretKey, generateKeyPairSync, type KeyObject, randomBytes } from 'node:crypto'
import fc from 'fast-check'
import jsonwebtoken from 'jsonwebtoken'
import type { KeyAlgorithm } from '../../lib/jose/jwk.js'
import { isSignedWith, parseJws } from '../../lib/jose/jws.js'
import { signJwt } from '../../lib/jose/jwt.js'

interface Pair {
  readonly privateKey: KeyObject
  readonly publicKey: KeyObject
}

function makePairs(): Readonly<Record<KeyAlgorithm, Pair>> {
  const ec = (namedCurve: string) => generateKeyPairSync('ec', { namedCurve })
  const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const secret = createSecretKey(randomBytes(32))
  return {
    ES256: ec('P-256'),
    ES384: ec('P-384'),
    ES512: ec('P-521'),
    RS256: rsa,
    PS256: rsa,
    HS256: { privateKey: secret, publicKey: secret },
  }
}

const PAIRS = makePairs()
const PAIRS_OF_ANOTHER = makePairs()
const ALGORITHMS = Object.keys(PAIRS) as KeyAlgorithm[]

const claims = { iss: 'https://auth.example.com', sub: 'device:7', iat: 1_700_000_000, exp: 1_700_000_300 }

function isAccepted(token: string, algorithm: KeyAlgorithm, { publicKey }: Pair): boolean {
  const jws = parseJws(token)
  const fits = typeof jws !== 'string' && jws.header.alg === algorithm
  return fits && isSignedWith(jws, algorithm, publicKey)
}

function isAcceptedByJsonwebtoken(token: string, algorithm: KeyAlgorithm, { publicKey }: Pair): boolean {
  try {
    const options = { algorithms: [algorithm], ignoreExpiration: true, ignoreNotBefore: true }
    jsonwebtoken.verify(token, publicKey, options)
    return true
  } catch {
    return false
  }
}

/** Our parser refuses other spellings of the same bytes; jsonwebtoken accepts them. */
function isCanonical(token: string): boolean {
  return token.split('.').every((part) => Buffer.from(part, 'base64url').toString('base64url') === part)
}

describe.each(ALGORITHMS)('the signature of a token, %s', (algorithm) => {
  const pair = PAIRS[algorithm]
  const token = signJwt(claims, { kid: 'k', alg: algorithm, privateKey: pair.privateKey }, 'JWT')

  it('is accepted, as jsonwebtoken accepts it', () => {
    expect(isAccepted(token, algorithm, pair)).toBe(true)
    expect(isAcceptedByJsonwebtoken(token, algorithm, pair)).toBe(true)
  })

  it('gets the verdict of jsonwebtoken after any change of the token', () => {
    const change = fc.record({
      at: fc.nat(token.length - 1),
      removed: fc.nat(3),
      inserted: fc.stringMatching(/^[A-Za-z0-9_-]{0,3}$/),
    })
    const changed = fc
      .array(change, { minLength: 1, maxLength: 3 })
      .map((changes) =>
        changes.reduce(
          (text, { at, removed, inserted }) => text.slice(0, at) + inserted + text.slice(at + removed),
          token,
        ),
      )
    fc.assert(
      fc.property(changed, (text) => {
        const verdict = isAccepted(text, algorithm, pair)
        const oracle = isAcceptedByJsonwebtoken(text, algorithm, pair)
        expect(verdict).toBe(oracle && isCanonical(text))
      }),
      { numRuns: 500 },
    )
  })

  it('is refused with any signature of another length', () => {
    const [header, payload, signature = ''] = token.split('.')
    const bytes = Buffer.from(signature, 'base64url')
    for (const other of [
      bytes.subarray(0, -1),
      Buffer.concat([bytes, bytes]),
      Buffer.alloc(1),
      Buffer.alloc(64),
    ]) {
      const forged = `${header}.${payload}.${other.toString('base64url')}`
      expect(isAccepted(forged, algorithm, pair)).toBe(false)
      expect(isAcceptedByJsonwebtoken(forged, algorithm, pair)).toBe(false)
    }
  })

  it('is refused under every other algorithm that the key could have', () => {
    for (const other of ALGORITHMS) {
      if (other === algorithm) continue
      expect(isAccepted(token, other, pair)).toBe(false)
      expect(isAcceptedByJsonwebtoken(token, other, pair)).toBe(false)
    }
  })

  it('is refused under the key of another signer', () => {
    expect(isAccepted(token, algorithm, PAIRS_OF_ANOTHER[algorithm])).toBe(false)
    expect(isAcceptedByJsonwebtoken(token, algorithm, PAIRS_OF_ANOTHER[algorithm])).toBe(false)
  })
})
