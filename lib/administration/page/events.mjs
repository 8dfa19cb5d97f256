import { SessionEnded } from './api.mjs'

/** The most events that the page keeps. */
const MOST_EVENTS = 500

/** Strangers can cause these events, so they take at most half of the places. */
const OF_STRANGERS = ['request.refused', 'administration.refused', 'refusals.summarized']

/** The server sends a sign of life every 15 seconds. */
const SILENCE_MILLISECONDS = 40_000
const SHORTEST_PAUSE = 1_000
const LONGEST_PAUSE = 30_000

/** So long does the page wait for the earlier events before it shows something. */
const PATIENCE_MILLISECONDS = 1_000

/** @typedef {import('./api.mjs').LoggedEvent} LoggedEvent */
/** @typedef {'connecting' | 'live' | 'waiting'} StreamState */

/** The last events, the latest first. They can come from several processes, one after another. */
export class EventLog {
  /** @type {LoggedEvent[]} */
  events = []
  /** The events that have come since the reader has paused the list. */
  waiting = 0
  /** @type {LoggedEvent[] | undefined} */
  #paused
  #known = new Set()
  /** Resolves when the earlier events are there, and if they do not come soon. @type {Promise<void>} */
  arrival
  /** Says that the earlier events are there. */
  arrive = () => {}

  constructor() {
    this.arrival = new Promise((resolve) => {
      this.arrive = resolve
      setTimeout(resolve, PATIENCE_MILLISECONDS)
    })
  }

  /** What the lists show. */
  get shown() {
    return this.#paused ?? this.events
  }

  get isPaused() {
    return this.#paused !== undefined
  }

  pause() {
    this.#paused = this.events
    this.waiting = 0
  }

  resume() {
    this.#paused = undefined
  }

  /**
   * @param {LoggedEvent} event
   * @returns {boolean} whether the event is new: after a reconnection, the server repeats some
   */
  add(event) {
    if (this.#known.has(event.id)) return false
    this.#known.add(event.id)
    const later = this.events.filter(({ at }) => at > event.at)
    this.events = shortened([...later, event, ...this.events.slice(later.length)])
    if (this.#known.size > 2 * MOST_EVENTS) this.#known = new Set(this.events.map(({ id }) => id))
    if (this.isPaused) this.waiting += 1
    return true
  }

  clear() {
    this.events = []
    this.resume()
    this.#known.clear()
  }
}

/**
 * @param {LoggedEvent[]} events at most one too many
 * @returns {LoggedEvent[]}
 */
function shortened(events) {
  if (events.length <= MOST_EVENTS) return events
  const refusals = events.filter(({ type }) => OF_STRANGERS.includes(type))
  const dropped = refusals.length > MOST_EVENTS / 2 ? refusals.at(-1) : events.at(-1)
  return events.filter((event) => event !== dropped)
}

/** Reads the stream of events for as long as the page is open, and connects again after each end. */
export class EventStream {
  #api
  #log
  #on
  #failures = 0
  /** Later events than this time are new to the reader. */
  #newAfter = Number.POSITIVE_INFINITY
  #wake = () => {}

  /**
   * @param {import('./api.mjs').Api} api
   * @param {EventLog} log
   * @param {{ event: (event: LoggedEvent, isNew: boolean) => void, state: (state: StreamState) => void }} on
   */
  constructor(api, log, on) {
    this.#api = api
    this.#log = log
    this.#on = on
  }

  /** Ends a pause, for example when the network is back. */
  retry() {
    this.#wake()
  }

  /** Over HTTP/1.1, all pages of a browser share six connections. So a hidden page leaves its own to the others. */
  async run() {
    while (!this.#api.isEnded) {
      await visibility()
      try {
        await this.#connect()
        this.#failures = 0
      } catch (error) {
        if (error instanceof SessionEnded) return
        if (!document.hidden) this.#failures += 1
      }
      if (this.#failures > 0) this.#on.state('waiting')
      await this.#pause(this.#failures)
    }
  }

  /** Resolves when the server ends the stream, which it does every minute so that it can ask who reads. */
  async #connect() {
    const watchdog = new AbortController()
    let timer = setTimeout(() => watchdog.abort(), SILENCE_MILLISECONDS)
    const leave = () => document.hidden && watchdog.abort()
    document.addEventListener('visibilitychange', leave)
    const [latest] = this.#log.events
    const after = latest?.id
    // A load balancer can choose another process, whose earlier events are then older than those that the page shows.
    this.#newAfter = latest?.at ?? Number.POSITIVE_INFINITY
    const path = after === undefined ? 'events' : `events?after=${encodeURIComponent(after)}`
    try {
      const response = await this.#api.send(path, { signal: watchdog.signal })
      if (response.status === 403) this.#api.end()
      if (!response.ok || response.body === null) throw new Error('no stream')
      this.#on.state('live')
      for await (const line of lines(response.body)) {
        clearTimeout(timer)
        timer = setTimeout(() => watchdog.abort(), SILENCE_MILLISECONDS)
        this.#read(line)
      }
    } finally {
      clearTimeout(timer)
      document.removeEventListener('visibilitychange', leave)
    }
  }

  /** @param {string} line */
  #read(line) {
    const event = JSON.parse(line)
    if (event.type === 'heartbeat') {
      // The first one comes after the earlier events.
      this.#newAfter = Number.NEGATIVE_INFINITY
      this.#log.arrive()
      return
    }
    if (this.#log.add(event)) this.#on.event(event, event.at > this.#newAfter)
  }

  /** @param {number} failures */
  #pause(failures) {
    const longest = Math.min(LONGEST_PAUSE, SHORTEST_PAUSE * 2 ** failures)
    const milliseconds = failures === 0 ? 250 : longest * (0.5 + Math.random() / 2)
    return /** @type {Promise<void>} */ (
      new Promise((resolve) => {
        const timer = setTimeout(resolve, milliseconds)
        this.#wake = () => {
          clearTimeout(timer)
          resolve()
        }
      })
    )
  }
}

/** Resolves when the reader sees the page. */
function visibility() {
  return /** @type {Promise<void>} */ (
    new Promise((resolve) => {
      const check = () => {
        if (document.hidden) return
        document.removeEventListener('visibilitychange', check)
        resolve()
      }
      document.addEventListener('visibilitychange', check)
      check()
    })
  )
}

/**
 * @param {ReadableStream<Uint8Array>} body
 * @returns {AsyncGenerator<string>}
 */
async function* lines(body) {
  const reader = body.getReader()
  const decoder = new TextDecoder()
  let rest = ''
  while (true) {
    const { done, value } = await reader.read()
    if (done) return
    const parts = (rest + decoder.decode(value, { stream: true })).split('\n')
    rest = parts.pop() ?? ''
    yield* parts.filter((part) => part !== '')
  }
}
