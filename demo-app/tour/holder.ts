import { createHash, generateKeyPairSync, randomUUID, sign } from 'node:crypto'
import type { Call } from './step'

/** Who has a private key, and signs with it for one request at a time. */
export interface Holder {
  readonly name: string
  /** Of the public key (RFC 7638): what the server calls `cnf.jkt`. */
  readonly thumbprint: string
  /** A DPoP proof (RFC 9449 4.2) for one request, and for the key or token presented with it. */
  prove(call: Call, presented?: string): string
  /** A client assertion (RFC 7523 3): says to one server who the client is. */
  assert(clientId: string, server: string): string
}

/** Makes a key pair. The private half never leaves this function. */
export function holder(name: string): Holder {
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
    name,
    thumbprint: sha256(JSON.stringify(jwk)),
    prove: ({ method, url }, presented) =>
      signed(
        { typ: 'dpop+jwt', jwk },
        { htm: method, htu: url, ...(presented !== undefined && { ath: sha256(presented) }) },
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
