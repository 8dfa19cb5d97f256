import { element, fragment } from '../dom.mjs'
import { eventList, wordsOfEvent } from '../event-list.mjs'
import { button, choice, empty, filters, lead, noMatch, textField } from '../parts.mjs'
import { counted } from '../text.mjs'

/** @typedef {import('../api.mjs').LoggedEvent} LoggedEvent */
/** @typedef {import('../screen.mjs').Context} Context */

const RANKS = ['info', 'notice', 'warning', 'high']

const SEVERITIES = /** @type {const} */ ([
  ['', 'All severities'],
  ['notice', 'Notice or worse'],
  ['warning', 'Warning or worse'],
  ['high', 'High only'],
])

/** @type {import('../screen.mjs').View<null>} */
export const eventsView = {
  title: 'Events',
  load: async () => null,
  render: (_, context) => {
    const { text = '', severity = '' } = context.parameters
    const shown = context.log.shown.filter(selector(text, severity))
    const apply = () => document.querySelector('form')?.requestSubmit()
    return fragment(
      lead('Events', 'What this process has done, as it happens. Your audit log has all processes.'),
      filters(
        'Filter the events',
        context.filter,
        [
          textField('Client, key, address or word', 'text', text),
          choice('Severity', 'severity', severity, SEVERITIES, { onchange: apply }),
        ],
        pauseButton(context),
      ),
      shown.length > 0 ? eventList(shown, 'Events, the latest first') : none(text !== '' || severity !== ''),
    )
  },
}

/** @param {boolean} isFiltered */
function none(isFiltered) {
  const box = element('div', { class: 'events', 'data-key': 'no-events' })
  box.append(
    isFiltered
      ? noMatch('event')
      : empty(
          'Nothing has happened yet.',
          'Let a client ask for a key: the event appears here at the same moment.',
        ),
  )
  return box
}

/** @param {Context} context */
export function pauseButton({ log, render }) {
  const toggle = () => {
    if (log.isPaused) log.resume()
    else log.pause()
    render()
  }
  const label = !log.isPaused
    ? 'Pause'
    : log.waiting === 0
      ? 'Resume'
      : `Resume (${counted(log.waiting, 'new event')})`
  return button(label, toggle, 'pause')
}

/**
 * @param {string} text
 * @param {string} severity
 * @returns {(event: LoggedEvent) => boolean}
 */
function selector(text, severity) {
  const least = RANKS.indexOf(severity)
  const wanted = text.toLowerCase()
  return (event) =>
    RANKS.indexOf(event.severity) >= least &&
    (wanted === '' || `${JSON.stringify(event)} ${wordsOfEvent(event)}`.toLowerCase().includes(wanted))
}
