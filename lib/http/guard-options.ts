import { describe, faults } from '../base/faults.js'
import { isObject } from '../base/object.js'
import { SCOPE_TOKEN } from '../clients/policy.js'
import type { GuardContext } from './context.js'

/**
 * The requirements of a guarded route.
 *
 * @example
 * const options: GuardOptions = { scope: ['devices:read', 'devices:create'] }
 * app.get('/devices', keys.requireProvisioningKey(options), (req, res) => res.json([]))
 */
export interface GuardOptions {
  /** The scope, or all the scopes, that the key or token must have. Default: no scope is required. */
  readonly scope?: string | readonly string[]
  /** The required audience. Default: the only audience of the deployment. Required if there are several. */
  readonly audience?: string
}

/** The options of a guard, complete. */
export interface GuardRequirements {
  readonly scope: readonly string[]
  readonly audience: string
}

/** @throws ConfigurationError with all faults of the options */
export function readGuardOptions(
  context: GuardContext,
  caller: GuardName,
  options: unknown,
): GuardRequirements {
  const { audiences, issueAccessToken } = context.config.deployment
  const noted = faults()
  const given: Record<string, unknown> = isObject(options) ? options : {}
  if (!isObject(options)) noted.add(caller, 'an object with scope and audience', describe(options))
  noted.addUnknownNames(caller, given, ['scope', 'audience'])
  const scope = [given.scope ?? []].flat()
  for (const one of scope) {
    const fits = typeof one === 'string' && SCOPE_TOKEN.test(one) && !one.includes('*')
    if (!fits) noted.add(`${caller}.scope`, 'a scope, or a list of scopes', describe(one))
  }
  const audience = given.audience ?? (audiences.length === 1 ? audiences[0] : undefined)
  if (typeof audience !== 'string' || !audiences.includes(audience)) {
    noted.add(`${caller}.audience`, `one of ${audiences.join(', ')}`, describe(audience))
  }
  if (caller === 'requireAccessToken' && issueAccessToken !== undefined) {
    noted.add(caller, FOREIGN_TOKENS, 'one with issueAccessToken')
  }
  noted.throwIfAny()
  return { scope: scope as string[], audience: audience as string }
}

const FOREIGN_TOKENS =
  'a deployment that mints access tokens itself; guard the route by what your authorization server has for it'

/** The method of `ProvisioningKeys` that makes a guard. */
export type GuardName = 'requireProvisioningKey' | 'redeemProvisioningKey' | 'requireAccessToken'
