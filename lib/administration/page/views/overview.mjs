import { historyTable, KeyChart, legend, SERIES } from '../chart.mjs'
import { element, fragment } from '../dom.mjs'
import { eventList } from '../event-list.mjs'
import { findingCards, nextStep } from '../finding-card.mjs'
import { icon } from '../icons.mjs'
import { byUrgency } from '../outcomes.mjs'
import { empty, section } from '../parts.mjs'
import { lastOf, statusOf } from '../status.mjs'
import { link, number } from '../text.mjs'
import { clientTable, noClients } from './clients.mjs'
import { pauseButton } from './events.mjs'
import { noFindings } from './findings.mjs'
import { keyTable } from './keys.mjs'
import { lockTable } from './locks.mjs'

/** @typedef {import('../screen.mjs').Context} Context */
/** @typedef {import('../screen.mjs').Part<Data>} Part */
/** @typedef {import('../api.mjs').Finding} Finding */
/** @typedef {import('../api.mjs').Lock} Lock */
/** @typedef {import('../api.mjs').Key} Key */
/** @typedef {import('../api.mjs').Client} Client */
/** @typedef {{ findings: Finding[], locks: Lock[], keys: Key[], clients: Client[] }} Data */

/** A line needs so many points. */
const LEAST_POINTS = 3

/** How much of each list the overview shows. */
const MOST = { findings: 3, events: 60, keys: 6, clients: 6, locks: 6 }

/** @returns {import('../screen.mjs').View<Data>} */
export function overviewView() {
  const chart = new KeyChart()
  return {
    title: 'Overview',
    async load(api) {
      /** @type {[{ items: Finding[] }, { items: Lock[] }, { items: Key[] }, { items: Client[] }]} */
      const [findings, locks, keys, clients] = await Promise.all([
        api.get('findings'),
        api.get('locks'),
        api.get('keys', { state: 'issued', limit: MOST.keys }),
        api.get('clients', { limit: MOST.clients }),
      ])
      return { findings: findings.items, locks: locks.items, keys: keys.items, clients: clients.items }
    },
    render: (data, context) =>
      fragment(
        status(data, context),
        tiles(context),
        element(
          'div',
          { class: 'columns' },
          element('div', { class: 'column' }, findings(data, context), history(chart, context)),
          element('div', { class: 'column' }, events(context)),
        ),
        data.locks.length > 0 && locks(data, context),
        element('div', { class: 'pair' }, keys(data, context), clients(data, context)),
      ),
  }
}

/** @type {Part} */
function status(data, { overview, clock, log }) {
  const situation = { ...data, overview, log, clock, now: clock.now() }
  const { level, sentence, next } = statusOf(situation)
  const { happened, response } = lastOf(situation)
  return element(
    'section',
    { class: `status ${level}`, 'aria-label': 'Status', 'data-key': 'status' },
    element('h1', null, icon(level), element('span', null, sentence)),
    element(
      'dl',
      null,
      element(
        'div',
        { class: 'next' },
        element('dt', null, 'What to do now'),
        element('dd', null, nextStep(next)),
      ),
      element('div', null, element('dt', null, 'How the server responded'), element('dd', null, response)),
      element('div', null, element('dt', null, 'What happened last'), element('dd', null, happened)),
    ),
  )
}

/** @param {Context} context */
function tiles({ overview }) {
  const states = SERIES.map(({ state, label, of }) => ({
    href: link('keys', { state }),
    label,
    of,
    value: overview.keys[state],
    look: `state-${state}`,
  }))
  const { findings, locks } = overview
  const others = [
    {
      href: link('findings'),
      label: 'Findings',
      of: ['open finding', 'open findings'],
      value: findings.open,
      look: '',
    },
    {
      href: link('locks'),
      label: 'Locks',
      of: ['client with a lock', 'clients with a lock'],
      value: locks,
      look: '',
    },
  ]
  return element(
    'ul',
    { class: 'tiles', 'aria-label': 'Keys by state, findings and locks' },
    [...states, ...others].map(({ href, label, of: [one, many], value, look }) =>
      element(
        'li',
        { class: look },
        element(
          'a',
          { href },
          element('span', { class: 'label' }, label),
          element('span', { class: 'value' }, number(value)),
          element('span', { class: 'hint' }, value === 1 ? one : many),
        ),
      ),
    ),
  )
}

/** @type {Part} */
function findings({ findings, locks }, context) {
  const { open } = context.overview.findings
  const more = open > 0 && element('a', { href: '#/findings' }, `All findings (${number(open)})`)
  const sorted = byUrgency(findings, { locks, log: context.log, now: context.clock.now() })
  const shown = { findings: sorted.slice(0, MOST.findings), locks }
  return section(
    { id: 'findings', title: 'Open findings', more },
    findings.length === 0 ? noFindings(false) : findingCards(shown, context),
  )
}

/**
 * @param {KeyChart} chart
 * @param {Context} context
 */
function history(chart, { overview }) {
  const [id, title] = ['chart', 'Keys by state']
  if (overview.history.at.length < LEAST_POINTS) {
    const words = 'The chart begins in a minute: the server counts the keys every 15 seconds.'
    return section({ id, title, className: 'short' }, element('p', { class: 'muted' }, words))
  }
  return section({ id, title }, legend(), chart.render(overview.history), historyTable(overview.history))
}

/** @param {Context} context */
function events(context) {
  const { shown } = context.log
  const more = [pauseButton(context), element('a', { href: '#/events' }, 'All events')]
  return section(
    { id: 'events', title: 'Live events', more, className: 'feed' },
    shown.length > 0
      ? eventList(shown, 'Live events, the latest first', MOST.events)
      : element(
          'div',
          { class: 'events', 'data-key': 'no-events' },
          empty('Nothing has happened yet.', 'Let a client ask for a key.'),
        ),
  )
}

/** @type {Part} */
function keys({ keys }, context) {
  const more = element('a', { href: link('keys', { state: 'issued' }) }, 'All outstanding keys')
  return section(
    { id: 'outstanding', title: 'Outstanding keys', more },
    keys.length > 0
      ? keyTable(keys, 'The newest outstanding keys', context)
      : empty(
          'No key waits to be redeemed.',
          'A key that a client asks for appears here until somebody redeems it.',
        ),
  )
}

/** @type {Part} */
function clients({ clients }, context) {
  return section(
    { id: 'clients', title: 'Clients', more: element('a', { href: '#/clients' }, 'All clients') },
    clients.length > 0
      ? clientTable(clients, 'The clients that were used last', context, { isShort: true })
      : noClients(context),
  )
}

/** @type {Part} */
function locks({ locks }, context) {
  return section(
    { id: 'locks', title: 'Locks', more: element('a', { href: '#/locks' }, 'All locks') },
    lockTable(locks.slice(0, MOST.locks), context),
  )
}
