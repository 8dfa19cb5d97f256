import type { KeyRef } from './key-record.js'
import type { Lock } from './lock.js'
import type {
  CloseFindingOutcome,
  LockOutcome,
  NotePresentationOutcome,
  UnlockOutcome,
} from './store-outcomes.js'

export { LOCK_KINDS, type Lock, type LockKind } from './lock.js'

/** The severities of events and findings, the lowest first. */
export const SEVERITIES = Object.freeze(['info', 'notice', 'warning', 'high'] as const)

/**
 * How urgent an event is: `high` means that somebody should look at it now.
 *
 * @example
 * const paged: readonly Severity[] = ['high']
 */
export type Severity = (typeof SEVERITIES)[number]

/**
 * The verbs of a store for monitoring. All processes that share the store see the same locks, findings and uses.
 *
 * A finding, a lock and a use are found up to and including their `until`. All times are NumericDates (seconds).
 *
 * @example
 * async function lockedClients(store: MonitoringStore): Promise<string[]> {
 *   return (await store.locks()).map(({ clientId }) => clientId)
 * }
 */
export interface MonitoringStore {
  /**
   * Notes the network that a key was presented from. An entry keeps at most `MOST_NETWORKS` networks.
   *
   * The count of the answer is that of the same atomic operation. So of several new networks at the same time, each one
   * gets another count.
   *
   * @returns `noted`; or, with nothing changed: `known`, `full` (the entry has as many networks as it may), `unknown`
   */
  notePresentation(ref: KeyRef, network: string): Promise<NotedPresentation>

  /**
   * Locks an identity. From then on, `find` answers the lock with each key whose client or subject it is, and `record`
   * refuses its keys as `LockKind` says. An identity has one lock of each kind: a new one replaces that of the same kind if
   * it is not shorter, and changes no other kind. So a short strong lock does not end a long weak one. `record` applies all
   * locks, and `find` answers the strongest one (in the order of `LOCK_KINDS`), or else the longest one.
   *
   * A store on several machines writes the lock everywhere, and then answers.
   *
   * @returns `locked`; or, with nothing changed: `unchanged` (the present lock of this kind is longer), `full` (the store
   *   has too many locked identities)
   * @throws RangeError when `until` is past, a time is not a number, or `kind` is none of `LOCK_KINDS`
   */
  lock(lock: Lock): Promise<LockOutcome>

  /**
   * Ends the locks of an identity, of all kinds. If `lock` and `unlock` of one identity run at the same time, either may come
   * first. When both have answered, `find`, `record` and `locks` agree.
   */
  unlock(clientId: string): Promise<UnlockOutcome>

  /** All locks of all kinds, in any order. */
  locks(): Promise<readonly Lock[]>

  /**
   * Opens a finding, or adds a report to the open finding with the same `id`: the `count` is added, `firstAt` becomes
   * the earlier time, `lastAt` and `until` become the later times, `severity` becomes the higher one, `actions` that
   * are new are appended up to `MOST_ACTIONS`, and so are `samples`, of which the last `MOST_SAMPLES` are kept. A finding
   * is `bound` from the first report with `bound` evidence on. The rule and the subject stay. Give reports with different
   * evidence different ids, because their counts are added.
   *
   * A store keeps at most `MOST_FINDINGS` findings with `bound` evidence, and as many with `unbound` evidence. In each
   * group a finding of the lowest severity makes room for a new one, and of these the one with the earliest `lastAt`. So
   * strangers cannot push out findings with bound evidence, and many small findings cannot push out a severe one. The new
   * finding itself stays.
   *
   * @returns the finding after the change, and whether it was opened
   * @throws RangeError when `until` is past, a time is not a number, `count` is not a whole number from 0 on, or
   *   `severity` or `evidence` is an unknown word
   */
  noteFinding(report: Finding): Promise<NotedFinding>

  /** All open findings, the latest `lastAt` first. */
  findings(): Promise<readonly Finding[]>

