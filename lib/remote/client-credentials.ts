import type { Secret } from '../base/secret.js'
import { signJwt } from '../jose/jwt.js'
import type { ActiveKey } from '../jose/key-ring.js'
import { randomId } from '../tokens/provisioning-key.js'
import type { AuthenticateRequest } from './issuer-introspection.js'

/** `client_secret_basic`: id and secret are form-encoded, then joined and sent as RFC 7617 wants it (RFC 6749 2.3.1). */
export function secretClient(clientId: string, secret: Secret): AuthenticateRequest {
  return () => {
    const pair = [clientId, secret.reveal()].map(formEncode).join(':')
    return { headers: { authorization: `Basic ${Buffer.from(pair).toString('base64')}` } }
  }
}

function formEncode(text: string): string {
  return new URLSearchParams([['', text]]).toString().slice(1)
}

/** RFC 7523 2.2. */
const ASSERTION_TYPE = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer'

/** Each assertion is made for one request, which is sent immediately. */
const ASSERTION_LIFE_SECONDS = 60

/** `private_key_jwt`: a JWT for the issuer alone, and for one request (RFC 7523 3). */
export function assertedClient(
  clientId: string,
  key: Pick<ActiveKey, 'kid' | 'alg' | 'privateKey'>,
  issuer: string,
  now: () => number,
): AuthenticateRequest {
  return () => {
    const iat = Math.floor(now() / 1000)
    const claims = {
      iss: clientId,
      sub: clientId,
      aud: issuer,
      jti: randomId(),
      iat,
      exp: iat + ASSERTION_LIFE_SECONDS,
    }
    const assertion = signJwt(claims, key, 'client-authentication+jwt')
    return { parameters: { client_assertion_type: ASSERTION_TYPE, client_assertion: assertion } }
  }
}
