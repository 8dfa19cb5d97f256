import { RESPONSES, wordsOfRule } from './rules.mjs'
import { clockTime } from './times.mjs'

/** @typedef {import('./api.mjs').Finding} Finding */
/** @typedef {import('./api.mjs').Lock} Lock */

/** The severities, the worst first, with their names for one and for several findings. */
export const SEVERITIES = /** @type {const} */ ([
  ['high', 'high finding', 'high findings'],
  ['warning', 'warning', 'warnings'],
  ['notice', 'notice', 'notices'],
  ['info', 'note', 'notes'],
])

/**
 * Whom a finding is about.
 *
 * @param {string} subject such as `client:fleet`
 * @returns {{ kind: string, id: string }}
 */
export function subjectOf(subject) {
  const colon = subject.indexOf(':')
  return colon < 0
    ? { kind: subject, id: '' }
    : { kind: subject.slice(0, colon), id: subject.slice(colon + 1) }
}

/** @param {Finding} finding */
export function clientOf({ subject }) {
  const { kind, id } = subjectOf(subject)
  return kind === 'client' ? id : undefined
}

/** The responses that are locks, with their kinds. @type {Readonly<Record<string, string>>} */
const LOCKING = { throttle: 'throttle', stepUp: 'stepUp', lockClient: 'lock' }

/**
 * What the server has done about a finding.
 *
 * @param {Finding} finding
 * @param {readonly Lock[]} locks
 * @param {number} now
 * @returns {string[]} what follows `The server`
 */
export function responsesOf(finding, locks, now) {
  const { handled } = wordsOfRule(finding.rule, finding.title)
  const taken = finding.actions.flatMap((action) => {
    const words = Object.hasOwn(RESPONSES, action) ? RESPONSES[action] : undefined
    if (words === undefined) return []
    const kind = LOCKING[action]
    const lock = locksOf(finding, locks).find((each) => each.kind === kind)
    if (kind === undefined) return [words]
    return [lock === undefined ? `${words} (this has ended)` : `${words} until ${clockTime(lock.until, now)}`]
  })
  const done = [...handled, ...taken]
  return done.length === 0 ? ['reported it, and did nothing else'] : done
}

/** @param {Finding} finding */
export function isFinal({ actions }) {
  return actions.includes('revokeKey') || actions.includes('revokeFamily')
}

/**
 * The locks of the client of a finding that are in force.
 *
 * @param {Finding} finding
 * @param {readonly Lock[]} locks
 */
export function locksOf(finding, locks) {
  const clientId = clientOf(finding)
  return locks.filter((lock) => lock.clientId === clientId)
}

/** @param {Lock} lock */
export function isByRule({ author }) {
  return author.startsWith('rule ')
}

/**
 * The worst finding, and of equal ones the latest.
 *
 * @param {readonly Finding[]} findings
 */
export function bySeverity(findings) {
  const rank = (/** @type {Finding} */ { severity }) => SEVERITIES.findIndex(([name]) => name === severity)
  return [...findings].sort((a, b) => rank(a) - rank(b) || b.lastAt - a.lastAt)
}