  /** Closes a finding: the store forgets it. */
  closeFinding(id: string): Promise<CloseFindingOutcome>

  /**
   * Notes that a client or a binding was used. An earlier time than the noted one changes nothing. In a full store, the
   * client or binding that is unused for the longest time makes room.
   *
   * @throws RangeError when `until` is past or a time is not a number
   */
  noteUse(use: ClientUse): Promise<void>

  /** The last use of a client, and of each of its bindings, in any order. */
  lastUses(clientId: string): Promise<readonly ClientUse[]>

  /** The clients and bindings that were last used before a time, the longest unused first, and at most `limit`. */
  unusedSince(time: number, limit: number): Promise<readonly ClientUse[]>
}

/** The most networks that an entry keeps. */
export const MOST_NETWORKS = 8

/** The most findings that a store keeps with bound evidence, and again with unbound evidence. */
export const MOST_FINDINGS = 500

/** The most samples that a finding keeps. */
export const MOST_SAMPLES = 5

/** The most characters of a sample. A store cuts longer ones. */
export const MOST_SAMPLE_CHARACTERS = 256

/** The most actions that a finding keeps. */
export const MOST_ACTIONS = 16

/** The two kinds of evidence. */
export const EVIDENCE = Object.freeze(['unbound', 'bound'] as const)

/**
 * Who can cause a finding. `bound`: only somebody with a key, a token or the credentials of its subject. This can be a thief.
 * `unbound`: anybody.
 *
 * @example
 * const actionable: Evidence = 'bound'
 */
export type Evidence = (typeof EVIDENCE)[number]

/**
 * What a rule has found about a subject in one hour.
 *
 * @example
 * function title({ rule, subject, count }: Finding): string {
 *   return `${rule}: ${subject} (${count} times)`
 * }
 */
export interface Finding {
  readonly id: string
  /** The id of the rule. */
  readonly rule: string
  readonly severity: Severity
  readonly evidence: Evidence
  /** A client id, an address or a network, with its kind, as in `client:fleet` and `address:192.0.2.1`. */
  readonly subject: string
  /** How often the rule has matched. */
  readonly count: number
  /** The time of the first event, in seconds since the epoch. */
  readonly firstAt: number
  /** The time of the last event, in seconds since the epoch. */
  readonly lastAt: number
  /** The codes, ids and addresses of some of the events: at most `MOST_SAMPLE_CHARACTERS` each. */
  readonly samples: readonly string[]
  /** The responses that were taken. */
  readonly actions: readonly string[]
  /** The store forgets the finding after this time, in seconds since the epoch. */
  readonly until: number
}

/**
 * The last use of a client or of one of its bindings.
 *
 * @example
 * function isStale({ lastUsedAt }: ClientUse, days: number): boolean {
 *   return lastUsedAt < Date.now() / 1000 - days * 86_400
 * }
 */
export interface ClientUse {
  readonly clientId: string
  readonly bindingId?: string
  /** In seconds since the epoch. */
  readonly lastUsedAt: number
  /** The network of the request: see `networkOf`. */
  readonly network?: string
  /** The store forgets the use after this time, in seconds since the epoch. */
  readonly until: number
}

/**
 * The answer of `noteFinding`.
 *
 * @example
 * function isNew({ isOpened }: NotedFinding): boolean {
 *   return isOpened
 * }
 */
export interface NotedFinding {
  readonly finding: Finding
  readonly isOpened: boolean
}

/**
 * The answer of `notePresentation`.
 *
 * @example
 * function isSecondNetwork({ outcome, networks }: NotedPresentation): boolean {
 *   return outcome === 'noted' && networks === 2
 * }
 */
export interface NotedPresentation {
  readonly outcome: NotePresentationOutcome
  /** How many networks the entry has after the call: at most `MOST_NETWORKS`, and 0 if the key is unknown. */
  readonly networks: number
}
