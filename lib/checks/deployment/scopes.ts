import { decodeToken } from '../../testing/forged-token.js'
import type { Exchange } from './exchange.js'

/** The scopes in an answer. It may omit them (RFC 6749 5.1), so the token or the request names them. */
export function grantedScopes({ json, request: { form = [] } }: Exchange): readonly string[] {
  const claims = decodeToken(String(json['access_token']))?.claims
  const requested = form.find(([name]) => name === 'scope')?.[1]
  const scope = json['scope'] ?? claims?.['scope'] ?? requested ?? ''
  return [scope].flat().join(' ').split(' ').filter(Boolean)
}

/** Whether two values of `scope` name the same scopes, in any order. */
export function isSameScope(one: unknown, other: unknown): boolean {
  const sorted = (scope: unknown) =>
    typeof scope === 'string' ? [...new Set(scope.split(' '))].sort().join(' ') : scope
  return sorted(one) === sorted(other)
}
