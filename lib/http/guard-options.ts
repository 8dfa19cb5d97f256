import { closest, describe, type Faults, newFaults } from '../base/faults.js'
import { isObject } from '../base/object.js'
import { isExactScope, isForProvisioning } from '../clients/scopes.js'
import type { GuardContext, GuardName, GuardRequirements } from './context.js'

/**
 * The requirements of a guarded route.
 *
 * @example
 * const options: GuardOptions = { scope: ['devices:read', 'devices:create'] }
 * app.get('/devices', keys.requireProvisioningKey(options), (req, res) => res.json([]))
 */
// The union is the member of an object type. So it has no name, and an error of the compiler shows its members: a guard
// without `scope` is an error that names `scope`.
export type GuardOptions = {
  readonly either: {
    /**
     * The required audience. Default: the only audience of the deployment. Required if there are several.
     * @example 'https://api.example.com'
     */
    readonly audience?: string
  } & (
    | {
        /**
         * Accepts keys or tokens with any scope. A key for another purpose can then be used here.
         * @example true
         */
        readonly anyScope: true
        readonly scope?: never
      }
    | {
        /**
         * The scope, or all the scopes, that the key or token must have.
         * @example ['devices:read', 'devices:create']
         */
        readonly scope: string | readonly string[]
        readonly anyScope?: never
      }
  )
}['either']

/** @throws ConfigurationError with all faults of the options */
export function readGuardOptions(
  context: GuardContext,
  caller: GuardName,
  options: unknown,
): GuardRequirements {
  const { audiences, issueAccessToken } = context.config.deployment
  const faults = newFaults()
  if (!isObject(options)) {
    faults.add(caller, "an object, such as { scope: 'devices:create' }", describe(options))
    faults.throwIfAny()
  }
  const given = options as Record<string, unknown>
  faults.addUnknownNames(caller, given, ['scope', 'anyScope', 'audience'])
  const audience = given.audience ?? (audiences.length === 1 ? audiences[0] : undefined)
  if (typeof audience !== 'string' || !audiences.includes(audience)) {
    faults.add(`${caller}.audience`, `one of ${audiences.join(', ')}`, describe(audience))
  }
  if (caller === 'requireAccessToken' && issueAccessToken !== undefined) {
    faults.add(caller, FOREIGN_TOKENS, 'one with issueAccessToken')
  }
  const scope = readScope(given, caller, context.config.grantableScopes, faults)
  faults.throwIfAny()
  return { scope, audience: audience as string }
}

/** A guard without a scope would accept keys for other purposes, so that must be written down. */
function readScope(
  { scope: given, anyScope }: Record<string, unknown>,
  caller: GuardName,
  grantable: readonly string[] | undefined,
  faults: Faults,
): readonly string[] {
  const path = `${caller}.scope`
  const scope = [given ?? []].flat()
  if (anyScope !== undefined && anyScope !== true)
    faults.add(`${caller}.anyScope`, 'true, or scope instead', describe(anyScope))
  if (anyScope !== undefined && given !== undefined) faults.add(path, 'either scope or anyScope', 'both')
  const kind = caller === 'requireAccessToken' ? 'access token' : 'key'
  if (anyScope === undefined && scope.length === 0)
    faults.add(
      path,
      `a scope that the ${kind} must have (or anyScope: true, which accepts every ${kind})`,
      describe(given),
    )
  for (const one of scope) {
    if (typeof one !== 'string' || !isExactScope(one))
      faults.add(path, 'a scope, or a list of scopes', describe(one))
    else if (caller === 'requireAccessToken' && isForProvisioning(one))
      faults.add(path, 'a scope other than provision:*, which access tokens never have', describe(one))
    else if (grantable !== undefined && !grantable.includes(one))
      faults.add(path, `a scope that a policy grants${hint(one, grantable)}`, describe(one))
  }
  return scope as string[]
}

function hint(scope: string, grantable: readonly string[]): string {
  const meant = closest(scope, grantable)
  return meant === undefined ? ` (${grantable.join(', ')})` : `; did you mean ${meant}?`
}

const FOREIGN_TOKENS =
  'a deployment that mints access tokens itself; guard the route by what your authorization server has for it'
