import { type Call, type Effect, type History, isSuccess, isUncertain, type Loss } from './history'
import {
  failOver,
  failOverReplicated,
  forget,
  issue,
  observe,
  observeRedeemedBy,
  observeReservationLost,
  release,
  reserve,
  revoke,
  type Step,
  settle,
} from './key-state'

/** A change or an observation of a key by a call, at one moment between two times. */
export interface Point {
  readonly label: string
  readonly step: Step
  readonly from: number
  readonly to: number
  /** Whether it may not have happened. */
  readonly isOptional: boolean
  /** Whether it changes nothing. Then it can be taken as early as possible. */
  readonly isObservation: boolean
  /** A point that must happen before. */
  readonly after?: Point
}

/** Everything that is known about a key. */
export interface KeyHistory
  extends Pick<History, 'losses' | 'outages' | 'storeTimeoutMilliseconds' | 'leaseMilliseconds'> {
  readonly keyId: string
  readonly isBound: boolean
  readonly calls: readonly Call[]
  readonly effects: readonly Effect[]
}

/** The points that follow from all calls and losses of a key. */
export function pointsOf(key: KeyHistory): Point[] {
  return [...key.calls.flatMap((call) => pointsOfCall(key, call)), ...key.losses.map(pointOfLoss)]
}

function pointOfLoss({ kind, begin, end }: Loss): Point {
  const step = { forgot: forget, 'failed over, replicated': failOverReplicated, 'failed over': failOver }[
    kind
  ]
  return point(kind, step, begin, end)
}

function point(label: string, step: Step, from: number, to: number, more: Partial<Point> = {}): Point {
  return { label, step, from, to, isOptional: false, isObservation: false, ...more }
}

/** Only the owner of a bound key can replace its reservation, when the lease is over. */
function pointOfReservation(key: KeyHistory, call: Call, to: number, isSure: boolean): Point {
  const { id: by, begin: from } = call
  const leaseMilliseconds = (key.isBound ? key.leaseMilliseconds : undefined) ?? Number.POSITIVE_INFINITY
  const step = reserve({ by, isConfirmed: isSure, from, to, leaseMilliseconds })
  return point(`${describeCall(call)}, its reservation`, step, from, to, { isOptional: !isSure })
}

function pointsOfCall(key: KeyHistory, call: Call): Point[] {
  const { begin, end } = call
  const label = describeCall(call)
  switch (call.verb) {
    case 'issue':
      return [point(label, issue, begin, end)]
    case 'revoke':
      // The caller got no answer or a 503: the revocation may happen at any later time.
      return isUncertain(call)
        ? [point(label, revoke(false), begin, Number.POSITIVE_INFINITY, { isOptional: true })]
        : [point(label, revoke(true), begin, end)]
    case 'introspect': {
      if (isUncertain(call)) return []
      const step = call.active ? observe('issued') : observe('redeeming', 'redeemed', 'revoked', 'unknown')
      return [point(label, step, begin, end, { isObservation: true })]
    }
    default:
      return pointsOfRedemption(key, call)
  }
}

function pointsOfRedemption(key: KeyHistory, call: Call): Point[] {
  const own = key.effects.filter((effect) => effect.call === call.id)
  const at = (kind: Effect['kind']) => own.find((effect) => effect.kind === kind)?.at
  const traces: Traces = { began: at('began'), done: at('done'), failed: at('failed') }
  if (isUncertain(call)) return pointsOfUncertain(key, call, traces)
  if (isSuccess(call)) return pointsOfSuccess(key, call, traces)
  return traces.failed !== undefined && call.reason === undefined
    ? pointsOfFailure(key, call, traces)
    : pointsOfRefusal(key, call, traces)
}

interface Traces {
  readonly began: number | undefined
  readonly done: number | undefined
  readonly failed: number | undefined
}

