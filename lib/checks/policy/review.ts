import { ConfigurationError } from '../../base/errors.js'
import { descriptionOf } from '../../options/description.js'
import { type Deviation, reviewDescription } from './deviations.js'
import { parsePolicy, type SecurityPolicy } from './policy.js'

/**
 * Compares a configuration with a security policy. It uses no network and no store. An empty list means that the
 * configuration keeps the policy.
 *
 * @param keys what `provisioningKeys()` or `provisioningKeyVerifier()` has returned
 * @param policy default: the default policy, for RFC 9700 and for keys that live some minutes
 * @throws ConfigurationError if the policy is faulty, or `keys` is something else
 *
 * @example
 * import type { ProvisioningKeys } from 'express-provisioning-keys'
 *
 * function requirePolicy(keys: ProvisioningKeys) {
 *   const errors = reviewPolicy(keys).filter(({ severity }) => severity === 'error')
 *   if (errors.length > 0) throw new Error(errors.map(({ path, fix }) => `${path}: ${fix}`).join('\n'))
 * }
 */
export function reviewPolicy(keys: object, policy: SecurityPolicy = {}): Deviation[] {
  const description = descriptionOf(keys)
  if (description === undefined)
    throw new ConfigurationError(['keys: expected the result of provisioningKeys(), got something else'])
  return reviewDescription({ description, now: Date.now() }, parsePolicy(policy))
}

export type { Deviation } from './deviations.js'
export type { ClientRuleId, PolicyClass, PolicyRuleId, PolicySetting, SecurityPolicy } from './policy.js'
export { policySchema } from './policy-schema.js'
export type { PolicyParameters, PolicySeverity } from './rule.js'
