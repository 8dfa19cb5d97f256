import { PROOF_ALGORITHMS } from '../jose/jwk.js'
import type { LimitedEndpoint } from '../options/rate-limits.js'
import type { EndpointName } from '../ports/events.js'
import { CLIENT_AUTHENTICATION_METHODS } from '../ports/methods.js'

/** One endpoint. Routers and metadata are made from the same table, so that neither can promise what the other lacks. */
export interface Endpoint {
  readonly name: EndpointName
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE'
  /** Below the mount path; `:name` stands for one segment. Endpoints can share one, each with a method of its own. */
  readonly path: string
  /** Who is challenged where the request is refused: the holder of a key, that of a Bearer token, or a client. */
  readonly challenges: 'resource' | 'bearer' | 'client'
  readonly limit?: LimitedEndpoint
  /** Whether the endpoint redeems keys, so that it has to contain replays whatever the limit of the address says. */
  readonly redeems?: true
  /** The member of the metadata that names the endpoint (RFC 8414 2). */
  readonly member?: string
  /** What else the metadata say when the endpoint is there. */
  readonly facts?: Readonly<Record<string, readonly string[]>>
}

/** How a client may authenticate at an endpoint that wants it to, as its metadata say it (RFC 8414 2). */
function clientAuthentication(prefix: string) {
  return {
    [`${prefix}_endpoint_auth_methods_supported`]: CLIENT_AUTHENTICATION_METHODS,
    [`${prefix}_endpoint_auth_signing_alg_values_supported`]: PROOF_ALGORITHMS,
  }
}

/** Where a client manages its registration (RFC 7592 2); it is told the address when it registers. */
const registration = {
  name: 'registration',
  path: '/register/:client_id',
  challenges: 'bearer',
  limit: 'register',
} as const

export const ENDPOINTS = {
  token: {
    name: 'token',
    method: 'POST',
    path: '/token',
    challenges: 'client',
    limit: 'token',
    redeems: true,
    member: 'token_endpoint',
    facts: clientAuthentication('token'),
  },
  bind: {
    name: 'bind',
    method: 'POST',
    path: '/bind',
    challenges: 'resource',
    limit: 'bind',
    redeems: true,
    member: 'provisioning_binding_endpoint',
  },
  bindings: {
    name: 'bindings',
    method: 'POST',
    path: '/bindings',
    challenges: 'client',
    limit: 'bindings',
    member: 'provisioning_bindings_endpoint',
    facts: clientAuthentication('provisioning_bindings'),
  },
  revokeBinding: {
    name: 'revoke_binding',
    method: 'POST',
    path: '/bindings/revoke',
    challenges: 'client',
    limit: 'bindings',
    member: 'provisioning_binding_revocation_endpoint',
    facts: clientAuthentication('provisioning_binding_revocation'),
  },
  register: {
    name: 'register',
    method: 'POST',
    path: '/register',
    challenges: 'resource',
    limit: 'register',
    redeems: true,
    member: 'registration_endpoint',
  },
  readRegistration: { ...registration, method: 'GET' },
  updateRegistration: { ...registration, method: 'PUT' },
  deleteRegistration: { ...registration, method: 'DELETE' },
  introspect: {
    name: 'introspect',
    method: 'POST',
    path: '/introspect',
    challenges: 'client',
    limit: 'introspect',
    member: 'introspection_endpoint',
    facts: clientAuthentication('introspection'),
  },
  revoke: {
    name: 'revoke',
    method: 'POST',
    path: '/revoke',
    challenges: 'client',
    limit: 'revoke',
    member: 'revocation_endpoint',
    facts: clientAuthentication('revocation'),
  },
  jwks: { name: 'jwks', method: 'GET', path: '/jwks', challenges: 'client', member: 'jwks_uri' },
} as const satisfies Record<string, Endpoint>

export type EndpointKey = keyof typeof ENDPOINTS
