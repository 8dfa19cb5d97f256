import { ASSERTION_TYPE } from '../base/oauth-names.js'
import { basicAuth, type Secret } from '../base/secret.js'
import { signJwt } from '../jose/jwt.js'
import type { ActiveKey } from '../jose/key-ring.js'
import type { AskIssuer } from '../ports/issuer-state.js'
import { randomId } from '../tokens/provisioning-key.js'
import { type Fetching, fetchJson } from './fetch-json.js'

/** Makes the headers and parameters that authenticate one request to the issuer. */
export type AuthenticateRequest = () => {
  readonly headers?: Readonly<Record<string, string>>
  readonly parameters?: Readonly<Record<string, string>>
}

/** Asks the introspection endpoint of an issuer (RFC 7662 2.1). Answers are not cached. */
export function introspectionClient(
  endpoint: URL,
  authenticate: AuthenticateRequest,
  fetching: Fetching,
): AskIssuer {
  return async function askIssuer(token) {
    const { headers, parameters } = authenticate()
    const { json } = await fetchJson(fetching, endpoint, {
      method: 'POST',
      headers: { 'content-type': 'application/x-www-form-urlencoded', ...headers },
      body: new URLSearchParams({ token, ...parameters }).toString(),
    })
    return json
  }
}

/** `client_secret_basic`. */
export function authenticateBySecret(clientId: string, secret: Secret): AuthenticateRequest {
  return () => ({ headers: { authorization: basicAuth(clientId, secret.reveal()) } })
}

/** An assertion is made for one request, which is sent immediately. */
const ASSERTION_LIFETIME_SECONDS = 60

/** `private_key_jwt`: a JWT for this issuer alone, new for each request (RFC 7523 3). */
export function authenticateByAssertion(
  clientId: string,
  key: Pick<ActiveKey, 'kid' | 'alg' | 'privateKey'>,
  issuer: string,
  now: () => number,
): AuthenticateRequest {
  return () => {
    const iat = Math.floor(now() / 1000)
    const exp = iat + ASSERTION_LIFETIME_SECONDS
    const claims = { iss: clientId, sub: clientId, aud: issuer, jti: randomId(), iat, exp }
    const assertion = signJwt(claims, key, 'client-authentication+jwt')
    return { parameters: { client_assertion_type: ASSERTION_TYPE, client_assertion: assertion } }
  }
}
