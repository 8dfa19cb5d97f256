import { element } from './dom.mjs'
import { spaced, wordsOfCode } from './event-words.mjs'
import { severityBadge } from './parts.mjs'
import { subjectOf } from './replay.mjs'
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
 * Equal events in two lines: what, and whose.
 *
 * @param {readonly LoggedEvent[]} run equal neighbors of a list, the latest first
 */
function eventItem(run) {
  const event = /** @type {LoggedEvent} */ (run[0])
  const { at, severity, detail } = event
  const stamp = new Date(at * 1000)
  return element(
    'li',
    { class: `event ${severity}`, 'data-key': run.at(-1)?.id },
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
        run.length > 1 && [', ', element('b', null, `${run.length} times`)],
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
 * Joins equal neighbors, so that a flood of refusals leaves room for other events.
 *
 * @param {readonly LoggedEvent[]} events
 * @returns {LoggedEvent[][]}
 */
function runsOf(events) {
  /** @type {LoggedEvent[][]} */
  const runs = []
  for (const event of events) {
    const run = runs.at(-1)
    if (run !== undefined && looks(run[0]) === looks(event)) run.push(event)
    else runs.push([event])
  }
  return runs
}

/** @param {LoggedEvent | undefined} event */
function looks(event) {
  if (event === undefined) return ''
  const { severity, detail, clientId, keyId, address, author, subject } = event
  return JSON.stringify([wordsOfEvent(event), severity, detail, clientId, keyId, address, author, subject])
}

/**
 * @param {LoggedEvent} event
 * @returns {import('./dom.mjs').Child[][]}
 */
function whose(event) {
  const { clientId, keyId, address, author, subject } = event
  /** @type {import('./dom.mjs').Child[][]} */
  const parts = []
  const client = clientId ?? clientOf(subject)
  if (client !== undefined) parts.push([element('a', { href: clientLink(client) }, name(client, 32))])
  else if (typeof subject === 'string') parts.push([name(subject, 32)])
  if (clientId !== undefined && keyId !== undefined)
    parts.push(['key ', identifier(keyId, keyLink({ clientId, keyId }), 12)])
  const device = clientId === undefined ? undefined : subjectOf(event)
  if (device !== undefined) parts.push(['for ', name(device, 32)])
  if (address !== undefined) parts.push(['from ', element('bdi', null, shortened(address))])
  if (typeof author === 'string') parts.push(['by ', name(author, 32)])
  return parts
}

/**
 * One item for each event, or for several equal ones.
 *
 * @param {readonly LoggedEvent[]} events the latest first
 */
export function eventItems(events) {
  return runsOf(events).map(eventItem)
}

/**
 * The events in a list of fixed height: new ones move nothing else.
 *
 * @param {readonly LoggedEvent[]} events the latest first
 * @param {string} label
 * @param {number} [most] the most items
 */
export function eventList(events, label, most) {
  return element(
    'div',
    { class: 'events', role: 'region', 'aria-label': label, tabindex: 0, 'data-key': 'events' },
    element('ol', null, eventItems(events).slice(0, most)),
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