function pointsOfSuccess(key: KeyHistory, call: Call, { began, done }: Traces): Point[] {
  const { id, begin, end, outcome } = call
  const label = describeCall(call)
  const owner = ownerOf(key, outcome)
  if (key.isBound && owner !== id) {
    const step = owner === undefined ? observe('redeemed') : observeRedeemedBy(owner)
    return [point(`${label}, repeated answer`, step, begin, end, { isObservation: true })]
  }
  const reserved = pointOfReservation(key, call, began ?? end, true)
  return [reserved, point(label, settle(id, true), done ?? begin, end, { after: reserved })]
}

/** The call whose action created an outcome. */
function ownerOf({ effects }: KeyHistory, outcome: string | undefined): string | undefined {
  return effects.find((effect) => effect.outcome === outcome || effect.call === outcome)?.call
}

/** The action noted that it failed. */
function pointsOfFailure(key: KeyHistory, call: Call, { began, failed = call.begin }: Traces): Point[] {
  const { id, begin, end } = call
  const label = describeCall(call)
  const reserved = pointOfReservation(key, call, began ?? end, true)
  // If the store does not answer, the caller does not learn that the key is still reserved.
  const isOutage = key.outages.some((outage) => outage.begin <= end && begin <= outage.end)
  const mayBeReplaced = key.isBound && end - begin >= (key.leaseMilliseconds ?? Number.POSITIVE_INFINITY)
  const isSure = !isOutage && !mayBeReplaced && end - failed < key.storeTimeoutMilliseconds
  const to = isSure ? end : Number.POSITIVE_INFINITY
  const after = { after: reserved, isOptional: !isSure }
  return [reserved, point(`${label}, released`, release(id), failed, to, after)]
}

function pointsOfRefusal(key: KeyHistory, call: Call, { began }: Traces): Point[] {
  const { verb, begin, end } = call
  const label = describeCall(call)
  const step = observationOf(call, began !== undefined || verb === 'exchange')
  if (step === undefined) return []
  // The call may have been refused after it reserved the key. Then an action leaves a trace, but an exchange does not.
  const reserved = pointOfReservation(key, call, began ?? end, began !== undefined)
  const seen = point(label, step, begin, end, { isObservation: true })
  if (began !== undefined) return [reserved, { ...seen, after: reserved }]
  return verb === 'exchange' ? [reserved, seen] : [seen]
}

function observationOf({ id, reason }: Call, mayHaveReserved: boolean): Step | undefined {
  if (reason === 'key_redeeming' || reason === 'redemption_pending') return observe('redeeming')
  if (reason === 'key_redeemed') return observe('redeemed')
  if (reason === 'key_revoked') return observe('revoked')
  if (reason !== 'key_unknown') return undefined
  return mayHaveReserved ? observeReservationLost(id) : observe('unknown')
}

/** The caller got a 503 or no answer. The call may have reserved, released or redeemed the key, also later. */
function pointsOfUncertain(key: KeyHistory, call: Call, { began, done, failed }: Traces): Point[] {
  const { id, verb, begin } = call
  const label = describeCall(call)
  const noLimit = Number.POSITIVE_INFINITY
  const hasBegun = began !== undefined
  const reserved = pointOfReservation(key, call, began ?? noLimit, hasBegun)
  const maybe = { after: reserved, isOptional: true }
  const settled = point(`${label}, redeemed anyway`, settle(id, false), done ?? begin, noLimit, maybe)
  const released = point(`${label}, released`, release(id), failed ?? begin, noLimit, maybe)
  // An action that noted only its start is still running, or was killed. It does not release the key.
  if (hasBegun)
    return [reserved, ...(done === undefined ? [] : [settled]), ...(failed === undefined ? [] : [released])]
  return verb === 'exchange' ? [reserved, settled, released] : [reserved, released]
}

/** `redeem c12 at worker 3: 401 key_redeemed (1203.1 to 1210.4 ms)`. */
export function describeCall({ id, verb, worker, status, reason, active, begin, end }: Call): string {
  const parts = [status ?? 'no answer', reason, active === undefined ? undefined : `active: ${active}`]
  const answer = parts.filter((one) => one !== undefined).join(' ')
  return `${verb} ${id} at worker ${worker}: ${answer} (${begin.toFixed(1)} to ${end.toFixed(1)} ms)`
}
