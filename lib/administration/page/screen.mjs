import { ApiError } from './api.mjs'
import { bar, foot, titleOf } from './bar.mjs'
import { ask } from './dialogs.mjs'
import { byId, element, show } from './dom.mjs'
import { button } from './parts.mjs'

/** @typedef {Record<string, string>} Parameters */
/** @typedef {import('./api.mjs').Overview} Overview */

/**
 * What the views work with.
 *
 * @typedef {object} Context
 * @property {import('./api.mjs').Api} api
 * @property {import('./events.mjs').EventLog} log
 * @property {import('./times.mjs').Clock} clock
 * @property {Overview} overview
 * @property {import('./api.mjs').Role} role
 * @property {Parameters} parameters
 * @property {(action: import('./dialogs.mjs').Action) => void} ask
 * @property {(parameters: Parameters) => void} filter shows the same view with other parameters
 * @property {() => void} render shows the same data again
 */

/**
 * A part of a view.
 *
 * @template T
 * @typedef {(data: T, context: Context) => Node} Part
 */

/**
 * One view of the page. `load` asks the server, and `render` makes the content.
 *
 * @template T
 * @typedef {object} View
 * @property {string} title
 * @property {(api: import('./api.mjs').Api, parameters: Parameters) => Promise<T>} load
 * @property {Part<T>} render
 */

/** @typedef {{ hash: string, view: View<unknown>, overview: Overview, parameters: Parameters, data: unknown }} Shown */

const UNREACHABLE = new ApiError(
  'The store cannot be reached. Until it answers, the server refuses every key and every token.',
)

/** @param {string} hash such as `#/keys?state=issued` */
function readHash(hash) {
  const [path = '', query = ''] = hash.replace(/^#\/?/, '').split('?')
  return { path, parameters: Object.fromEntries(new URLSearchParams(query)) }
}

/** Shows the view that the hash names, and keeps it up to date. */
export class Screen {
  #views
  #api
  #log
  #clock
  /** @type {import('./events.mjs').StreamState} */
  #stream = 'connecting'
  /** @type {Shown | undefined} */
  #shown
  /** Whether the last answer of the server was a fault. */
  #isStale = false
  #asked = 0

  /**
   * @param {Readonly<Record<string, View<any>>>} views
   * @param {Pick<Context, 'api' | 'log' | 'clock'>} shared
   */
  constructor(views, { api, log, clock }) {
    this.#views = views
    this.#api = api
    this.#log = log
    this.#clock = clock
  }

  /** @param {import('./events.mjs').StreamState} stream */
  set stream(stream) {
    this.#stream = stream
    this.render()
  }

  /** Forgets everything. */
  clear() {
    this.#shown = undefined
    this.#log.clear()
  }

  get #path() {
    const { path } = readHash(location.hash)
    return Object.hasOwn(this.#views, path) ? path : ''
  }

  /** Shows another view, and moves the focus there. */
  async navigate() {
    byId('main').setAttribute('aria-busy', 'true')
    await this.load()
    const title = document.querySelector('#main h1')
    window.scrollTo(0, 0)
    title?.setAttribute('tabindex', '-1')
    if (title instanceof HTMLElement) title.focus({ preventScroll: true })
  }

  /** Asks the server again. The page keeps its content until the answer comes. */
  async load() {
    const { hash } = location
    const view = this.#views[this.#path]
    if (view === undefined || this.#api.isEnded) return
    this.#asked += 1
    const asked = this.#asked
    const { parameters } = readHash(hash)
    const [overview, data] = await Promise.allSettled([
      this.#askOverview(),
      view.load(this.#api, parameters),
      // The events say more about the findings.
      this.#log.arrival,
    ])
    if (asked !== this.#asked || this.#api.isEnded) return
    if (overview.status === 'rejected') return this.#fail(overview.reason, hash)
    const { health } = overview.value
    if (!health.store.isReachable) {
      if (this.#shown !== undefined) this.#shown.overview = { ...this.#shown.overview, health }
      return this.#fail(UNREACHABLE, hash)
    }
    if (data.status === 'rejected') return this.#fail(data.reason, hash)
    this.#clock.set(overview.value.now)
    this.#shown = { hash, view, overview: overview.value, parameters, data: data.value }
    this.#isStale = false
    this.#warn(undefined)
    this.render()
  }

  /** @returns {Promise<Overview>} */
  #askOverview() {
    return this.#api.get('overview')
  }

  /** Shows the data that is there again. */
  render() {
    if (this.#shown === undefined || this.#api.isEnded) return
    const { hash, view, data, overview } = this.#shown
    show(byId('bar'), bar(overview, this.#isStale ? 'earlier' : this.#stream, this.#path))
    show(byId('foot'), foot(overview, this.#clock, this.#isStale))
    document.title = titleOf(overview, view.title)
    if (hash !== location.hash) return
    byId('main').removeAttribute('aria-busy')
    const place = element('div', { class: 'view', 'data-key': hash })
    place.append(view.render(data, this.#contextOf(this.#shown)))
    show(byId('main'), place)
  }

  /**
   * @param {Shown} shown
   * @returns {Context}
   */
  #contextOf({ overview, parameters }) {
    return {
      api: this.#api,
      log: this.#log,
      clock: this.#clock,
      overview,
      role: overview.role,
      parameters,
      ask: (action) => ask(action, { api: this.#api, changed: () => void this.load() }),
      filter: (wanted) => {
        const given = Object.entries(wanted).filter(([, value]) => value !== '')
        const query = new URLSearchParams(given).toString()
        location.hash = `#/${this.#path}${query === '' ? '' : `?${query}`}`
      },
      render: () => this.render(),
    }
  }

  /**
   * @param {unknown} error
   * @param {string} hash
   */
  #fail(error, hash) {
    this.#isStale = true
    this.render()
    byId('main').removeAttribute('aria-busy')
    const message = error instanceof Error ? error.message : 'Something has failed.'
    if (this.#shown?.hash === hash) return this.#warn(message)
    const retry = button('Try again', () => void this.navigate(), 'primary')
    const place = element('div', { class: 'view', 'data-key': 'fault' })
    place.append(
      element('h1', null, this.#views[this.#path]?.title ?? ''),
      element('div', { class: 'panel failed', role: 'alert' }, element('p', null, message), retry),
    )
    show(byId('main'), place)
  }

  /** @param {string | undefined} message why the content is not up to date */
  #warn(message) {
    const place = byId('stale')
    place.hidden = message === undefined
    const retry = button('Try again', () => void this.load())
    show(
      place,
      message !== undefined && `${message} The page shows earlier data. `,
      message !== undefined && retry,
    )
  }
}
