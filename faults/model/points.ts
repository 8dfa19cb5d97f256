import { type Call, type Effect, type History, isSuccess, isUncertain, type Loss } from './history'
import {
  be,
  claim,
  failOver,
  failOverReplicated,
  forget,
  release,
  revoke,
  type Step,
  see,
  seeClaimLost,
  seeRedeemedBy,
  settle,
} from './key-state'

/** A moment, somewhere between two times, in which a call did or saw something. */
export interface Point {
  readonly label: string
  readonly step: Step
  readonly from: number
  readonly to: number
  /** Nobody knows whether it happened at all. */
  readonly isOptional: boolean
  /** It changes nothing, so there is no harm in having it as early as it can be. */
  readonly isSight: boolean
  /** What must have happened before. */
  readonly after?: Point
}

/** All that is known of one key. */
export interface KeyHistory extends Pick<History, 'losses' | 'troubles' | 'patience' | 'lease'> {
  readonly keyId: string
  readonly isBound: boolean
  readonly calls: readonly Call[]
  readonly effects: readonly Effect[]
}

/** What every answer about one key implies. */
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
  return { label, step, from, to, isOptional: false, isSight: false, ...more }
}

/** The lease is for the holder of a bound key alone: of any other a claim is never taken over. */
function pointOfClaim(key: KeyHistory, call: Call, to: number, isSure: boolean): Point {
  const { id: by, begin: from } = call
  const lease = (key.isBound ? key.lease : undefined) ?? Number.POSITIVE_INFINITY
  const step = claim({ by, isFirm: isSure, from, to, lease })
  return point(`${describeCall(call)}, its claim`, step, from, to, { isOptional: !isSure })
}

function pointsOfCall(key: KeyHistory, call: Call): Point[] {
  const { begin, end } = call
  const label = describeCall(call)
  switch (call.verb) {
    case 'issue':
      return [point(label, be, begin, end)]
    case 'revoke':
      // No answer, or that the store gave none: it may come about at any time after.
      return isUncertain(call)
        ? [point(label, revoke(false), begin, Number.POSITIVE_INFINITY, { isOptional: true })]
        : [point(label, revoke(true), begin, end)]
    case 'introspect': {
      if (isUncertain(call)) return []
      const step = call.active ? see('issued') : see('redeeming', 'redeemed', 'revoked', 'unknown')
      return [point(label, step, begin, end, { isSight: true })]
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
    const step = owner === undefined ? see('redeemed') : seeRedeemedBy(owner)
    return [point(`${label}, once more`, step, begin, end, { isSight: true })]
  }
  const claimed = pointOfClaim(key, call, began ?? end, true)
  return [claimed, point(label, settle(id, true), done ?? begin, end, { after: claimed })]
}

/** The call whose action brought an outcome forth. */
function ownerOf({ effects }: KeyHistory, outcome: string | undefined): string | undefined {
  return effects.find((effect) => effect.outcome === outcome || effect.call === outcome)?.call
}

/** The action ran, and said itself that it did not succeed. */
function pointsOfFailure(key: KeyHistory, call: Call, { began, failed = call.begin }: Traces): Point[] {
  const { id, begin, end } = call
  const label = describeCall(call)
  const claimed = pointOfClaim(key, call, began ?? end, true)
  // Where the store did not answer nobody is told that the key could not be given back.
  const isTroubled = key.troubles.some((trouble) => trouble.begin <= end && begin <= trouble.end)
  const isTakenOver = key.isBound && end - begin >= (key.lease ?? Number.POSITIVE_INFINITY)
  const isSure = !isTroubled && !isTakenOver && end - failed < key.patience
  const to = isSure ? end : Number.POSITIVE_INFINITY
  const after = { after: claimed, isOptional: !isSure }
  return [claimed, point(`${label}, given back`, release(id), failed, to, after)]
}

function pointsOfRefusal(key: KeyHistory, call: Call, { began }: Traces): Point[] {
  const { verb, begin, end } = call
  const label = describeCall(call)
  const step = sightOf(call, began !== undefined || verb === 'exchange')
  if (step === undefined) return []
  // It may have been refused after it had claimed the key: an action leaves a trace then, an exchange none.
  const claimed = pointOfClaim(key, call, began ?? end, began !== undefined)
  const seen = point(label, step, begin, end, { isSight: true })
  if (began !== undefined) return [claimed, { ...seen, after: claimed }]
  return verb === 'exchange' ? [claimed, seen] : [seen]
}

function sightOf({ id, reason }: Call, mayHaveClaimed: boolean): Step | undefined {
  if (reason === 'key_redeeming' || reason === 'redemption_pending') return see('redeeming')
  if (reason === 'key_redeemed') return see('redeemed')
  if (reason === 'key_revoked') return see('revoked')
  if (reason !== 'key_unknown') return undefined
  return mayHaveClaimed ? seeClaimLost(id) : see('unknown')
}

/** 503, or no answer: it may have claimed the key, and given it back or redeemed it, even later. */
function pointsOfUncertain(key: KeyHistory, call: Call, { began, done, failed }: Traces): Point[] {
  const { id, verb, begin } = call
  const label = describeCall(call)
  const ever = Number.POSITIVE_INFINITY
  const ran = began !== undefined
  const claimed = pointOfClaim(key, call, began ?? ever, ran)
  const maybe = { after: claimed, isOptional: true }
  const settled = point(`${label}, redeemed all the same`, settle(id, false), done ?? begin, ever, maybe)
  const released = point(`${label}, given back`, release(id), failed ?? begin, ever, maybe)
  // What ran and said nothing more is at work still, or was killed: it gives back nothing.
  if (ran)
    return [claimed, ...(done === undefined ? [] : [settled]), ...(failed === undefined ? [] : [released])]
  return verb === 'exchange' ? [claimed, settled, released] : [claimed, released]
}

/** `redeem c12 at worker 3: 401 key_redeemed (1203.1 to 1210.4 ms)`. */
export function describeCall({ id, verb, worker, status, reason, active, begin, end }: Call): string {
  const told = [status ?? 'no answer', reason, active === undefined ? undefined : `active: ${active}`]
  const answer = told.filter((one) => one !== undefined).join(' ')
  return `${verb} ${id} at worker ${worker}: ${answer} (${begin.toFixed(1)} to ${end.toFixed(1)} ms)`
}
