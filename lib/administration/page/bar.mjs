import { element, fragment } from './dom.mjs'
import { SEVERITIES } from './findings.mjs'
import { icon } from './icons.mjs'
import { counted, name, number } from './text.mjs'
import { time } from './times.mjs'

/** @typedef {import('./api.mjs').Overview} Overview */

const LINKS = /** @type {const} */ ([
  ['', 'Overview'],
  ['findings', 'Findings'],
  ['keys', 'Keys'],
  ['clients', 'Clients'],
  ['locks', 'Locks'],
  ['events', 'Events'],
])

/** The views of one thing, and the list that they belong to. @type {Readonly<Record<string, string>>} */
const LISTS = { key: 'keys', client: 'clients' }

const STREAM = {
  connecting: 'Connecting',
  live: 'Live',
  waiting: 'Reconnecting',
  earlier: 'Earlier data',
}

/**
 * The top of the page: its views, and who looks at it.
 *
 * @param {Overview} overview
 * @param {import('./events.mjs').StreamState | 'earlier'} stream
 * @param {string} path
 */
export function bar({ role, actor, findings, locks }, stream, path) {
  /** @type {Record<string, number>} */
  const counts = { findings: findings.open, locks }
  const links = LINKS.map(([view, label]) =>
    element(
      'li',
      null,
      viewLink(view, label, { count: counts[view] ?? 0, isCurrent: view === (LISTS[path] ?? path) }),
    ),
  )
  return fragment(
    element('a', { class: 'brand', href: '#/' }, icon('key'), 'Provisioning keys'),
    element('nav', { 'aria-label': 'Views' }, element('ul', null, links)),
    element(
      'p',
      { class: 'who' },
      element('span', { class: `stream ${stream}` }, STREAM[stream]),
      element(
        'span',
        { class: 'role', title: roleTitle(role) },
        actor !== undefined && [name(actor, 24), ' · '],
        role === 'operate' ? 'can act' : 'read only',
      ),
    ),
  )
}

/**
 * @param {string} view
 * @param {string} label
 * @param {{ count: number, isCurrent: boolean }} options
 */
function viewLink(view, label, { count, isCurrent }) {
  const shown = count > 0 && [' ', element('span', { class: 'count' }, number(count))]
  return element('a', { href: `#/${view}`, 'aria-current': isCurrent && 'page' }, label, shown)
}

/** @param {import('./api.mjs').Role} role */
function roleTitle(role) {
  return role === 'operate'
    ? 'You can revoke, lock, unlock and delete, and close findings.'
    : 'You can read everything, and change nothing.'
}

/**
 * The bottom of the page: the process that answers.
 *
 * @param {Overview} overview
 * @param {import('./times.mjs').Clock} clock
 * @param {boolean} isStale whether the last answer of the server was a fault
 */
export function foot({ process, startedAt, health }, clock, isStale) {
  const { isReachable, milliseconds } = health.store
  const store = !isReachable
    ? 'the store cannot be reached'
    : milliseconds === undefined
      ? 'the store answers'
      : `the store answers in ${Math.max(1, Math.round(milliseconds))} ms`
  return element(
    'p',
    null,
    'Process ',
    String(process.pid),
    ' on ',
    name(process.host, 32),
    ', started ',
    time(startedAt, clock),
    !(isStale && isReachable) && ` · ${store}`,
    health.droppedEvents > 0 &&
      ` · ${counted(health.droppedEvents, 'event was', 'events were')} dropped, because an observer is too slow`,
  )
}

/**
 * @param {Overview} overview
 * @param {string} title of the view
 */
export function titleOf({ findings }, title) {
  const [worst] = SEVERITIES.filter(([severity]) => (findings.bySeverity[severity] ?? 0) > 0)
  const count = worst === undefined ? 0 : (findings.bySeverity[worst[0]] ?? 0)
  const prefix = worst === undefined ? '' : `${counted(count, worst[1], worst[2])} · `
  return `${prefix}${title} · Provisioning keys`
}
