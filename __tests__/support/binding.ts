import { generateKeyPairSync, type KeyObject } from 'node:crypto'
import jsonwebtoken from 'jsonwebtoken'
import type { Response, Test } from 'supertest'
import { decodeJwt } from './forge.js'
import { obtainKey, send } from './requests.js'
import { ISSUER, type RunningServer } from './server.js'

/** The claims of a proof, and the key that signs it. */
export interface ProofParts {
  readonly claims?: Record<string, unknown>
  readonly typ?: string
  readonly signingKey?: KeyObject
  readonly publicKey?: KeyObject
}

/** The body of a bind request: a new public key, and a proof that the client has the private key. */
export function bindingBody(
  key: string,
  { claims, typ = 'provisioning-binding+jwt', ...keys }: ProofParts = {},
) {
  const pair = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const now = Math.floor(Date.now() / 1000)
  const payload = { aud: `${ISSUER}/oauth/bind`, key_id: decodeJwt(key).payload.jti, iat: now, ...claims }
  const options = { algorithm: 'ES256', header: { alg: 'ES256', typ } } as const
  const proof = jsonwebtoken.sign(payload, keys.signingKey ?? pair.privateKey, options)
  return { jwk: (keys.publicKey ?? pair.publicKey).export({ format: 'jwk' }), proof }
}

/** Binds a new key with a fresh provisioning key. */
export async function bindWithProof(
  server: RunningServer,
  parts: ProofParts = {},
  form: Record<string, string> = {},
): Promise<Response> {
  const key = await obtainKey(server, { scope: 'provision:bind', ...form })
  const request: Test = send(server, 'post', '/oauth/bind').set('Authorization', `Bearer ${key}`)
  return request.send(bindingBody(key, parts))
}
