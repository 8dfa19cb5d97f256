import type { RequestSource } from '../base/request.js'
import type { EventDetails } from './event-details.js'
import type { Severity } from './monitoring-store.js'

export type { EndpointName, EventDetails } from './event-details.js'
export type { Severity } from './monitoring-store.js'

/**
 * The type of an event.
 *
 * @example
 * const thefts: readonly EventType[] = ['key.replayed', 'key.forged', 'token.forged']
 */
export type EventType = keyof EventDetails

/** The severity of each event. A finding has the severity of its rule instead. */
export const SEVERITY: Record<EventType, Severity> = {
  'key.issued': 'info',
  'key.verified': 'info',
  'redemption.started': 'info',
  'key.redeemed': 'info',
  'key.moved': 'notice',
  'key.released': 'notice',
  'redemption.repeated': 'notice',
  'redemption.stalled': 'high',
  'key.replayed': 'high',
  'family.revoked': 'notice',
  'key.revoked': 'notice',
  'key.forged': 'high',
  'keys.revoked': 'high',
  'key.exposed': 'high',
  'key.leaked': 'high',
  'client.bound': 'notice',
  'client.unbound': 'notice',
  'binding.confirmed': 'info',
  'binding.undone': 'notice',
  'client.registered': 'notice',
  'client.updated': 'notice',
  'client.deleted': 'notice',
  'client.flagged': 'high',
  'canary.used': 'high',
  'registration.confirmed': 'info',
  'registration.undone': 'notice',
  'registration.misused': 'high',
  'registration.exposed': 'high',
  'registration.leaked': 'high',
  'refusals.summarized': 'warning',
  'finding.opened': 'notice',
  'finding.updated': 'notice',
  'finding.closed': 'notice',
  'client.locked': 'high',
  'client.unlocked': 'notice',
  'administration.acted': 'notice',
  'administration.refused': 'warning',
  'token.issued': 'info',
  'token.verified': 'info',
  'token.revoked': 'notice',
  'token.forged': 'high',
  'token.exposed': 'high',
  'token.leaked': 'high',
  'signing_key.added': 'notice',
  'signing_key.rotated': 'notice',
  'signing_key.removed': 'high',
  'signing_keys.unavailable': 'warning',
  'request.refused': 'warning',
  'configuration.advised': 'warning',
  'events.dropped': 'warning',
}

/** What every event has. */
interface EventEnvelope<T extends EventType> {
  readonly type: T
  /**
   * The outcome, in one stable text for filters and alert rules: the type, and what distinguishes its outcomes, as in
   * `request.refused:key_expired` and `key.exposed:revoked`.
   */
  readonly code: string
  readonly at: Date
  readonly severity: Severity
  /** The IP address of the client, if a request caused the event. */
  readonly address?: string | undefined
  /** The `User-Agent` of that request: at most 256 characters, without control characters and secrets. */
  readonly userAgent?: string | undefined
  /** How the client of that request has authenticated. */
  readonly authenticationMethod?: string | undefined
  /** The trace of that request (W3C Trace Context 3.2.2.3). */
  readonly traceId?: string | undefined
}

/**
 * One event of one type: an envelope and what the type adds.
 *
 * @example
 * function report({ keyId, address, familyRevoked }: EventOf<'key.replayed'>): void {
 *   console.error(`Key ${keyId} was replayed from ${address}. Its tokens are ${familyRevoked ? 'revoked' : 'expired'}.`)
 * }
 */
export type EventOf<T extends EventType> = EventDetails[T] & EventEnvelope<T>

/** What distinguishes the outcomes of an event, for the types that have more than one. */
const OUTCOMES: { readonly [T in EventType]?: (details: EventDetails[T]) => string } = {
  'request.refused': ({ reason }) => reason,
  'key.redeemed': ({ action }) => action,
  'administration.acted': ({ action }) => action,
  'administration.refused': ({ reason }) => reason,
  'finding.opened': ({ rule }) => rule,
  'finding.updated': ({ rule }) => rule,
  'client.locked': ({ kind }) => kind,
  'key.replayed': ({ familyRevoked }) => (familyRevoked ? 'family_revoked' : 'nothing_revoked'),
  'key.exposed': ({ revoked }) => (revoked ? 'revoked' : 'kept'),
  'key.leaked': ({ revoked }) => (revoked ? 'revoked' : 'kept'),
  'token.exposed': ({ revoked }) => (revoked ? 'revoked' : 'kept'),
  'token.leaked': ({ revoked }) => (revoked ? 'revoked' : 'kept'),
  'registration.exposed': ({ tokenRevoked }) => (tokenRevoked ? 'revoked' : 'kept'),
  'registration.leaked': ({ tokenRevoked }) => (tokenRevoked ? 'revoked' : 'kept'),
  'registration.misused': ({ tokenRevoked }) => (tokenRevoked ? 'revoked' : 'kept'),
  'client.unbound': ({ by }) => `by_${by}`,
  'client.deleted': ({ by }) => `by_${by}`,
  'signing_keys.unavailable': ({ usable }) => (usable ? 'usable' : 'unusable'),
}

/** The `code` of an event. */
export function codeOf<T extends EventType>(type: T, details: EventDetails[T]): string {
  const outcome = OUTCOMES[type]
  return outcome === undefined ? type : `${type}:${outcome(details)}`
}

/**
 * Every event, distinguished by `type`.
 *
 * @example
 * function line({ at, severity, code }: ProvisioningEvent): string {
 *   return `${at.toISOString()} ${severity} ${code}`
 * }
 */
export type ProvisioningEvent = { [T in EventType]: EventOf<T> }[EventType]

/**
 * Receives events. Events of one observer come in order, one at a time: if it returns a promise, the next event waits
 * for it. Its errors and rejections are dropped: an observer cannot make a request fail.
 *
 * @example
 * const log: Observer = ({ code, ...details }) => console.log(code, JSON.stringify(details))
 * keys.on('*', log)
 */
export type Observer<E = ProvisioningEvent> = (event: E) => unknown

/**
 * Emits one event to all observers.
 *
 * @param source the request that caused the event
 */
export type Emit = <T extends EventType>(
  type: T,
  details: EventDetails[T],
  source?: RequestSource | undefined,
) => void

/**
 * Emits one event to all observers. With `audit.failClosed`, it returns a promise that rejects unless the sink takes
 * the event.
 */
export type EmitAudited = <T extends EventType>(
  type: T,
  details: EventDetails[T],
  source?: RequestSource | undefined,
) => Promise<void> | undefined
