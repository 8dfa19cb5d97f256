import { element } from './dom.mjs'
import { findingText, phraseOf, responseText, subjectText } from './phrases.mjs'

/** @typedef {import('../messages').RequestSent} RequestSent */
/** @typedef {import('../messages').ResponseReceived} ResponseReceived */
/** @typedef {import('../messages').EventEmitted} EventEmitted */
/** @typedef {import('../messages').FindingReported} FindingReported */

const LANES = { device: 'Device', thief: 'Thief', server: 'Server' }

const PROOF_IS_USED =
  'If you run this command, the server refuses it: it carries a proof of a private key, and each proof works only once.'

/**
 * The card of a request. Its response comes later.
 *
 * @param {RequestSent} request
 * @param {(id: string, button: HTMLButtonElement) => void} onCopy
 */
export function requestCard(request, onCopy) {
  const { id, lane, who, says, method, url, times, address, userAgent, command, hasProof } = request
  const { pathname, protocol } = new URL(url)
  const line = element('code', { class: 'call' }, `${method} ${protocol === 'http:' ? url : pathname}`)
  const status = element('span', { class: 'status waiting' }, '…')
  const copy = element('button', { type: 'button', class: 'small' }, 'Copy with secrets')
  copy.addEventListener('click', () => onCopy(id, copy))
  const body = element('div', { class: 'response' })
  return element(
    'article',
    { class: `card ${lane}`, id },
    element('p', { class: 'says' }, element('strong', {}, who), ` ${says}`),
    element(
      'p',
      { class: 'line' },
      line,
      element('span', { class: 'from' }, `from ${address}`),
      times > 1 ? element('span', { class: 'times' }, `× ${times}`) : '',
      status,
    ),
    element(
      'details',
      {},
      element('summary', {}, 'Request and response'),
      element('p', { class: 'from' }, `Program: ${userAgent}`),
      element('pre', { tabindex: '0', 'aria-label': 'curl command' }, command),
      copy,
      hasProof ? element('p', { class: 'from' }, PROOF_IS_USED) : '',
      body,
    ),
  )
}

/**
 * @param {Element} card
 * @param {ResponseReceived} response
 */
export function showResponse(card, { status, text }) {
  const shown = card.querySelector('.status')
  const body = card.querySelector('.response')
  if (shown === null || body === null) return
  shown.textContent = status === undefined ? 'lost' : String(status)
  const kind = status === undefined ? 'lost' : status < 400 ? 'accepted' : 'refused'
  shown.className = `status ${kind}`
  const content = status === undefined ? 'The connection was closed before the response arrived.' : text
  body.replaceChildren(element('pre', { tabindex: '0', 'aria-label': 'response' }, content))
}

/**
 * @param {import('../messages').NoteTaken} message
 */
export function noteCard({ lane, note }) {
  return element(
    'p',
    { class: `note ${lane}` },
    element('strong', { class: 'lane-name' }, `${LANES[lane]}: `),
    note,
  )
}

/**
 * Adds an event to a list. An event like the one before only raises its count.
 *
 * @param {Element} list
 * @param {EventEmitted} message
 */
export function showEvent(list, { event, severity, details }) {
  const key = `${event} ${details.join(' ')}`
  const last = /** @type {HTMLElement | null} */ (list.lastElementChild)
  if (last?.dataset.key === key) {
    const count = Number(last.dataset.count) + 1
    last.dataset.count = String(count)
    last.querySelector('.times')?.replaceChildren(`× ${count}`)
    return
  }
  const entry = element(
    'li',
    { class: severity, 'data-key': key, 'data-count': '1' },
    element('span', { class: 'phrase' }, phraseOf(event)),
    element('span', { class: 'times' }),
    element('code', { class: 'event' }, ...[event, ...details].map((word) => element('span', {}, word))),
  )
  list.append(entry)
}

/**
 * The card of a finding, with a link to it on the operator's page.
 *
 * @param {FindingReported} finding
 */
export function findingCard({ findingId, rule, severity, subject, count, actions }) {
  const times = count === 1 ? 'once' : `${count} times`
  return element(
    'article',
    { class: `finding ${severity}`, 'data-finding': findingId },
    element(
      'p',
      { class: 'finding-rule' },
      'Finding ',
      element('code', {}, rule),
      element('span', { class: 'severity' }, severity),
    ),
    element('p', {}, findingText(rule)),
    element('p', { class: 'from' }, `${subjectText(subject)}, ${times}. ${responseText(actions)}`),
    element('a', { href: findingLink(rule), target: '_blank' }, 'See it on the operator’s page'),
  )
}

/**
 * @param {string} rule
 * @returns {string}
 */
export function findingLink(rule) {
  return `../operator/#/findings?rule=${encodeURIComponent(rule)}`
}
