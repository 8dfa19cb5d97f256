import { element, fragment } from './dom.mjs'
import { icon } from './icons.mjs'
import { LOCKS } from './responses.mjs'
import { capitalized, clientLink, link, name } from './text.mjs'
import { clockTime } from './times.mjs'

/** @typedef {import('./dom.mjs').Children} Children */
/** @typedef {{ label: string, isNumber?: boolean, isHidden?: boolean }} Column */
/** @typedef {{ key: string, cells: Children[] }} Row */

/**
 * A table with a caption. On narrow screens, each row is a card with a label for each cell. The roles are for browsers that
 * no longer see a table then.
 *
 * @param {string} caption
 * @param {readonly Column[]} columns
 * @param {readonly Row[]} rows
 */
export function table(caption, columns, rows) {
  const heads = columns.map((column) => {
    const label = column.isHidden ? element('span', { class: 'hidden' }, column.label) : column.label
    return element('th', { scope: 'col', role: 'columnheader', class: classOf(column) }, label)
  })
  return element(
    'div',
    { class: 'table', role: 'group', 'aria-label': caption, tabindex: 0 },
    element(
      'table',
      { role: 'table' },
      element('caption', { class: 'hidden' }, caption),
      element('thead', { role: 'rowgroup' }, element('tr', { role: 'row' }, heads)),
      element(
        'tbody',
        { role: 'rowgroup' },
        rows.map((each) => row(each, columns)),
      ),
    ),
  )
}

/**
 * @param {Row} row
 * @param {readonly Column[]} columns
 */
function row({ key, cells }, columns) {
  const made = cells.map((cell, i) =>
    i === 0
      ? element('th', { scope: 'row', role: 'rowheader', class: classOf(columns[i]) }, cell)
      : element('td', { role: 'cell', class: classOf(columns[i]), 'data-label': labelOf(columns[i]) }, cell),
  )
  return element('tr', { role: 'row', 'data-key': key }, made)
}

/** @param {Column | undefined} column */
function labelOf(column) {
  return column?.isHidden ? undefined : column?.label
}

/** @param {Column | undefined} column */
function classOf(column) {
  return (column?.isNumber || column?.isHidden) && 'numeric'
}

/**
 * Says that there is nothing, and what to do next.
 *
 * @param {string} title
 * @param {...Children} next
 */
export function empty(title, ...next) {
  return element(
    'div',
    { class: 'empty' },
    icon('empty'),
    element('p', { class: 'strong' }, title),
    element('p', null, ...next),
  )
}

/**
 * Says that a filter has left nothing.
 *
 * @param {'client' | 'event' | 'finding'} noun
 */
export function noMatch(noun) {
  const all = element('a', { href: `#/${noun}s` }, `Show all ${noun}s`)
  return empty(`No ${noun} matches this filter.`, all, '.')
}

/** @param {import('./api.mjs').Severity} severity */
export function severityBadge(severity) {
  return element('span', { class: `badge ${severity}` }, icon(severity), capitalized(severity))
}

/** @type {Readonly<Record<string, string>>} */
export const STATES = {
  issued: 'Issued',
  redeeming: 'Being redeemed',
  redeemed: 'Redeemed',
  revoked: 'Revoked',
  expired: 'Expired',
}

/** @param {{ state: string, isExpired: boolean }} key */
export function stateBadge({ state, isExpired }) {
  const shown = isExpired && (state === 'issued' || state === 'redeeming') ? 'expired' : state
  return element('span', { class: `state ${shown}` }, STATES[shown] ?? shown)
}

/**
 * @param {import('./api.mjs').Lock} lock
 * @param {import('./times.mjs').Clock} clock
 */
export function lockBadge({ kind, until }, clock) {
  const label = LOCKS[kind]?.label ?? kind
  return element(
    'span',
    { class: 'badge locked' },
    icon('lock'),
    `${label} until ${clockTime(until, clock.now())}`,
  )
}

