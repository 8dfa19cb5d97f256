import { element, fragment } from './dom.mjs'
import { wordsOfEvent } from './event-list.mjs'
import { isByRule, responsesOf, SEVERITIES, subjectOf } from './findings.mjs'
import { wordsOfRule } from './rules.mjs'
import { clientLink, counted, link, listed, name } from './text.mjs'
import { clockTime, time } from './times.mjs'

/** @typedef {import('./api.mjs').Overview} Overview */
/** @typedef {import('./api.mjs').Finding} Finding */
/** @typedef {import('./api.mjs').Lock} Lock */
/** @typedef {import('./times.mjs').Clock} Clock */
/** @typedef {'ok' | 'notice' | 'warning' | 'high'} Level */
/** @typedef {{ overview: Overview, findings: Finding[], locks: Lock[] }} Situation */

/**
 * Says in one sentence whether everything is fine.
 *
 * @param {Situation} situation
 * @param {Clock} clock
 * @returns {{ level: Level, sentence: Node, text: string }}
 */
export function statusOf(situation, clock) {
  const { level, text } = verdictOf(situation.overview)
  const locked = wordsOfLocks(situation, clock)
  const isFine = level === 'ok'
  const sentence = fragment(text, locked && (isFine ? '. ' : '; '), locked, '.')
  return { level, sentence, text: sentence.textContent ?? '' }
}

/**
 * @param {Overview} overview
 * @returns {{ level: Level, text: string }}
 */
function verdictOf({ health, findings }) {
  if (!health.store.isReachable || health.status === 'unavailable')
    return { level: 'high', text: 'The store cannot be reached, so the server refuses all keys' }
  if (health.status === 'draining')
    return { level: 'warning', text: 'This process of the server is shutting down' }
  const open = SEVERITIES.flatMap(([severity, one, many]) => {
    const count = findings.bySeverity[severity] ?? 0
    return count === 0 ? [] : [{ severity, count, words: counted(count, one, many) }]
  })
  const [worst] = open
  if (worst === undefined) return { level: 'ok', text: 'Everything is fine' }
  const total = open.reduce((sum, { count }) => sum + count, 0)
  const words = `${listed(open.map(({ words }) => words))} ${total === 1 ? 'is' : 'are'} open`
  if (worst.severity === 'high' || worst.severity === 'warning') return { level: worst.severity, text: words }
  return { level: 'notice', text: `Nothing is urgent: ${words}` }
}

/**
 * @param {Situation} situation
 * @param {Clock} clock
 * @returns {Node | undefined} nothing if there are no locks
 */
function wordsOfLocks({ locks }, clock) {
  const [first] = locks
  if (first === undefined) return undefined
  const count = new Set(locks.map(({ clientId }) => clientId)).size
  const isOfServer = locks.every(isByRule)
  const full = locks.filter(({ kind }) => kind === 'lock').length
  const verb = full === locks.length ? 'locked' : full > 0 ? 'locked or restricted' : 'restricted'
  const clients =
    count > 1
      ? element('a', { href: link('locks') }, counted(count, 'client'))
      : element('a', { href: clientLink(first.clientId) }, name(first.clientId, 24))
  const until =
    count > 1 ? '' : ` until ${clockTime(Math.max(...locks.map((lock) => lock.until)), clock.now())}`
  if (isOfServer) return fragment(`the server has ${verb} `, clients, until)
  return fragment(clients, ` ${count > 1 ? 'are' : 'is'} ${verb}`, until)
}

/**
 * What happened last, and what the server did about it.
 *
 * @param {Situation} situation
 * @param {import('./api.mjs').LoggedEvent | undefined} latest
 * @param {Clock} clock
 * @returns {{ happened: Node, response: Node }}
 */
export function lastOf({ findings, locks, overview }, latest, clock) {
  const [finding] = [...findings].sort((a, b) => b.lastAt - a.lastAt)
  if (finding !== undefined) {
    const { title } = wordsOfRule(finding.rule, finding.title)
    const { id } = subjectOf(finding.subject)
    return {
      happened: fragment(
        element('a', { href: link('findings', { rule: finding.rule }) }, title),
        id !== '' && [': ', name(id, 32)],
        ', ',
        time(finding.lastAt, clock),
      ),
      response: fragment('The server ', listed(responsesOf(finding, locks, clock.now())), '.'),
    }
  }
  return {
    happened:
      latest === undefined
        ? fragment('Nothing yet. The server has started ', time(overview.startedAt, clock), '.')
        : fragment(wordsOfEvent(latest), ', ', time(latest.at, clock)),
    response: fragment('No rule has found anything, so there was nothing to do.'),
  }
}
