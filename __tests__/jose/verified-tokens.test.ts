import crypto, { generateKeyPairSync } from 'node:crypto'
import { ProvisioningError } from '../../lib/base/errors.js'
import { signJwt } from '../../lib/jose/jwt.js'
import type { SigningKey } from '../../lib/jose/key-ring.js'
import { tokenDigest, VerifiedTokens } from '../../lib/jose/verified-tokens.js'
import { heapBytes } from '../support/heap.js'
import { times } from '../support/scale.js'
import { verifyJwt } from '../support/verify-jwt.js'

const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })

function signingKey(): SigningKey {
  return { kid: 'k', alg: 'ES256', publicKey, verifiedTokens: new VerifiedTokens() }
}

const sign = (claims: object) => signJwt({ iat: 1, ...claims }, { kid: 'k', alg: 'ES256', privateKey }, 'jwt')

/** The claims of a token, or the reason to refuse it. */
function check(key: SigningKey, token: string, typ = 'jwt'): unknown {
  try {
    return verifyJwt(token, { typ, keyFor: () => key, known: [key] })
  } catch (error) {
    if (error instanceof ProvisioningError) return error.reason
    throw error
  }
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
    const [key, token] = [signingKey(), sign({ a: 1 })]
    expect(verifications(() => expect(check(key, token)).toEqual({ iat: 1, a: 1 }))).toBe(1)
    expect(verifications(() => expect(check(key, token)).toEqual({ iat: 1, a: 1 }))).toBe(0)
  })

  it('verifies every other token, whatever it shares with a verified one', () => {
    const key = signingKey()
    const [token, other] = [sign({ a: 1 }), sign({ a: 2 })]
    expect(check(key, token)).toEqual({ iat: 1, a: 1 })
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
      expect(verifications(() => expect(check(key, text)).toBe('signature_wrong'))).toBe(1)
    // A refused token is not remembered.
    for (const text of forged)
      expect(verifications(() => expect(check(key, text)).toBe('signature_wrong'))).toBe(1)
  })

  it('forgets them with the key, and shares them with no other key', () => {
    const token = sign({})
    expect(check(signingKey(), token)).toEqual({ iat: 1 })
    expect(verifications(() => check(signingKey(), token))).toBe(1)
    const stranger = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    expect(check({ ...signingKey(), publicKey: stranger.publicKey }, token)).toBe('signature_wrong')
  })

  it('still refuses a verified token that was signed after the key retired', () => {
    const [key, token] = [signingKey(), sign({ iat: 100 })]
    expect(check(key, token)).toEqual({ iat: 100 })
    expect(check({ ...key, lastIssuedAt: 99 }, token)).toBe('signing_key_retired')
  })

  it('does not accept a token that it has verified as one kind as another kind', () => {
    const [key, token] = [signingKey(), sign({})]
    expect(check(key, token)).toEqual({ iat: 1 })
    expect(check(key, token, 'at+jwt')).toBe('key_type_wrong')
  })

  it('freezes the remembered claims with all their members', () => {
    const [key, token] = [signingKey(), sign({ cnf: { jkt: 'a' }, cidr: [{ deep: 'b' }] })]
    const claims = check(key, token) as { cnf: object; cidr: object[] }
    expect(check(key, token)).toBe(claims)
    for (const one of [claims, claims.cnf, claims.cidr, claims.cidr[0]])
      expect(Object.isFrozen(one)).toBe(true)
  })

  it('does not compute the digest of a token that is too long for any check', () => {
    const hash = jest.spyOn(crypto, 'hash')
    expect(check(signingKey(), `${'a'.repeat(8192)}.b.c`)).toBe('key_malformed')
    expect(hash).not.toHaveBeenCalled()
    hash.mockRestore()
  })

  it('keeps the tokens that are presented again, and at most 2,048', async () => {
    const tokens = new VerifiedTokens()
    const isNew = (token: string) => {
      const digest = tokenDigest(token)
      if (tokens.get(digest) !== undefined) return false
      tokens.add(digest, { typ: 'jwt', claims: {} })
      return true
    }
    expect(isNew('kept')).toBe(true)
    expect(isNew('left')).toBe(true)
    for (let i = 0; i < 10_000; i += 1) {
      isNew(`token ${i}`)
      if (i % 500 === 0) expect(isNew('kept')).toBe(false)
    }
    expect(isNew('left')).toBe(true)
    const before = await heapBytes()
    const others = times({ all: 50_000, few: 3_000 })
    for (let i = 0; i < others; i += 1) isNew(`other ${i}`)
    expect((await heapBytes()) - before).toBeLessThan(200_000)
  })
})
