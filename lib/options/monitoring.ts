import { join } from '../base/faults.js'
import { parseNetwork } from '../base/network.js'
import { isObject } from '../base/object.js'
import { list, object, oneOf, type Reader, required, texts, whole } from '../base/schema.js'
import type { ActiveRule } from '../monitoring/detector.js'
import {
  RESPONSES,
  type Rule,
  type RuleId,
  type RuleResponse,
  type Threshold,
} from '../monitoring/rules/rule.js'
import { RULES } from '../monitoring/rules/rules.js'
import { CLIENT_ID } from '../ports/client.js'

/**
 * How the server finds misuse, and what it does then.
 *
 * @example
 * const monitoring: MonitoringOptions = {
 *   rules: { replayed_key: { responses: ['stepUp'] }, silent_client: false },
 *   exempt: { networks: ['10.0.0.0/8'] },
 * }
 */
export interface MonitoringOptions {
  /**
   * Settings of rules, by their ids. `false` switches a rule off. Default: all rules run as the documentation says.
   * @example { client_guessing: { threshold: { count: 50, seconds: 600 } }, late_redemption: false }
   */
  readonly rules?: { readonly [id in RuleId]?: false | RuleOptions }
  /**
   * Clients and networks that no rule looks at. Default: none.
   * @example { clients: ['load-test'], networks: ['10.0.0.0/8'] }
   */
  readonly exempt?: ExemptionOptions
  /**
   * The ids of clients that nobody should use: any use of their credentials or keys opens a finding. Default: none.
   * @example ['backup-runner']
   */
  readonly canaries?: readonly string[]
  /**
   * How long an automatic lock lasts, in seconds. Default 3,600 (an hour), at least 60, at most 604,800 (a week).
   * @example 900
   */
  readonly lockSeconds?: number
  /**
   * How many refusals of one address observers get in a minute. The others are one event `refusals.summarized`. Default
   * 20.
   * @example 100
   */
  readonly detailedRefusals?: number
}

/**
 * The settings of one rule.
 *
 * @example
 * const patient: RuleOptions = { threshold: { count: 50, seconds: 600 } }
 */
export interface RuleOptions {
  /**
   * How many events within how many seconds open a finding. Default: as the documentation of the rule says.
   * @example { count: 50, seconds: 600 }
   */
  readonly threshold?: Threshold
  /**
   * What the server does. A rule that strangers can trigger can only `report`. Default: as the documentation says.
   * @example ['revokeKey', 'lockClient']
   */
  readonly responses?: readonly RuleResponse[]
}

/**
 * Clients and networks that no rule looks at.
 *
 * @example
 * const exempt: ExemptionOptions = { networks: ['10.0.0.0/8'] }
 */
export interface ExemptionOptions {
  /**
   * The ids of clients. Default: none.
   * @example ['load-test']
   */
  readonly clients?: readonly string[]
  /**
   * Networks in CIDR notation. Default: none.
   * @example ['10.0.0.0/8']
   */
  readonly networks?: readonly string[]
}

/** The option `monitoring`, with its defaults. */
export interface MonitoringRules {
  readonly active: readonly (ActiveRule & { readonly responses: readonly RuleResponse[] })[]
  readonly canaries: ReadonlySet<string>
  readonly exemptClients: ReadonlySet<string>
  readonly exemptNetworks: readonly string[]
  readonly lockSeconds: number
  readonly detailedRefusals: number
}

const DAY_SECONDS = 86_400

const readClientIds = texts('the id of a client', CLIENT_ID)

const readRule = object<RuleOptions>({
  threshold: object<Threshold>({
    count: required(whole(1, 1_000_000)),
    seconds: required(whole(1, 7 * DAY_SECONDS, ' seconds')),
  }),
  responses: list(`a list of ${RESPONSES.join(', ')}`, oneOf(RESPONSES), { least: 1 }),
})

/** A rule that strangers can trigger must not harm the client that it names. */
function ruleReader({ evidence }: Rule): Reader<false | RuleOptions> {
  return (value, path, faults) => {
    if (value === false) return false
    const read = readRule(value, path, faults)
    const harmful = (read.responses ?? []).filter((response) => response !== 'report')
    if (evidence === 'unbound' && harmful.length > 0)
      faults.add(
        join(path, 'responses'),
        "['report'], because anybody can trigger this rule for any client",
        `[${harmful.map((one) => `'${one}'`).join(', ')}]`,
      )
    return read
  }
}

const RULE_READERS = Object.fromEntries(
  Object.values(RULES).map((rule) => [rule.id, ruleReader(rule)]),
) as unknown as Parameters<typeof object<NonNullable<MonitoringOptions['rules']>>>[0]

const readMembers = object<MonitoringOptions>({
  rules: object<NonNullable<MonitoringOptions['rules']>>(RULE_READERS, 'an object of rules by their ids'),
  exempt: object<ExemptionOptions>({
    clients: readClientIds,
    networks: texts('a network such as 10.0.0.0/8', (given) => parseNetwork(given) !== undefined),
  }),
  canaries: readClientIds,
  lockSeconds: whole(60, 7 * DAY_SECONDS, ' seconds'),
  detailedRefusals: whole(1, 1_000_000),
})

const read: Reader<false | MonitoringRules> = (value, path, faults) => {
  if (value === false) return false
  if (isObject(value)) return completeMonitoring(readMembers(value, path, faults))
  faults.reject(path, 'false, or an object', value)
  return false
}

export const readMonitoring: typeof read = Object.assign(read, { names: readMembers.names })

export function completeMonitoring(options: MonitoringOptions): MonitoringRules {
  const { rules = {}, exempt = {}, canaries = [], ...given } = options
  const active = Object.values(RULES).flatMap((rule) => {
    const settings = rules[rule.id]
    if (settings === false || (rule.id === 'canary' && canaries.length === 0)) return []
    const { threshold = rule.threshold, responses = rule.responses } = settings ?? {}
    return [{ rule, threshold, responses }]
  })
  return Object.freeze({
    active,
    canaries: new Set(canaries),
    exemptClients: new Set(exempt.clients),
    exemptNetworks: exempt.networks ?? [],
    lockSeconds: given.lockSeconds ?? 3_600,
    detailedRefusals: given.detailedRefusals ?? 20,
  })
}
