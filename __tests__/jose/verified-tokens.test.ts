import crypto, { generateKeyPairSync } from 'node:crypto'
import { parseJws } from '../../lib/jose/jws.js'
import { signedByKey, signJwt } from '../../lib/jose/jwt.js'
import type { SigningKey } from '../../lib/jose/key-ring.js'
import { VerifiedTokens } from '../../lib/jose/verified-tokens.js'
import { heapBytes } from '../support/heap.js'

const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })

function signingKey(): SigningKey {
  return { kid: 'k', alg: 'ES256', publicKey, verifiedTokens: new VerifiedTokens() }
}

const sign = (claims: object) => signJwt({ iat: 1, ...claims }, { kid: 'k', alg: 'ES256', privateKey }, 'JWT')

function check(key: SigningKey, token: string) {
  const jws = parseJws(token)
  if (typeof jws === 'string') throw new Error(jws)
  return signedByKey(() => key)(jws)
}

/** The number of signatures that are verified during an act. */
function verifications(act: () => void): number {
  const verify = jest.spyOn(crypto, 'verify')
  try {
    act()
    return verify.mock.calls.length
  } finally {
    verify.mockRestore()
  }
}

describe('a signing key that remembers the tokens that it has verified', () => {
  it('verifies the signature of a token once', () => {
    const [key, token] = [signingKey(), sign({})]
    expect(verifications(() => expect(check(key, token)).toBeUndefined())).toBe(1)
    expect(verifications(() => expect(check(key, token)).toBeUndefined())).toBe(0)
  })

  it('verifies every other token, whatever it shares with a verified one', () => {
    const key = signingKey()
    const [token, other] = [sign({ a: 1 }), sign({ a: 2 })]
    expect(check(key, token)).toBeUndefined()
    const [header, payload = '', signature = ''] = token.split('.')
    const [, otherPayload, otherSignature] = other.split('.')
    const moved = Buffer.concat([Buffer.from('x'), Buffer.from(signature, 'base64url')]).toString('base64url')
    const forged = [
      [header, otherPayload, signature],
      [header, payload, otherSignature],
      [header, payload.slice(0, -4), moved],
      [header, `${payload}AAAA`, signature],
      [header, payload, `${signature}AAAA`],
    ].map((parts) => parts.join('.'))
    for (const text of forged)
      expect(verifications(() => expect(check(key, text)?.[0]).toBe('signature'))).toBe(1)
    // A refused token is not remembered.
    for (const text of forged)
      expect(verifications(() => expect(check(key, text)?.[0]).toBe('signature'))).toBe(1)
  })

  it('forgets them with the key, and shares them with no other key', () => {
    const token = sign({})
    expect(check(signingKey(), token)).toBeUndefined()
    expect(verifications(() => check(signingKey(), token))).toBe(1)
    const stranger = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    expect(check({ ...signingKey(), publicKey: stranger.publicKey }, token)?.[0]).toBe('signature')
  })

  it('still refuses a verified token that was signed after the key retired', () => {
    const [key, token] = [signingKey(), sign({ iat: 100 })]
    expect(check(key, token)).toBeUndefined()
    expect(check({ ...key, lastIssuedAt: 99 }, token)?.[0]).toBe('retired')
  })

  it('keeps the tokens that are presented again, and at most 2,048', async () => {
    const tokens = new VerifiedTokens()
    const isNew = (token: string) => {
      let isVerified = false
      tokens.isVerified(token, () => {
        isVerified = true
        return true
      })
      return isVerified
    }
    expect(isNew('kept')).toBe(true)
    expect(isNew('left')).toBe(true)
    for (let i = 0; i < 10_000; i += 1) {
      isNew(`token ${i}`)
      if (i % 500 === 0) expect(isNew('kept')).toBe(false)
    }
    expect(isNew('left')).toBe(true)
    const before = await heapBytes()
    for (let i = 0; i < 50_000; i += 1) isNew(`other ${i}`)
    expect((await heapBytes()) - before).toBeLessThan(200_000)
  })
})
