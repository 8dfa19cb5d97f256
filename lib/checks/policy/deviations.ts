import type { DescribedClient } from '../../options/description.js'
import {
  type ActiveRule,
  POLICY_RULES,
  type PolicyClass,
  type PolicyRuleId,
  type PolicySetting,
  type SecurityPolicy,
  settingsOf,
} from './policy.js'
import {
  type FoundDeviation,
  matchesClient,
  type PolicyRule,
  type PolicySeverity,
  type Reviewed,
} from './rule.js'

/**
 * A part of a configuration that deviates from a policy. It contains no secret.
 *
 * @example
 * const describe = ({ rule, path, actual, expected }: Deviation) => `${rule}: ${path} is ${actual}, not ${expected}`
 */
export interface Deviation {
  /** The id of the rule. `docs/reference/policy-rules.md` has a section for each. */
  readonly rule: PolicyRuleId
  readonly severity: PolicySeverity
  /** The path of the option to change, such as `clients[0].policy.onReplay`, or `policy.onReplay` of the deployment. */
  readonly path: string
  readonly actual: string
  readonly expected: string
  /** How to correct it, in one sentence or two. */
  readonly fix: string
  /** The client, if the deviation is about one. */
  readonly clientId?: string
  /** The class of the client in the policy, if it has one. */
  readonly clientClass?: string
  /** The line in the file of the configuration, if it is known. */
  readonly line?: number
}

/** Compares a description of a configuration with a policy. */
export function reviewDescription(reviewed: Reviewed, policy: SecurityPolicy): Deviation[] {
  return POLICY_RULES.flatMap((rule) => deviationsOf(rule, reviewed, policy))
}

/** The deviations from one rule. */
export function deviationsOf(rule: PolicyRule, reviewed: Reviewed, policy: SecurityPolicy): Deviation[] {
  const { description } = reviewed
  const { find, findIn, notFor } = rule
  if (notFor?.(description) !== undefined) return []
  const own = ownSetting(rule, policy.rules)
  const ofDeployment = settingsOf(rule, [own])
  const ofClasses = { ...reviewed, classes: policy.classes ?? [] }
  const found = find?.(ofClasses, ofDeployment.parameters) ?? []
  if (findIn === undefined) return distinct(withSeverity(ofDeployment, found))
  return description.clients.flatMap((client) => {
    const clientClass = classOf(client, policy)
    const active = settingsOf(rule, [own, ownSetting(rule, clientClass?.rules)])
    const facts = {
      ...(client.clientId !== undefined && { clientId: client.clientId }),
      ...(clientClass !== undefined && { clientClass: clientClass.name }),
    }
    return withSeverity(active, findIn(client, active.parameters, reviewed)).map((one) => ({
      ...one,
      ...facts,
    }))
  })
}

/** The list without repetitions: all clients get the same options of the deployment. */
export function distinct<T>(all: readonly T[]): T[] {
  return [...new Map(all.map((one) => [JSON.stringify(one), one])).values()]
}

/** Whether a policy switches a rule off for everybody. */
export function isOff(rule: PolicyRule, { rules, classes = [] }: SecurityPolicy): boolean {
  const own = ownSetting(rule, rules)
  const settings = [[own], ...classes.map((one) => [own, ownSetting(rule, one.rules)])]
  return settings.every((each) => settingsOf(rule, each).severity === 'off')
}

function ownSetting(
  { id }: PolicyRule,
  rules: Readonly<Record<string, PolicySetting | undefined>> = {},
): PolicySetting | undefined {
  return Object.hasOwn(rules, id) ? rules[id] : undefined
}

function withSeverity({ rule, severity }: ActiveRule, found: readonly FoundDeviation[]): Deviation[] {
  const { id, fix } = rule
  if (severity === 'off') return []
  return found.map((one) => ({ rule: id as PolicyRuleId, severity, ...one, fix }))
}

function classOf(client: DescribedClient, { classes = [] }: SecurityPolicy): PolicyClass | undefined {
  return classes.find(({ clients }) => clients.some((entry) => matchesClient(entry, client)))
}
