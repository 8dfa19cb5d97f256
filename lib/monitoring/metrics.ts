import { type EventDetails, type EventType, SEVERITY } from '../ports/events.js'
import type { Attributes } from './providers.js'
import type { Rule } from './rules/rule.js'

/** One metric. `unit` is a UCUM code. */
export interface Metric {
  readonly name: `provisioning_key.${string}`
  readonly unit: string
  readonly description: string
  /** The names of its attributes. Their values come from closed unions, so the number of time series is limited. */
  readonly attributes: readonly string[]
}

/** The attributes of one measurement, by the values of these attributes in the order of the metric. */
export function attributesOf({ attributes }: Metric, values: readonly string[]): Attributes {
  return Object.freeze(Object.fromEntries(attributes.map((name, i) => [name, values[i] ?? ''])))
}

/** A histogram with the limits of its buckets. */
export interface HistogramMetric extends Metric {
  readonly buckets: readonly number[]
}

/** The values of the attributes: always the same ones, or those of the event. */
type Values<T extends EventType> = readonly string[] | ((details: EventDetails[T]) => readonly string[])

/** A counter that counts events. */
export interface EventCounter extends Metric {
  /** The values of the attributes, for each type of event that it counts. */
  readonly counts: { readonly [T in EventType]?: Values<T> }
  /** The values that start at 0, although they depend on the event. Prometheus overlooks the first value of a series. */
  readonly starts?: (rules: readonly CountedRule[]) => readonly (readonly string[])[]
}

/** What the metrics read of an active rule. */
export type CountedRule = Pick<Rule, 'id' | 'severity'>

const ACTION = 'provisioning_key.action'
const OUTCOME = 'provisioning_key.outcome'

/** The attribute with the reason of a refusal. OpenTelemetry gives it this name. Successes do not have it. */
export const ERROR_TYPE = 'error.type'

/** To count another event, add a row here and to docs/operations/monitoring.md. */
export const EVENT_COUNTERS: readonly EventCounter[] = [
  {
    name: 'provisioning_key.events',
    unit: '{event}',
    description: 'Events by type and severity',
    attributes: ['provisioning_key.event.type', 'provisioning_key.event.severity'],
    counts: {
      ...Object.fromEntries(Object.entries(SEVERITY).map(([type, severity]) => [type, [type, severity]])),
      'finding.opened': ({ severity }) => ['finding.opened', severity],
      'finding.updated': ({ severity }) => ['finding.updated', severity],
    },
    starts: (rules) =>
      rules.flatMap(({ severity }) => [
        ['finding.opened', severity],
        ['finding.updated', severity],
      ]),
  },
  {
    name: 'provisioning_key.issuances',
    unit: '{key}',
    description: 'Issued keys',
    attributes: ['provisioning_key.binding'],
    counts: {
      'key.issued': ({ confirmation }) => {
        if (confirmation === undefined) return ['none']
        return [confirmation.jkt === undefined ? 'certificate' : 'dpop']
      },
    },
  },
  {
    name: 'provisioning_key.verifications',
    unit: '{request}',
    description: 'Requests that a guard let pass, by their credential',
    attributes: ['provisioning_key.credential'],
    counts: { 'key.verified': ['provisioning_key'], 'token.verified': ['access_token'] },
  },
  {
    name: 'provisioning_key.redemptions',
    unit: '{redemption}',
    description: 'Redemptions by how they ended',
    attributes: [ACTION, OUTCOME],
    counts: {
      'key.redeemed': ({ action }) => [action, 'redeemed'],
      'redemption.repeated': ({ action }) => [action, 'repeated'],
      'key.released': ({ action }) => [action, 'released'],
    },
  },
  {
    name: 'provisioning_key.refusals',
    unit: '{request}',
    description: 'Refused requests by endpoint and reason',
    attributes: ['provisioning_key.endpoint', ERROR_TYPE],
    counts: { 'request.refused': ({ endpoint, reason }) => [endpoint, reason] },
  },
  {
    name: 'provisioning_key.findings',
    unit: '{finding}',
    description: 'Opened findings by rule',
    attributes: ['security_rule.name', 'provisioning_key.finding.severity'],
    counts: { 'finding.opened': ({ rule, severity }) => [rule, severity] },
    starts: (rules) => rules.map(({ id, severity }) => [id, severity]),
  },
]

export const DROPPED_EVENTS: Metric = {
  name: 'provisioning_key.dropped_events',
  unit: '{event}',
  description: 'Events that observers were too slow for',
  attributes: [],
}

export const OUTSTANDING: Metric = {
  name: 'provisioning_key.outstanding',
  unit: '{key}',
  description: 'Keys that are neither redeemed nor expired, in the sum over all processes',
  attributes: [],
}

/** In seconds, from the fastest guard to a request that waits for a slow handler. */
const USE_CASE_BUCKETS = [
  0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1, 5, 10,
]

export const KEY_AGE: HistogramMetric = {
  name: 'provisioning_key.redemption.key_age',
  unit: 's',
  description: 'Age of a key at its redemption',
  attributes: [ACTION],
  buckets: [1, 2, 5, 10, 30, 60, 120, 300, 600, 900, 1800, 3600],
}

const ISSUANCE_DURATION: HistogramMetric = {
  name: 'provisioning_key.issuance.duration',
  unit: 's',
  description: 'Time to authenticate a client and to issue a key',
  attributes: [ERROR_TYPE],
  buckets: USE_CASE_BUCKETS,
}

const VERIFICATION_DURATION: HistogramMetric = {
  name: 'provisioning_key.verification.duration',
  unit: 's',
  description: 'Time to verify a key in requireProvisioningKey()',
  attributes: [ERROR_TYPE],
  buckets: USE_CASE_BUCKETS,
}

const REDEMPTION_DURATION: HistogramMetric = {
  name: 'provisioning_key.redemption.duration',
  unit: 's',
  description: 'Time to verify a key, to run the action and to settle or release the key',
  attributes: [ACTION, ERROR_TYPE],
  buckets: USE_CASE_BUCKETS,
}

export const STORE_DURATION: HistogramMetric = {
  name: 'provisioning_key.store.duration',
  unit: 's',
  description: 'Time in which the store answered',
  attributes: ['provisioning_key.store.verb', OUTCOME],
  buckets: [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2],
}

const redemption = { span: 'provisioning_key.redeem', duration: REDEMPTION_DURATION }

/** The use cases that are measured and traced. A redemption is named by its action. */
export const USE_CASES = {
  issue: { span: 'provisioning_key.issue', duration: ISSUANCE_DURATION, attributes: {} },
  verify: { span: 'provisioning_key.verify', duration: VERIFICATION_DURATION, attributes: {} },
  token: { ...redemption, attributes: { [ACTION]: 'token' } },
  bind: { ...redemption, attributes: { [ACTION]: 'bind' } },
  register: { ...redemption, attributes: { [ACTION]: 'register' } },
  route: { ...redemption, attributes: { [ACTION]: 'route' } },
} as const

export type UseCase = keyof typeof USE_CASES

/** All metrics, with the kind of each. */
export const METRICS: readonly (readonly [
  kind: 'counter' | 'up-down counter' | 'histogram',
  metric: Metric,
])[] = [
  ...EVENT_COUNTERS.map((metric) => ['counter', metric] as const),
  ['counter', DROPPED_EVENTS],
  ['up-down counter', OUTSTANDING],
  ['histogram', ISSUANCE_DURATION],
  ['histogram', VERIFICATION_DURATION],
  ['histogram', REDEMPTION_DURATION],
  ['histogram', KEY_AGE],
  ['histogram', STORE_DURATION],
]