/** @param {string} clientId */
export function clientName(clientId) {
  return element('a', { href: clientLink(clientId) }, name(clientId, 32))
}

/**
 * @param {string} label
 * @param {() => void} act
 * @param {string} [look]
 */
export function button(label, act, look = '') {
  return element('button', { type: 'button', class: `button ${look}`.trim(), onclick: act }, label)
}

/**
 * A list of facts.
 *
 * @param {readonly (readonly [string, Children] | false)[]} facts
 */
export function facts(facts) {
  return element(
    'dl',
    { class: 'facts' },
    facts.flatMap((fact) =>
      fact ? [element('div', null, element('dt', null, fact[0]), element('dd', null, fact[1]))] : [],
    ),
  )
}

/**
 * The title of a view, and what it shows.
 *
 * @param {string} title
 * @param {string} text
 */
export function lead(title, text) {
  return fragment(element('h1', null, title), element('p', { class: 'lead' }, text))
}

/**
 * A part of the page with a heading, and perhaps a link to all of it.
 *
 * @param {{ id: string, title: string, more?: Children, className?: string }} options
 * @param {...Children} children
 */
export function section({ id, title, more, className = '' }, ...children) {
  return element(
    'section',
    { class: `panel ${className}`.trim(), 'aria-labelledby': `${id}-title`, 'data-key': id },
    element('div', { class: 'head' }, element('h2', { id: `${id}-title` }, title), more ?? fragment()),
    ...children,
  )
}

/**
 * The links to the rest of a long list.
 *
 * @param {string} view
 * @param {Record<string, string>} filter
 * @param {{ next?: string | undefined, after?: string | undefined }} places where the next page and this one begin
 */
export function pager(view, filter, { next, after }) {
  if (next === undefined && after === undefined) return fragment()
  const page = (/** @type {string} */ label, /** @type {Record<string, string>} */ place) =>
    element('a', { class: 'button', href: link(view, { ...filter, ...place }) }, label)
  return element(
    'nav',
    { class: 'pager', 'aria-label': 'Pages' },
    after !== undefined && page('First page', {}),
    next !== undefined && page('Next page', { after: next }),
  )
}

/**
 * A form that filters a list. Its fields are members of the hash.
 *
 * @param {string} label
 * @param {(values: Record<string, string>) => void} apply
 * @param {Children} fields
 * @param {...Children} others
 */
export function filters(label, apply, fields, ...others) {
  /** @param {SubmitEvent} event */
  const onsubmit = (event) => {
    event.preventDefault()
    if (!(event.currentTarget instanceof HTMLFormElement)) return
    const given = [...new FormData(event.currentTarget)].map(([key, value]) => [key, String(value).trim()])
    apply(Object.fromEntries(given))
  }
  const submit = element('button', { type: 'submit', class: 'button' }, 'Filter')
  return element('form', { class: 'filters', 'aria-label': label, onsubmit }, fields, submit, ...others)
}

/**
 * @param {string} label
 * @param {string} name
 * @param {string} value
 * @param {Record<string, unknown>} [more]
 */
export function textField(label, name, value, more = {}) {
  const input = element('input', {
    name,
    value,
    type: 'search',
    autocomplete: 'off',
    spellcheck: 'false',
    maxlength: 255,
    ...more,
  })
  return element('label', { class: 'field' }, element('span', null, label), input)
}

/**
 * @param {string} label
 * @param {string} name
 * @param {string} value
 * @param {readonly (readonly [string, string])[]} options values and their labels
 * @param {Record<string, unknown>} [more]
 */
export function choice(label, name, value, options, more = {}) {
  const made = options.map(([each, text]) =>
    element('option', { value: each, selected: each === value }, text),
  )
  return element(
    'label',
    { class: 'field' },
    element('span', null, label),
    element('select', { name, ...more }, made),
  )
}
