import { element } from './dom.mjs'

const MINUTE = 60
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR

const ABSOLUTE = new Intl.DateTimeFormat('en-GB', { dateStyle: 'medium', timeStyle: 'medium' })
const TIME = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit' })
const DATE = new Intl.DateTimeFormat('en-GB', {
  day: 'numeric',
  month: 'short',
  hour: '2-digit',
  minute: '2-digit',
})
const SECONDS = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit', second: '2-digit' })

/** The time of the server: the clock of the reader may be wrong. */
export class Clock {
  #offset = 0

  /** @param {number} seconds the time that the server has just said */
  set(seconds) {
    this.#offset = seconds - Date.now() / 1000
  }

  now() {
    return Date.now() / 1000 + this.#offset
  }
}

/** @param {number} at NumericDate */
export function absolute(at) {
  return ABSOLUTE.format(at * 1000)
}

/** @param {number} at NumericDate */
export function timeOfDay(at) {
  return SECONDS.format(at * 1000)
}

/**
 * `14:05`, or with the date if it is another day.
 *
 * @param {number} at NumericDate
 * @param {number} now
 */
export function clockTime(at, now) {
  const isToday = new Date(at * 1000).toDateString() === new Date(now * 1000).toDateString()
  return (isToday ? TIME : DATE).format(at * 1000)
}

/** @param {number} seconds */
export function duration(seconds) {
  if (seconds < MINUTE) return `${Math.round(seconds)} s`
  if (seconds < HOUR) return `${Math.round(seconds / MINUTE)} min`
  if (seconds < 2 * DAY) return `${Math.round(seconds / HOUR)} h`
  return `${Math.round(seconds / DAY)} days`
}

/**
 * @param {number} at NumericDate
 * @param {number} now
 */
export function relative(at, now) {
  if (Math.abs(at - now) < 5) return 'just now'
  return at > now ? `in ${duration(at - now)}` : `${duration(now - at)} ago`
}

/**
 * A relative time, with the absolute time on hover. `refreshTimes` keeps it up to date.
 *
 * @param {number} at NumericDate
 * @param {Clock} clock
 */
export function time(at, clock) {
  const stamp = new Date(at * 1000)
  return element(
    'time',
    { datetime: stamp.toISOString(), title: absolute(at), 'data-at': at },
    relative(at, clock.now()),
  )
}

/**
 * How long ago something began. The clock of the process that began it may be ahead.
 *
 * @param {number} at NumericDate
 * @param {number} now
 */
function elapsed(at, now) {
  return at > now ? relative(at, now) : duration(now - at)
}

/**
 * How old something is.
 *
 * @param {number} at NumericDate
 * @param {Clock} clock
 */
export function age(at, clock) {
  const stamp = new Date(at * 1000)
  return element(
    'time',
    { datetime: stamp.toISOString(), title: `since ${absolute(at)}`, 'data-since': at },
    elapsed(at, clock.now()),
  )
}

/** @param {Clock} clock */
export function refreshTimes(clock) {
  const now = clock.now()
  for (const shown of document.querySelectorAll('time[data-at], time[data-since]')) {
    if (!(shown instanceof HTMLElement)) continue
    const { at, since } = shown.dataset
    const text = at === undefined ? elapsed(Number(since), now) : relative(Number(at), now)
    if (shown.textContent !== text) shown.textContent = text
  }
}
