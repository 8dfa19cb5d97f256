import type { AskIssuer } from '../ports/issuer-state.js'
import { type Fetching, fetchJson } from './fetch-json.js'

/** The headers and parameters by which a resource server authenticates at the issuer. */
export type AuthenticateRequest = () => {
  readonly headers?: Readonly<Record<string, string>>
  readonly parameters?: Readonly<Record<string, string>>
}

/** Makes the verb that asks the introspection endpoint of an issuer (RFC 7662 2.1). Nothing is remembered. */
export function introspectionClient(
  endpoint: URL,
  authenticate: AuthenticateRequest,
  fetching: Fetching,
): AskIssuer {
  return async function askIssuer(token) {
    const { headers, parameters } = authenticate()
    const body = new URLSearchParams({ token, ...parameters }).toString()
    const type = { 'content-type': 'application/x-www-form-urlencoded' }
    return (await fetchJson(fetching, endpoint, { method: 'POST', headers: { ...type, ...headers }, body }))
      .json
  }
}
