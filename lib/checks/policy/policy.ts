import { isObject } from '../../base/object.js'
import { list, type Members, object, oneOf, parse, type Reader, required, text } from '../../base/schema.js'
import { CLIENT_RULES } from './client-rules.js'
import { DEPLOYMENT_RULES } from './deployment-rules.js'
import { LEFTOVER_RULES } from './leftover-rules.js'
import { PARAMETERS, type PolicyParameters, type PolicyRule, type PolicySeverity } from './rule.js'

/**
 * The id of a rule that a class of clients can have settings for.
 *
 * @example
 * const ofClients: readonly ClientRuleId[] = ['key-lifetime', 'allowed-scopes']
 */
export type ClientRuleId = (typeof CLIENT_RULES)[number]['id']

/**
 * The id of a rule.
 *
 * @example
 * const strict: readonly PolicyRuleId[] = ['sender-constraint', 'audit-log']
 */
export type PolicyRuleId = ClientRuleId | (typeof DEPLOYMENT_RULES | typeof LEFTOVER_RULES)[number]['id']

/**
 * The settings of a rule: `false` switches it off, a severity switches it on, an object also sets its parameters.
 *
 * @example
 * const setting: PolicySetting = { severity: 'error', maxSeconds: 300 }
 */
export type PolicySetting =
  | false
  | PolicySeverity
  | (PolicyParameters & { readonly severity?: PolicySeverity })

/**
 * Clients with settings of their own, such as devices.
 *
 * @example
 * const devices: PolicyClass = { name: 'devices', clients: ['device:*'], rules: { 'key-lifetime': { maxSeconds: 120 } } }
 */
export interface PolicyClass {
  /**
   * The name of the class in reports.
   * @example 'devices'
   */
  readonly name: string
  /**
   * The ids of the clients: exact, or a prefix followed by `*`. A client belongs to the first class that has it.
   * @example ['device:*', 'gateway-1']
   */
  readonly clients: readonly string[]
  /**
   * The settings of rules for these clients.
   * @example { 'allowed-scopes': { allowed: ['devices:read'] } }
   */
  readonly rules: { readonly [I in ClientRuleId]?: PolicySetting }
}

/**
 * A security policy. Without members, it is the default policy.
 *
 * @example
 * const policy: SecurityPolicy = { rules: { 'sender-constraint': 'error', 'key-lifetime': { maxSeconds: 300 } } }
 */
export interface SecurityPolicy {
  /**
   * The JSON Schema for editors. It has no effect.
   * @example './node_modules/express-provisioning-keys/dist/checks/policy/policy.schema.json'
   */
  readonly $schema?: string
  /**
   * The settings of rules. Default: the defaults of each rule.
   * @example { 'audit-log': 'error', 'shared-store': false }
   */
  readonly rules?: { readonly [I in PolicyRuleId]?: PolicySetting }
  /**
   * Classes of clients with settings of their own. Default: none.
   * @example [{ name: 'devices', clients: ['device:*'], rules: { 'sender-constraint': 'error' } }]
   */
  readonly classes?: readonly PolicyClass[]
}

const GROUPS = [
  ...['TLS', 'Signing keys', 'Secrets', 'Lifetimes', 'Scopes', 'Possession'],
  ...['Networks', 'Limits', 'Store', 'Monitoring', 'Leftovers'],
]

/** All rules, in the order of reports. */
export const POLICY_RULES: readonly PolicyRule[] = byGroup([
  ...DEPLOYMENT_RULES,
  ...CLIENT_RULES,
  ...LEFTOVER_RULES,
])

function byGroup(rules: readonly PolicyRule[]): readonly PolicyRule[] {
  return rules.toSorted((one, other) => GROUPS.indexOf(one.group) - GROUPS.indexOf(other.group))
}

const SEVERITIES = ['error', 'warning'] as const satisfies readonly PolicySeverity[]
const readSeverity = oneOf<PolicySeverity>(SEVERITIES)

function settingReader({ parameters = {} }: PolicyRule): Reader<PolicySetting> {
  const own = Object.keys(parameters).map((name) => [name, PARAMETERS[name as keyof PolicyParameters].read])
  const members = { severity: readSeverity, ...Object.fromEntries(own) }
  const readObject = object<object>(members as Members<object>)
  const readName = oneOf<PolicySetting>([false, ...SEVERITIES])
  return (value, path, faults) => {
    return isObject(value) ? readObject(value, path, faults) : readName(value, path, faults)
  }
}

function rulesReader<R>(rules: readonly PolicyRule[]): Reader<R> {
  const readers = Object.fromEntries(rules.map((rule) => [rule.id, settingReader(rule)]))
  return object<R>(readers as Members<R>, 'an object of rules by their ids')
}

const readPolicy = object<SecurityPolicy>({
  $schema: text('a text'),
  rules: rulesReader<NonNullable<SecurityPolicy['rules']>>(POLICY_RULES),
  classes: list(
    'a list of classes',
    object<PolicyClass>({
      name: required(text('a text', /./)),
      clients: required(
        list('a list of client ids', text('the id of a client, or a prefix with *', /^[^*]+\*?$/), {
          least: 1,
        }),
      ),
      rules: required(rulesReader<PolicyClass['rules']>(CLIENT_RULES)),
    }),
  ),
})

/**
 * Reads a policy.
 *
 * @throws ConfigurationError with all faults
 */
export function parsePolicy(policy: unknown): SecurityPolicy {
  return parse(readPolicy, policy, '')
}

/** A rule with its settings. */
export interface ActiveRule {
  readonly rule: PolicyRule
  readonly severity: PolicySeverity | 'off'
  readonly parameters: Required<PolicyParameters>
}

/** The settings of a rule: those of the class, those of the policy, and the defaults, member by member. */
export function settingsOf(rule: PolicyRule, settings: readonly (PolicySetting | undefined)[]): ActiveRule {
  let { severity, parameters = {} } = rule
  for (const setting of settings) {
    if (setting === undefined) continue
    if (setting === false) severity = 'off'
    else if (typeof setting === 'string') severity = setting
    else {
      const { severity: named, ...own } = setting
      severity = named ?? (severity === 'off' ? 'error' : severity)
      parameters = { ...parameters, ...own }
    }
  }
  return { rule, severity, parameters: parameters as Required<PolicyParameters> }
}
