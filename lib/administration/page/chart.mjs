import { element } from './dom.mjs'
import { line } from './icons.mjs'
import { table } from './parts.mjs'
import { link, number } from './text.mjs'
import { absolute } from './times.mjs'

/** @typedef {import('./api.mjs').History} History */
/** @typedef {keyof import('./api.mjs').KeyCounts} Counted */
/** @typedef {import('uplot')} Chart */

/** Each line has its own colour and its own dashes. `of` follows the number, for one key and for several. */
export const SERIES = /** @type {const} */ ([
  { state: 'issued', label: 'Issued', dash: [], of: ['key not used yet', 'keys not used yet'] },
  {
    state: 'redeeming',
    label: 'Being redeemed',
    dash: [2, 3],
    of: ['key in use right now', 'keys in use right now'],
  },
  { state: 'redeemed', label: 'Redeemed', dash: [10, 4], of: ['used key', 'used keys'] },
  { state: 'revoked', label: 'Revoked', dash: [6, 3, 2, 3], of: ['blocked key', 'blocked keys'] },
  { state: 'expired', label: 'Expired', dash: [3, 6], of: ['key never used', 'keys never used'] },
])

const HEIGHT = 220

/** @type {{ make: (options: object, data: readonly (readonly number[])[], place: HTMLElement) => Chart }} */
const library = {
  make: (options, data, place) => Reflect.construct(Reflect.get(globalThis, 'uPlot'), [options, data, place]),
}

/** Draws the numbers of keys over time. It keeps its canvas while the page around it changes. */
export class KeyChart {
  /** @type {Chart | undefined} */
  #chart
  /** @type {History | undefined} */
  #history
  /** @type {HTMLElement | undefined} */
  #place
  #observer = new ResizeObserver(() => this.#resize())

  constructor() {
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => this.#draw())
  }

  /**
   * @param {History} history
   * @returns {Node}
   */
  render(history) {
    this.#history = history
    // An older canvas is in the document already, and stays there.
    queueMicrotask(() => this.#update())
    return element('div', { class: 'chart', 'data-opaque': true, 'data-key': 'chart', 'aria-hidden': 'true' })
  }

  #update() {
    const place = document.querySelector('.chart')
    if (!(place instanceof HTMLElement) || this.#history === undefined) return
    if (place === this.#place && this.#chart !== undefined) {
      this.#chart.setData(/** @type {any} */ (dataOf(this.#history)))
      return
    }
    this.#observer.disconnect()
    this.#place = place
    this.#observer.observe(place)
    this.#draw()
  }

  #draw() {
    this.#chart?.destroy()
    if (this.#history === undefined || !this.#place?.isConnected) return
    const width = Math.max(this.#place.clientWidth, 200)
    this.#chart = library.make(optionsOf(width), dataOf(this.#history), this.#place)
  }

  #resize() {
    const width = this.#place?.clientWidth ?? 0
    if (width > 0 && width !== this.#chart?.width) this.#chart?.setSize({ width, height: HEIGHT })
  }
}

/** @param {History} history */
function dataOf(history) {
  return [history.at, ...SERIES.map(({ state }) => history[state])]
}

/** @param {number} width */
function optionsOf(width) {
  const styles = getComputedStyle(document.documentElement)
  const colour = (/** @type {string} */ name) => styles.getPropertyValue(`--${name}`).trim()
  const axis = {
    stroke: colour('muted'),
    font: `12px ${getComputedStyle(document.body).fontFamily}`,
    grid: { stroke: colour('line'), width: 1 },
    ticks: { stroke: colour('line'), width: 1, size: 4 },
  }
  return {
    width,
    height: HEIGHT,
    legend: { show: false },
    cursor: { y: false, points: { size: 7 } },
    scales: { y: { range: rangeOf } },
    axes: [
      { ...axis, space: 80, values: timesOf },
      { ...axis, size: 48, space: 40, values: wholeNumbers },
    ],
    series: [
      {},
      ...SERIES.map(({ state, label, dash }) => ({
        label,
        stroke: colour(`state-${state}`),
        width: 2,
        dash: [...dash],
        points: { show: false },
        ...(state === 'issued' && { fill: colour('state-issued-fill') }),
      })),
    ],
    hooks: { setCursor: [showValues] },
  }
}

/**
 * @param {unknown} _
 * @param {number} _least
 * @param {number} most
 */
function rangeOf(_, _least, most) {
  return [0, Math.max(5, most * 1.1)]
}

/**
 * @param {unknown} _
 * @param {number[]} ticks
 */
function wholeNumbers(_, ticks) {
  return ticks.map((tick) => (Number.isInteger(tick) ? number(tick) : ''))
}

const MINUTES = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit' })
const SECONDS = new Intl.DateTimeFormat('en-GB', { timeStyle: 'medium' })

/**
 * Shows seconds only if the ticks are closer than a minute.
 *
 * @param {unknown} _
 * @param {number[]} ticks
 */
function timesOf(_, ticks) {
  const [first = 0, second = first + 60] = ticks
  const format = second - first < 60 ? SECONDS : MINUTES
  return ticks.map((tick) => format.format(tick * 1000))
}

/**
 * Shows the numbers of the time under the cursor in the legend.
 *
 * @param {Chart} chart
 */
function showValues(chart) {
  const { idx } = chart.cursor
  const at = idx === null || idx === undefined ? undefined : chart.data[0]?.[idx]
  const shown = document.querySelector('.legend-time')
  if (shown !== null) shown.textContent = at === undefined ? '' : absolute(at)
  for (const [i, { state }] of SERIES.entries()) {
    const value = at === undefined || idx === null || idx === undefined ? undefined : chart.data[i + 1]?.[idx]
    const place = document.querySelector(`.legend .${state} output`)
    if (place !== null) place.textContent = value === undefined || value === null ? '' : number(value)
  }
}

/** The names of the lines, each with a link to its keys. */
export function legend() {
  return element(
    'ul',
    { class: 'legend' },
    SERIES.map(({ state, label, dash }) =>
      element(
        'li',
        { class: state },
        element('a', { href: link('keys', { state }) }, line(state, dash), label),
        element('output', { 'data-opaque': true }),
      ),
    ),
    element('li', { class: 'legend-time', 'data-opaque': true }),
  )
}

const MOST_ROWS = 12

/**
 * The same numbers for those who do not see the chart.
 *
 * @param {History} history
 */
export function historyTable(history) {
  const step = Math.max(1, Math.ceil(history.at.length / MOST_ROWS))
  const rows = history.at.flatMap((at, i) => {
    const isShown = (history.at.length - 1 - i) % step === 0
    return isShown
      ? [
          {
            key: String(at),
            cells: [absolute(at), ...SERIES.map(({ state }) => number(history[state][i] ?? 0))],
          },
        ]
      : []
  })
  const columns = [{ label: 'Time' }, ...SERIES.map(({ label }) => ({ label, isNumber: true }))]
  return element(
    'details',
    { class: 'more' },
    element('summary', null, 'Show the numbers'),
    table('Keys by state over time', columns, rows.reverse()),
  )
}
