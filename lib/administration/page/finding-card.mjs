import { closeFinding, lock, unlock } from './actions.mjs'
import { element, fragment } from './dom.mjs'
import { readSample, wordsOfCode } from './event-words.mjs'
import { clientOf, locksOf, subjectOf } from './findings.mjs'
import { icon } from './icons.mjs'
import { outcomeOf, wordsOfCutOff, wordsOfStep } from './outcomes.mjs'
import { button, facts, severityBadge } from './parts.mjs'
import { wordsOfRule } from './rules.mjs'
import { clientLink, identifier, keyLink, name, number, shortened, visible } from './text.mjs'
import { absolute, time, timeOfDay } from './times.mjs'

/** @typedef {import('./api.mjs').Finding} Finding */
/** @typedef {import('./screen.mjs').Context} Context */

/**
 * All findings of a list.
 *
 * @param {{ findings: readonly Finding[], locks: readonly import('./api.mjs').Lock[] }} data
 * @param {Context} context
 * @param {string} [title] for those who do not see the page
 */
export function findingCards({ findings, locks }, context, title) {
  return element(
    'div',
    { class: 'cards' },
    title !== undefined && element('h2', { class: 'hidden' }, title),
    findings.map((finding) => findingCard(finding, locks, context)),
  )
}

/**
 * A finding: what, who, the response, what to do now, and the evidence.
 *
 * @param {Finding} finding
 * @param {readonly import('./api.mjs').Lock[]} locks
 * @param {Context} context
 */
function findingCard(finding, locks, context) {
  const { rule, severity, count, lastAt } = finding
  const { title, meaning } = wordsOfRule(rule, finding.title)
  const { next, ...response } = outcomeOf(finding, { locks, log: context.log, now: context.clock.now() })
  const id = `finding-${finding.id}`
  return element(
    'article',
    { class: `card ${severity}`, 'data-key': finding.id, 'aria-labelledby': id },
    element('div', { class: 'head' }, severityBadge(severity), element('h3', { id }, title)),
    element(
      'p',
      { class: 'meta' },
      element('span', null, whose(finding)),
      element(
        'span',
        null,
        count === 1 ? 'once, ' : `${number(count)} times, most recently `,
        time(lastAt, context.clock),
      ),
    ),
    meaning !== '' && element('p', null, meaning),
    responses(response),
    element('p', { class: 'next' }, nextStep(next)),
    element(
      'div',
      { class: 'tools' },
      context.role === 'operate' && buttons(finding, title, locksOf(finding, locks), context),
      evidence(finding, context),
      runbook(finding),
    ),
  )
}

/** @param {Omit<import('./outcomes.mjs').Outcome, 'next'>} outcome */
function responses({ effects, cutOff }) {
  return element(
    'div',
    { class: 'response' },
    element('p', { class: 'strong' }, 'The server'),
    element(
      'ul',
      null,
      effects.map(({ words, isDone }) =>
        element(
          'li',
          { class: isDone ? 'done' : 'left' },
          icon(isDone ? 'done' : 'left'),
          element('span', null, words),
        ),
      ),
    ),
    cutOff > 0 && element('p', null, wordsOfCutOff(cutOff)),
  )
}

/**
 * What to do, after how soon.
 *
 * @param {import('./rules.mjs').Step} next
 */
export function nextStep(next) {
  const [urgency, what] = wordsOfStep(next)
  return fragment(element('strong', { class: next[0] }, urgency), what)
}

/** @param {Finding} finding */
function whose(finding) {
  const { kind, id } = subjectOf(finding.subject)
  if (kind === 'client') return fragment('client ', element('a', { href: clientLink(id) }, name(id)))
  return id === '' ? fragment('the whole deployment') : fragment(`${kind} `, name(id))
}

/**
 * @param {Finding} finding
 * @param {Context} context
 */
function evidence(finding, { clock }) {
  const clientId = clientOf(finding)
  return element(
    'details',
    { class: 'more' },
    element('summary', null, `Examples (${finding.samples.length})`),
    facts([
      ['First', time(finding.firstAt, clock)],
      ['Last', time(finding.lastAt, clock)],
      [
        'Who can cause this?',
        finding.evidence === 'bound'
          ? 'only somebody with a key, a token or the credentials of the client: the client, or a thief'
          : 'anybody',
      ],
    ]),
    element(
      'ol',
      { class: 'samples' },
      [...finding.samples].reverse().map((each) => element('li', null, sample(each, clientId))),
    ),
  )
}

/**
 * @param {string} text
 * @param {string | undefined} clientId
 */
function sample(text, clientId) {
  const read = readSample(text)
  if (read === undefined) return fragment(visible(text))
  const { at, code, keyId, address, subject, agent } = read
  const stamp = element(
    'time',
    { datetime: new Date(at * 1000).toISOString(), title: absolute(at) },
    timeOfDay(at),
  )
  const href = clientId === undefined || keyId === undefined ? undefined : keyLink({ clientId, keyId })
  return fragment(
    stamp,
    ` ${wordsOfCode(code)}`,
    keyId !== undefined && [' · key ', identifier(keyId, href)],
    subject !== undefined && [' · for ', name(subject)],
    address !== undefined && [' · from ', element('bdi', null, shortened(address))],
    agent !== undefined && [' · program ', name(agent)],
  )
}

/** @param {Finding} finding */
function runbook({ runbook = [], falsePositives }) {
  if (runbook.length === 0) return fragment()
  return element(
    'details',
    { class: 'more' },
    element('summary', null, 'All steps'),
    element(
      'ol',
      { class: 'steps' },
      runbook.map((step) => element('li', null, step)),
    ),
    falsePositives !== undefined &&
      element('p', null, element('strong', null, 'Harmless events that look like this: '), falsePositives),
  )
}

/**
 * @param {Finding} finding
 * @param {string} title
 * @param {readonly import('./api.mjs').Lock[]} inForce
 * @param {Context} context
 */
function buttons(finding, title, [strongest], { ask }) {
  const clientId = clientOf(finding)
  const reason = `finding ${finding.id}`
  return element(
    'div',
    { class: 'actions' },
    clientId !== undefined && lockButtons({ clientId, strongest, reason }, ask),
    button('Close finding', () => ask(closeFinding(finding, title))),
  )
}

/**
 * The buttons to lock a client, and to change its lock.
 *
 * @param {{ clientId: string, strongest: import('./api.mjs').Lock | undefined, reason: string | undefined }} lock
 * @param {Context['ask']} ask
 */
export function lockButtons({ clientId, strongest, reason }, ask) {
  if (strongest === undefined)
    return [button('Lock client', () => ask(lock({ clientId, ...(reason && { reason }) })))]
  const { kind } = strongest
  const longer = lock({ clientId, kind, reason: reason ?? strongest.reason, isLonger: true })
  return [button('Unlock', () => ask(unlock(clientId))), button('Lock longer', () => ask(longer))]
}
