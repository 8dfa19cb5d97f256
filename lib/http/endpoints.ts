import { PROOF_ALGORITHMS } from '../jose/jwk.js'
import type { LimitedEndpoint } from '../options/rate-limits.js'
import type { EndpointName } from '../ports/events.js'
import { CLIENT_AUTHENTICATION_METHODS } from '../ports/methods.js'

/** One endpoint. Routers and metadata use the same table, so they always agree. */
export interface Endpoint {
  readonly name: EndpointName
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE'
  /** Below the mount path. `:name` stands for one segment. Endpoints with different methods can share a path. */
  readonly path: string
  /** The kind of challenge in a refusal: for a key, for a Bearer token, or for client authentication. */
  readonly challenges: 'resource' | 'bearer' | 'client'
  readonly limit?: LimitedEndpoint
  /** Whether the endpoint redeems keys. If so, it contains replays even beyond the limit of the address. */
  readonly redeems?: true
  /** The member of the metadata that names the endpoint (RFC 8414 2). */
  readonly member?: string
  /** Further metadata of the endpoint. */
  readonly facts?: Readonly<Record<string, readonly string[]>>
}

/** The metadata about client authentication at an endpoint (RFC 8414 2). */
function clientAuthentication(prefix: string) {
  return {
    [`${prefix}_endpoint_auth_methods_supported`]: CLIENT_AUTHENTICATION_METHODS,
    [`${prefix}_endpoint_auth_signing_alg_values_supported`]: PROOF_ALGORITHMS,
  }
}

/** A client manages its registration here (RFC 7592 2). It gets the URL when it registers. */
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
  /** Only in staging. It counts with the introspection endpoint. */
  preflight: {
    name: 'preflight',
    method: 'POST',
    path: '/preflight',
    challenges: 'client',
    limit: 'introspect',
    member: 'provisioning_preflight_endpoint',
    facts: clientAuthentication('provisioning_preflight'),
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
  /** Its answers challenge nobody: everybody may report. No RFC defines a member of the metadata for it. */
  leaked: { name: 'leaked', method: 'POST', path: '/leaked', challenges: 'client', limit: 'leaked' },
  jwks: { name: 'jwks', method: 'GET', path: '/jwks', challenges: 'client', member: 'jwks_uri' },
} as const satisfies Record<string, Endpoint>

export type EndpointKey = keyof typeof ENDPOINTS
