import { element } from './dom.mjs'
import { spaced, wordsOfCode } from './event-words.mjs'
import { severityBadge } from './parts.mjs'
import { wordsOfRule } from './rules.mjs'
import { clientLink, identifier, keyLink, name, shortened } from './text.mjs'
import { absolute, timeOfDay } from './times.mjs'

/** @typedef {import('./api.mjs').LoggedEvent} LoggedEvent */

/**
 * What happened, in a short sentence without its subject.
 *
 * @param {LoggedEvent} event
 */
export function wordsOfEvent(event) {
  const { type, code } = event
  if (type === 'finding.opened') return `Finding: ${wordsOfRule(String(event.rule)).title}`
  if (type === 'finding.updated') return `Again: ${wordsOfRule(String(event.rule)).title}`
  if (type === 'refusals.summarized') return `${event.count} further refusals of one address`
  if (type === 'administration.acted')
    return `Operator: ${spaced(String(event.action))}${event.outcome === 'failed' ? ', which failed' : ''}`
  return wordsOfCode(code)
}

/**
 * One event in two lines: what, and whose.
 *
 * @param {LoggedEvent} event
 */
export function eventItem(event) {
  const { id, at, severity, detail } = event
  const stamp = new Date(at * 1000)
  return element(
    'li',
    { class: `event ${severity}`, 'data-key': id },
    element('time', { datetime: stamp.toISOString(), title: absolute(at) }, timeOfDay(at)),
    element(
      'div',
      null,
      element(
        'p',
        { class: 'what' },
        severity !== 'info' && severityBadge(severity),
        ' ',
        wordsOfEvent(event),
      ),
      element(
        'p',
        { class: 'meta' },
        whose(event).map((part) => element('span', null, part)),
      ),
      typeof detail === 'string' && element('p', { class: 'meta' }, shortened(detail, 200)),
    ),
  )
}

/**
 * @param {LoggedEvent} event
 * @returns {import('./dom.mjs').Child[][]}
 */
function whose({ clientId, keyId, address, author, subject }) {
  /** @type {import('./dom.mjs').Child[][]} */
  const parts = []
  const client = clientId ?? clientOf(subject)
  if (client !== undefined) parts.push([element('a', { href: clientLink(client) }, name(client, 32))])
  else if (typeof subject === 'string') parts.push([name(subject, 32)])
  if (clientId !== undefined && keyId !== undefined)
    parts.push(['key ', identifier(keyId, keyLink({ clientId, keyId }), 12)])
  if (address !== undefined) parts.push(['from ', element('bdi', null, shortened(address))])
  if (typeof author === 'string') parts.push(['by ', name(author, 32)])
  return parts
}

/**
 * The events in a list of fixed height: new ones move nothing else.
 *
 * @param {readonly LoggedEvent[]} events
 * @param {string} label
 */
export function eventList(events, label) {
  return element(
    'div',
    { class: 'events', role: 'region', 'aria-label': label, tabindex: 0, 'data-key': 'events' },
    element('ol', null, events.map(eventItem)),
  )
}

/**
 * The client that a finding is about.
 *
 * @param {unknown} subject
 */
function clientOf(subject) {
  return typeof subject === 'string' && subject.startsWith('client:')
    ? subject.slice('client:'.length)
    : undefined
}
