import { element, fragment } from './dom.mjs'
import { wordsOfEvent } from './event-list.mjs'
import { isByRule, locksOf, SEVERITIES, subjectOf } from './findings.mjs'
import { byUrgency, outcomeOf } from './outcomes.mjs'
import { titleAround, wordsOfRule } from './rules.mjs'
import { clientLink, counted, link, listed, name } from './text.mjs'
import { clockTime, time } from './times.mjs'

/** @typedef {import('./api.mjs').Overview} Overview */
/** @typedef {import('./api.mjs').Finding} Finding */
/** @typedef {import('./api.mjs').Lock} Lock */
/** @typedef {'ok' | 'notice' | 'warning' | 'high'} Level */
/** @typedef {import('./rules.mjs').Step} Step */
/** @typedef {{ overview: Overview, findings: Finding[], clock: import('./times.mjs').Clock }} Shown */
/** @typedef {Shown & import('./outcomes.mjs').Known} Situation */

/**
 * Says in one sentence whether everything is fine, and what to do now.
 *
 * @param {Situation} situation
 * @returns {{ level: Level, sentence: import('./dom.mjs').Child, next: Step }}
 */
export function statusOf(situation) {
  const { health } = situation.overview
  if (!health.store.isReachable || health.status === 'unavailable')
    return {
      level: 'high',
      sentence: 'The store cannot be reached, so the server refuses all keys.',
      next: ['now', 'connect the server to its store again'],
    }
  if (health.status === 'draining')
    return {
      level: 'warning',
      sentence: 'This process of the server is shutting down.',
      next: ['today', 'check that another process answers instead'],
    }
  const worst = worstSeverity(situation)
  if (worst === undefined)
    return { level: 'ok', sentence: 'Everything is fine.', next: ['none', 'no finding is open'] }
  return statusOfFindings(situation, worst)
}

/**
 * @param {Situation} situation
 * @param {typeof SEVERITIES[number]} worst
 * @returns {ReturnType<typeof statusOf>}
 */
function statusOfFindings(situation, [severity, one, many]) {
  const { open, bySeverity } = situation.overview.findings
  const level = severity === 'info' ? 'notice' : severity
  const finding = worstOf(situation)
  // The page has only the latest findings: the worst may be an older one.
  if (finding === undefined) {
    const count = bySeverity[severity] ?? 0
    const sentence = `${counted(count, one, many)} ${count === 1 ? 'is' : 'are'} open.`
    return { level, sentence, next: ['today', 'read all findings'] }
  }
  const others = open - 1
  const sentence = fragment(
    headline(finding),
    others > 0 &&
      `, and ${counted(others, 'more finding', 'more findings')} ${others === 1 ? 'is' : 'are'} open`,
    '.',
  )
  return { level, sentence, next: outcomeOf(finding, situation).next }
}

/** @param {Situation} situation */
function worstSeverity({ overview }) {
  return SEVERITIES.find(([severity]) => (overview.findings.bySeverity[severity] ?? 0) > 0)
}

/**
 * The finding that the first line names.
 *
 * @param {Situation} situation
 */
function worstOf(situation) {
  const [worst] = worstSeverity(situation) ?? []
  return byUrgency(situation.findings, situation).find(({ severity }) => severity === worst)
}

/**
 * A finding in words that name its subject.
 *
 * @param {Finding} finding
 */
function headline({ rule, title, subject }) {
  const around = titleAround(rule)
  const { id } = subjectOf(subject)
  if (around === undefined || id === '') return wordsOfRule(rule, title).title
  return fragment(around[0], name(id, 32), around[1])
}

/**
 * @param {readonly Lock[]} locks
 * @param {string} by what comes before the verb, if the server has made all of them
 * @param {number} now
 * @returns {Node | undefined} nothing if there are no locks
 */
function wordsOfLocks(locks, by, now) {
  const [first] = locks
  if (first === undefined) return undefined
  const count = new Set(locks.map(({ clientId }) => clientId)).size
  const full = locks.filter(({ kind }) => kind === 'lock').length
  const verb = full === locks.length ? 'locked' : full > 0 ? 'locked or restricted' : 'restricted'
  const clients =
    count > 1
      ? element('a', { href: link('locks') }, counted(count, 'client'))
      : element('a', { href: clientLink(first.clientId) }, name(first.clientId, 24))
  const until = count > 1 ? '' : ` until ${clockTime(Math.max(...locks.map((lock) => lock.until)), now)}`
  if (locks.every(isByRule)) return fragment(` ${by} the server has `, verb, ' ', clients, until, '.')
  return fragment(' ', clients, ` ${count > 1 ? 'are' : 'is'} ${verb}`, until, '.')
}

/**
 * The locks that are no response to a finding.
 *
 * @param {Finding} finding
 * @param {readonly Lock[]} locks
 */
function otherLocks(finding, locks) {
  const own = locksOf(finding, locks).filter(({ author }) => author === `rule ${finding.rule}`)
  return locks.filter((lock) => !own.includes(lock))
}

/**
 * What the server did about the finding of the first line, and what happened last, which may be something else.
 *
 * @param {Situation} situation
 * @returns {{ response: Node, happened: Node }}
 */
export function lastOf(situation) {
  const worst = worstOf(situation)
  const [latest] = [...situation.findings].sort((a, b) => b.lastAt - a.lastAt)
  return {
    response: responseTo(worst ?? latest, situation),
    happened:
      latest === undefined
        ? lastEvent(situation)
        : fragment(
            named(latest, situation),
            '.',
            latest !== worst && worst !== undefined && [' ', effectsOf(latest, situation)],
          ),
  }
}

/**
 * @param {Finding | undefined} finding
 * @param {Situation} situation
 */
function responseTo(finding, situation) {
  const { locks, now } = situation
  return finding === undefined
    ? fragment('There is nothing to respond to.', wordsOfLocks(locks, 'Earlier,', now))
    : fragment(
        effectsOf(finding, situation),
        wordsOfLocks(otherLocks(finding, locks), 'Because of other findings,', now),
      )
}

/**
 * @param {Finding} finding
 * @param {Situation} situation
 */
function effectsOf(finding, situation) {
  const { effects } = outcomeOf(finding, situation)
  return `The server ${listed(effects.map(({ words }) => words))}.`
}

/**
 * @param {Finding} finding
 * @param {Situation} situation
 */
function named({ rule, title, subject, lastAt }, { clock }) {
  const { id } = subjectOf(subject)
  return fragment(
    element('a', { href: link('findings', { rule }) }, wordsOfRule(rule, title).title),
    id !== '' && [': ', name(id, 32)],
    ', ',
    time(lastAt, clock),
  )
}

/** @param {Situation} situation */
function lastEvent({ log, overview, clock }) {
  const [latest] = log.events
  return latest === undefined
    ? fragment('Nothing yet. The server has started ', time(overview.startedAt, clock), '.')
    : fragment(wordsOfEvent(latest), ', ', time(latest.at, clock), '.')
}
