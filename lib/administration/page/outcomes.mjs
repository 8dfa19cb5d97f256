import { eventsOf } from './evidence.mjs'
import { EXACT } from './exact.mjs'
import { bySeverity, locksOf, SEVERITIES } from './findings.mjs'
import { RESPONSES } from './responses.mjs'
import { wordsOfRule } from './rules.mjs'
import { clockTime } from './times.mjs'

/** @typedef {import('./api.mjs').Finding} Finding */
/** @typedef {import('./api.mjs').Lock} Lock */
/** @typedef {import('./rules.mjs').Step} Step */
/** @typedef {{ words: string, isDone: boolean }} Effect what follows `The server`, and whether it has stopped something */
/** @typedef {{ effects: Effect[], next: Step, cutOff: number }} Outcome `cutOff`: how many devices need a new key */
/** @typedef {{ locks: readonly Lock[], log: import('./events.mjs').EventLog, now: number }} Known */

const URGENCIES = { now: 'Now', today: 'Today', week: 'This week', none: 'Nothing' }

/** The responses that are locks, with their kinds. @type {Readonly<Record<string, string>>} */
const LOCKING = { throttle: 'throttle', stepUp: 'stepUp', lockClient: 'lock' }

/**
 * What the server has done about a finding, and what you do now. It is as exact as the finding and the events of the
 * page allow.
 *
 * @param {Finding} finding
 * @param {Known} known
 * @returns {Outcome}
 */
export function outcomeOf(finding, known) {
  const { done = [], left = [], next } = wordsOfRule(finding.rule, finding.title)
  const exact = Object.hasOwn(EXACT, finding.rule)
    ? EXACT[finding.rule]?.(eventsOf(finding, known.log.events), finding)
    : undefined
  const effects = [
    ...marked([...done, ...(exact?.done ?? []), ...taken(finding, known)], true),
    ...marked([...left, ...(exact?.left ?? [])], false),
  ]
  return {
    effects: effects.length > 0 ? effects : marked(['reported it, and did nothing else'], false),
    next: exact?.next ?? next,
    cutOff: exact?.cutOff ?? (isFinal(finding) ? 1 : 0),
  }
}

/**
 * The worst finding first. Of equal ones first that with the most urgent step, and then the latest.
 *
 * @param {readonly Finding[]} findings
 * @param {Known} known
 */
export function byUrgency(findings, known) {
  const soon = Object.keys(URGENCIES)
  const rankOf = (/** @type {Finding} */ finding) =>
    SEVERITIES.findIndex(([severity]) => severity === finding.severity) * soon.length +
    soon.indexOf(outcomeOf(finding, known).next[0])
  return bySeverity(findings)
    .map((finding) => ({ finding, rank: rankOf(finding) }))
    .sort((a, b) => a.rank - b.rank)
    .map(({ finding }) => finding)
}

/**
 * @param {readonly string[]} all
 * @param {boolean} isDone
 */
function marked(all, isDone) {
  return all.map((words) => ({ words, isDone }))
}

/**
 * @param {Finding} finding
 * @param {Known} known
 */
function taken(finding, { locks, now }) {
  return finding.actions.flatMap((action) => {
    const words = Object.hasOwn(RESPONSES, action) ? RESPONSES[action] : undefined
    if (words === undefined) return []
    const kind = LOCKING[action]
    if (kind === undefined) return [words]
    const lock = locksOf(finding, locks).find((each) => each.kind === kind)
    return [lock === undefined ? `${words} (this has ended)` : `${words} until ${clockTime(lock.until, now)}`]
  })
}

/** @param {Finding} finding */
function isFinal({ actions }) {
  return actions.includes('revokeKey') || actions.includes('revokeFamily')
}

/**
 * @param {Step} step
 * @returns {readonly [string, string]} how soon, and what, as a sentence
 */
export function wordsOfStep([urgency, what]) {
  return [`${URGENCIES[urgency]}: `, `${what}.`]
}

/** @param {number} count of devices that the response has cut off */
export function wordsOfCutOff(count) {
  return count === 1
    ? 'The device that had this key needs a new one.'
    : 'The devices that had these keys need new ones.'
}
