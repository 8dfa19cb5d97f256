import { hasRevoked } from './evidence.mjs'
import { capitalized, counted, listed, shortened } from './text.mjs'

/** @typedef {import('./api.mjs').LoggedEvent} LoggedEvent */
/** @typedef {import('./event-words.mjs').Sample} Sample */

/**
 * A key that was sent again.
 *
 * @typedef {object} Replayed
 * @property {string} keyId
 * @property {string | undefined} subject whom the key is for, if that is not its client
 * @property {boolean} isByRoute whether a route of the app has redeemed it
 * @property {boolean} isKept whether a client or a binding that it gave has remained
 * @property {boolean} isUnsure whether a route has redeemed it, or it gave an access token
 * @property {string | undefined} fate of the client or the binding that it gave
 * @property {boolean} isCutOff whether its device no longer has what it gave
 */

/** A sentence names at most so many keys. */
const MOST_NAMED = 3

/**
 * What the server has done about a replay. It cannot undo what a route of the app has done. The samples say what became
 * of keys that other processes have refused.
 *
 * @param {import('./evidence.mjs').Evidence} evidence
 * @param {import('./api.mjs').Finding} finding
 * @returns {import('./exact.mjs').Exact}
 */
export function replayed({ samples, logged }, { count, firstAt, lastAt }) {
  const here = logged.filter(({ type, at }) => type === 'key.replayed' && at >= firstAt && at < lastAt + 1)
  const known = new Map([...samples, ...here].map((one) => [`${one.at} ${one.keyId}`, one.keyId ?? '']))
  const keys = [...new Set(known.values())].map((keyId) => replayedKey(keyId, samples, logged))
  return {
    done: doneTo(keys),
    left: leftOf(keys),
    next: nextFor(keys, { count, known: known.size }),
    cutOff: keys.filter(({ isCutOff }) => isCutOff).length,
  }
}

/** @param {readonly Replayed[]} keys */
function doneTo(keys) {
  const others = keys.filter(({ isByRoute }) => !isByRoute)
  const isOver = (/** @type {Replayed} */ { isKept, isUnsure }) => !isKept && !isUnsure
  if (others.length > 0 && others.every(isOver))
    return [`revoked everything that the ${keys.length > others.length ? 'other keys' : 'key'} had given`]
  if (others.some(({ isUnsure }) => isUnsure)) return ['revoked any access token of the key']
  return others.some(({ isCutOff }) => isCutOff) ? ['revoked the access tokens of the key'] : []
}

/** @param {readonly Replayed[]} keys */
function leftOf(keys) {
  const kept = keys.filter(({ isKept }) => isKept)
  return [
    kept.some(({ fate }) => fate === 'unreached') && 'could not reach everything that the key had given',
    kept.length > 0 &&
      kept.every(({ fate }) => fate === 'flagged') &&
      'kept the client or the binding that the key gave, because your policy says so',
    keys.some(({ isByRoute }) => isByRoute) && 'did not undo what your route did with the key',
  ].filter((words) => words !== false)
}

/**
 * @param {readonly Replayed[]} keys
 * @param {{ count: number, known: number }} times
 * @returns {import('./rules.mjs').Step}
 */
function nextFor(keys, { count, known }) {
  const [kept, routed, unsure] = [
    keys.filter(({ isKept }) => isKept),
    keys.filter(({ isByRoute }) => isByRoute),
    keys.filter(({ isUnsure }) => isUnsure),
  ]
  const isUrgent = kept.length + routed.length > 0
  const steps = [
    kept.length > 0 && `revoke everything that ${named(kept)} gave, because a part of it may still work`,
    routed.length > 0 && `undo what your route did with ${named(routed)}, unless your app has done so`,
    !isUrgent && 'give the device a new key, and find out where the old one was copied',
    unsure.length > 0 && `if your route redeemed ${named(unsure)}, undo what the route did`,
    known < count &&
      `search your log for key.replayed, because this page knows only ${known} of ${count} times`,
  ].filter((step) => step !== false)
  return [isUrgent ? 'now' : 'today', steps.map((step, i) => (i === 0 ? step : capitalized(step))).join('. ')]
}

/** @param {readonly Replayed[]} keys */
function named(keys) {
  const names = keys.slice(0, MOST_NAMED).map(({ keyId, subject }) => {
    const whose = subject === undefined ? '' : ` for ${shortened(subject)}`
    return `key ${shortened(keyId)}${whose}`
  })
  const more = keys.length - names.length
  return listed(more > 0 ? [...names, counted(more, 'more key')] : names)
}

/**
 * @param {string} keyId
 * @param {readonly Sample[]} samples
 * @param {readonly LoggedEvent[]} logged the latest first
 * @returns {Replayed}
 */
function replayedKey(keyId, samples, logged) {
  const events = logged.filter((event) => event.keyId === keyId)
  const elsewhere = samples.filter((sample) => sample.keyId === keyId)
  const ends = [...events.filter(isEnd).map(endOf), ...elsewhere].sort((a, b) => b.at - a.at)
  const fate = ends[0]?.fate
  const isByRoute = fate === 'route' || events.some(isRedeemedByRoute)
  const isKept = !isByRoute && (fate === 'flagged' || fate === 'unreached')
  const isUnsure = !isByRoute && fate === undefined && !events.some(({ type }) => type === 'key.redeemed')
  const subjects = [...events.map(subjectOf), ...elsewhere.map(({ subject }) => subject)]
  return {
    keyId,
    subject: subjects.find((subject) => subject !== undefined),
    ...{ isByRoute, isKept, isUnsure, fate },
    isCutOff: !isByRoute && !isUnsure && (!isKept || ends.some(({ code }) => hasRevoked(code))),
  }
}

/** @param {LoggedEvent} event */
function isEnd({ type }) {
  return type === 'key.replayed' || type === 'family.revoked'
}

/** @param {LoggedEvent} event */
function endOf({ at, code, family }) {
  return { at, code, fate: /** @type {{ fate?: string } | undefined} */ (family)?.fate }
}

/** @param {LoggedEvent} event */
export function isRedeemedByRoute({ type, action }) {
  return action === 'route' && (type === 'key.redeemed' || type === 'key.replayed')
}

/**
 * Whom a key is for, if that is not the client that asked for it.
 *
 * @param {LoggedEvent} event
 */
export function subjectOf({ clientId, subject }) {
  return typeof subject === 'string' && subject !== clientId ? subject : undefined
}
