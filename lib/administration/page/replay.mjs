import { hasRevoked } from './evidence.mjs'
import { counted, listed, shortened } from './text.mjs'

/** @typedef {import('./api.mjs').LoggedEvent} LoggedEvent */
/** @typedef {import('./evidence.mjs').Evidence} Evidence */
/** @typedef {import('./exact.mjs').Exact} Exact */

/**
 * A key that was sent again.
 *
 * @typedef {object} Replayed
 * @property {string} keyId
 * @property {string | undefined} subject whom the key is for, if that is not its client
 * @property {boolean} isByRoute whether a route of the app has redeemed it
 * @property {string | undefined} fate of the client or the binding that it gave, if it gave one
 */

/** The most keys that one sentence names. */
const MOST_NAMED = 3

/**
 * What the server has done about a replay. It cannot undo what a route of the app has done.
 *
 * @param {Evidence} evidence
 * @param {import('./api.mjs').Finding} finding
 * @returns {Exact}
 */
export function replayed({ seen, logged }, { count, firstAt, lastAt }) {
  const replays = logged.filter(({ type, at }) => type === 'key.replayed' && at >= firstAt && at < lastAt + 1)
  const keys = [...new Set([...seen, ...replays].map(({ keyId = '' }) => keyId))].map((keyId) =>
    endOf(keyId, logged),
  )
  const routed = keys.filter(({ isByRoute }) => isByRoute)
  const others = keys.filter(({ isByRoute }) => !isByRoute)
  const hasRevokedTokens = seen.some(
    ({ code, keyId }) => hasRevoked(code) && others.some((key) => key.keyId === keyId),
  )
  const end =
    others.length > 0 ? ofFamilies(others, { hasRevokedTokens, isComplete: replays.length >= count }) : {}
  return routed.length > 0 ? withRoutes(end, routed) : end
}

/**
 * @param {readonly Replayed[]} keys
 * @param {{ hasRevokedTokens: boolean, isComplete: boolean }} known
 * @returns {Exact}
 */
function ofFamilies(keys, { hasRevokedTokens, isComplete }) {
  const fates = keys.map(({ fate }) => fate)
  const done = hasRevokedTokens ? ['revoked the access tokens of the key'] : []
  const cutOff = hasRevokedTokens ? keys.length : 0
  if (fates.includes('flagged') || fates.includes('unreached'))
    return {
      done,
      left: [
        fates.includes('unreached')
          ? 'could not reach everything that the key had given'
          : 'kept the client or the binding that the key gave, because your policy says so',
      ],
      next: ['now', 'revoke everything that the key gave, because a part of it still works'],
      cutOff,
    }
  if (isComplete) return { done: ['revoked everything that the key had given'], cutOff: keys.length }
  return {
    done,
    left: ['may have kept a client or a binding that the key gave: this process does not know'],
    next: ['now', 'open the key in the examples, and revoke what it gave if that still works'],
    cutOff,
  }
}

/**
 * @param {Exact} end of the other keys
 * @param {readonly Replayed[]} routed
 * @returns {Exact}
 */
function withRoutes({ left = [], next, ...end }, routed) {
  const undo = `undo what your route did with ${named(routed)}, unless your app has done so`
  return {
    ...end,
    left: [...left, 'did not undo what your route did with the key'],
    next: ['now', next === undefined ? undo : `${next[1]}. Also ${undo}`],
  }
}

/** @param {readonly Replayed[]} keys */
function named(keys) {
  const names = keys
    .slice(0, MOST_NAMED)
    .map(
      ({ keyId, subject }) =>
        `key ${shortened(keyId)}${subject === undefined ? '' : ` for ${shortened(subject)}`}`,
    )
  const more = keys.length - names.length
  return listed(more > 0 ? [...names, counted(more, 'more key')] : names)
}

/**
 * @param {string} keyId
 * @param {readonly LoggedEvent[]} logged the latest first
 * @returns {Replayed}
 */
function endOf(keyId, logged) {
  const events = logged.filter((event) => event.keyId === keyId)
  const last = events.find(({ type }) => type === 'key.replayed' || type === 'family.revoked')
  return {
    keyId,
    subject: events.map(subjectOf).find((subject) => subject !== undefined),
    isByRoute: events.some(isByRoute),
    fate: /** @type {{ fate?: string } | undefined} */ (last?.family)?.fate,
  }
}

/** @param {LoggedEvent} event */
export function isByRoute({ type, action }) {
  return type === 'key.redeemed' && action === 'route'
}

/**
 * Whom a key is for, if that is not the client that asked for it.
 *
 * @param {LoggedEvent} event
 */
export function subjectOf({ clientId, subject }) {
  return typeof subject === 'string' && subject !== clientId ? subject : undefined
}
