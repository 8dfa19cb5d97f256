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
