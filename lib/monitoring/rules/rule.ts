import type { Reason } from '../../base/errors.js'
import type { EventType, ProvisioningEvent, Severity } from '../../ports/events.js'
import type { Evidence } from '../../ports/monitoring-store.js'

/** What a rule can cause, from harmless to harmful. Only rules with `bound` evidence may cause more than a report. */
export const RESPONSES = ['report', 'throttle', 'stepUp', 'revokeKey', 'revokeFamily', 'lockClient'] as const

/**
 * The response to a finding.
 *
 * - `report`: nothing but the finding and its event
 * - `throttle`, `stepUp`, `lockClient`: a lock of the client, for `lockSeconds`
 * - `revokeKey`, `revokeFamily`: revokes the key of the event, or the results of its redemption
 *
 * @example
 * const strict: readonly RuleResponse[] = ['revokeKey', 'lockClient']
 */
export type RuleResponse = (typeof RESPONSES)[number]

/**
 * The id of a rule.
 *
 * @example
 * const quiet: readonly RuleId[] = ['late_redemption', 'silent_client']
 */
export type RuleId =
  | 'replayed_key'
  | 'dead_key'
  | 'cleartext_exposure'
  | 'forged_key'
  | 'wrong_proof_key'
  | 'wrong_place'
  | 'scope_escalation'
  | 'network_changed'
  | 'many_networks'
  | 'spoofed_proxy'
  | 'algorithm_tricks'
  | 'client_guessing'
  | 'source_guessing'
  | 'registration_burst'
  | 'misused_registration_token'
  | 'canary'
  | 'leaked_key'
  | 'issuance_burst'
  | 'stockpiling'
  | 'fast_redemption'
  | 'late_redemption'
  | 'skewed_clocks'
  | 'silent_client'

/** Whom a finding is about: one finding per subject. */
export type SubjectKind = 'client' | 'address' | 'deployment'

/** The events that a rule watches, in a form from which its Sigma rule is generated. */
export interface Signal {
  readonly events: readonly EventType[]
  /** Of `request.refused`, only refusals for these reasons count. */
  readonly reasons?: readonly Reason[]
  /** A further condition, in words. `Rule.where` decides it. */
  readonly condition?: string
  /** What is counted: each finding is about one of these. */
  readonly by: SubjectKind
}

/**
 * So many events within so many seconds open a finding.
 *
 * @example
 * const patient: Threshold = { count: 50, seconds: 600 }
 */
export interface Threshold {
  /**
   * The number of events, from 1 on.
   * @example 50
   */
  readonly count: number
  /**
   * The time in which they come, in seconds, at most 604,800 (a week).
   * @example 600
   */
  readonly seconds: number
}

/** What rules know besides the events. */
export interface RuleContext {
  /** The ids of the clients that nobody should use. */
  readonly canaries: ReadonlySet<string>
}

/** A rule that finds misuse in events. Everything but `where` and `watch` is data, from which pages are generated. */
export interface Rule {
  readonly id: RuleId
  /** Grows with each change of what the rule finds. */
  readonly version: number
  readonly title: string
  /** `evidence`: each match is a fact. `statistical`: it is unusual, and may be harmless. */
  readonly kind: 'evidence' | 'statistical'
  readonly severity: Severity
  readonly evidence: Evidence
  /** Techniques of MITRE ATT&CK. */
  readonly techniques: readonly string[]
  readonly signal: Signal
  readonly threshold: Threshold
  /** What harmless events look like this. */
  readonly falsePositives: string
  /** What the operator should do, in order. */
  readonly runbook: readonly string[]
  readonly responses: readonly RuleResponse[]
  /** Whether an event of the signal counts. Default: every one does. */
  readonly where?: (event: ProvisioningEvent, context: RuleContext) => boolean
  /**
   * For rules that remember events: makes a watcher. It returns whether an event is unusual, or the subject that is: a
   * client without an event of its own.
   */
  readonly watch?: () => (event: ProvisioningEvent) => boolean | string
}

/** What most rules have: one event is a fact, and is reported once in an hour. */
const USUAL = {
  kind: 'evidence',
  threshold: { count: 1, seconds: 3600 },
  responses: ['report'],
} satisfies Partial<Rule>

/** Makes a rule. It names only what most rules do not have. */
export function rule(special: Omit<Rule, keyof typeof USUAL> & Partial<Rule>): Rule {
  return { ...USUAL, ...special }
}

/** Reads a member that only some events have. */
export function memberOf(event: ProvisioningEvent, name: string): unknown {
  return (event as unknown as Readonly<Record<string, unknown>>)[name]
}
