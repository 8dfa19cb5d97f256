import { createHash, generateKeyPairSync, randomUUID, sign } from 'node:crypto'
import type { Call } from './step'

/** A key pair that signs one request at a time. */
export interface KeyPair {
  /** For example `the device`. */
  readonly owner: string
  /** The thumbprint of the public key (RFC 7638), which the server returns as `cnf.jkt`. */
  readonly thumbprint: string
  /** Creates a DPoP proof (RFC 9449 4.2) for a request and for the key or token in it. */
  prove(call: Call, token?: string): string
  /** Creates a client assertion (RFC 7523 3), which authenticates a client at one server. */
  assert(clientId: string, server: string): string
}

export function newKeyPair(owner: string): KeyPair {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const { crv, kty, x, y } = publicKey.export({ format: 'jwk' })
  const jwk = { crv, kty, x, y }

  function signed(header: object, claims: object): string {
    const parts = [
      { alg: 'ES256', ...header },
      { jti: randomUUID(), iat: now(), ...claims },
    ]
    const input = parts.map((part) => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.')
    const signature = sign('sha256', Buffer.from(input), { key: privateKey, dsaEncoding: 'ieee-p1363' })
    return `${input}.${signature.toString('base64url')}`
  }

  return {
    owner,
    thumbprint: sha256(JSON.stringify(jwk)),
    prove: ({ method, url }, token) =>
      signed(
        { typ: 'dpop+jwt', jwk },
        { htm: method, htu: url, ...(token !== undefined && { ath: sha256(token) }) },
      ),
    assert: (clientId, server) => signed({}, { iss: clientId, sub: clientId, aud: server, exp: now() + 60 }),
  }
}

function now(): number {
  return Math.floor(Date.now() / 1000)
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('base64url')
}
