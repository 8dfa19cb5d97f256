import { malformed } from '../base/errors.js'
import type { Policy } from '../ports/policy-options.js'

/** The scope that lets a key be exchanged for an access token. */
export const TOKEN_SCOPE = 'provision:token'
/** The scope that lets a key bind a public key or a certificate. */
export const BIND_SCOPE = 'provision:bind'
/** The scope that lets a key register a client. */
export const REGISTER_SCOPE = 'provision:register'

/** The scope that a key must have for each action of the server. */
export const ACTION_SCOPES = { token: TOKEN_SCOPE, bind: BIND_SCOPE, register: REGISTER_SCOPE } as const

/** Whether a scope is for redeeming keys. Such a scope has no meaning in an access token, so none has it. */
export function isForProvisioning(scope: string): boolean {
  return scope.startsWith('provision:')
}

/** Whether a key with a scope can enroll a device: bind a public key, or register a client. */
export function isForEnrollment(scope: string): boolean {
  return scope === BIND_SCOPE || scope === REGISTER_SCOPE
}

/** RFC 6749 3.3: `scope-token = 1*( %x21 / %x23-5B / %x5D-7E )`. */
const SCOPE_TOKEN = /^[\x21\x23-\x5b\x5d-\x7e]+$/

/** Reads a `scope` parameter. The result has no duplicates. */
export function parseScope(text: string): readonly string[] {
  const scopes = text.split(' ')
  if (!scopes.every((scope) => SCOPE_TOKEN.test(scope))) {
    throw malformed('scope_malformed', 'scope: expected scope tokens separated by single spaces.')
  }
  return [...new Set(scopes)]
}

/** Whether a text is a scope that options can name. They have no wildcards. */
export function isExactScope(text: string): boolean {
  return SCOPE_TOKEN.test(text) && !text.includes('*')
}

type ScopeList = 'accessTokenScopes' | 'clientScopes'

/** The scopes that a list never grants. Clients that register others could multiply without end. */
const isExcluded: Record<ScopeList, (scope: string) => boolean> = {
  accessTokenScopes: isForProvisioning,
  clientScopes: (scope) => scope === REGISTER_SCOPE,
}

/** The scopes that a list of a policy grants. A policy without the list grants `otherwise`. */
export function scopesOf(
  policy: Policy,
  list: ScopeList,
  otherwise: Iterable<string> = policy.scopes,
): readonly string[] {
  return [...(policy[list] ?? otherwise)].filter((scope) => !isExcluded[list](scope))
}

/** The scopes that the access tokens of a client may have. */
export function tokenScopes(policy: Policy): ReadonlySet<string> {
  return amongScopes(policy, scopesOf(policy, 'accessTokenScopes'))
}

/**
 * The scopes of a client that is registered or bound with a key of this client.
 *
 * @param ofKey the scopes of the key, which count if the policy has no `clientScopes`
 */
export function clientScopes(policy: Policy, ofKey?: Iterable<string>): ReadonlySet<string> {
  return amongScopes(policy, scopesOf(policy, 'clientScopes', ofKey))
}

function amongScopes({ scopes }: Policy, wanted: readonly string[]): ReadonlySet<string> {
  return new Set(wanted.filter((scope) => scopes.has(scope)))
}

/** Tells a provisioned client that asks for more scopes which option decides. */
export const SCOPES_OF_PROVISIONED =
  'The scopes of a provisioned client are those of its key, or policy.clientScopes of the client that asked for the key.'
