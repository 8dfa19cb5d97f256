import { Api } from './api.mjs'
import { byId } from './dom.mjs'
import { wordsOfEvent } from './event-list.mjs'
import { EventLog, EventStream } from './events.mjs'
import { Screen } from './screen.mjs'
import { showEndOfSession } from './session.mjs'
import { Clock, refreshTimes } from './times.mjs'
import { clientView } from './views/client.mjs'
import { clientsView } from './views/clients.mjs'
import { eventsView } from './views/events.mjs'
import { findingsView } from './views/findings.mjs'
import { keyView } from './views/key.mjs'
import { keysView } from './views/keys.mjs'
import { locksView } from './views/locks.mjs'
import { overviewView } from './views/overview.mjs'

/** How often the page asks for everything. */
const PERIOD_MILLISECONDS = 15_000

/** How long it waits after an event, so that many events together cause one question. */
const DELAY_MILLISECONDS = 1_500

/** How long it waits after an urgent event. */
const SHORT_DELAY_MILLISECONDS = 100

const URGENT = /^(finding\.(opened|closed)|client\.(locked|unlocked))$/

/** The least time between two drawings of the events. */
const FRAME_MILLISECONDS = 200

const TICK_MILLISECONDS = 5_000

start()

function start() {
  const log = new EventLog()
  const clock = new Clock()
  const api = new Api(() => {
    screen.clear()
    showEndOfSession()
  })
  const screen = new Screen(views(), { api, log, clock })
  const load = delayed(() => void screen.load(), DELAY_MILLISECONDS)
  const loadNow = delayed(() => void screen.load(), SHORT_DELAY_MILLISECONDS)
  const draw = delayed(() => screen.render(), FRAME_MILLISECONDS)
  const stream = new EventStream(api, log, {
    state: (state) => {
      screen.stream = state
    },
    event: (event, isNew) => {
      draw()
      if (!isNew) return
      if (URGENT.test(event.type)) loadNow()
      else load()
      if (event.type === 'finding.opened' || event.type === 'client.locked')
        byId('announcer').textContent = wordsOfEvent(event)
    },
  })
  listen(screen, stream)
  setInterval(() => void screen.load(), PERIOD_MILLISECONDS)
  setInterval(() => refreshTimes(clock), TICK_MILLISECONDS)
  void screen.load()
  void stream.run()
}

/**
 * @param {Screen} screen
 * @param {EventStream} stream
 */
function listen(screen, stream) {
  window.addEventListener('hashchange', () => void screen.navigate())
  window.addEventListener('online', () => stream.retry())
  document.addEventListener('visibilitychange', () => !document.hidden && void screen.load())
  window.addEventListener('pageshow', ({ persisted }) => persisted && location.reload())
  document.querySelector('.skip')?.addEventListener('click', skip)
}

function views() {
  return {
    '': overviewView(),
    findings: findingsView,
    keys: keysView,
    key: keyView,
    clients: clientsView,
    client: clientView,
    locks: locksView,
    events: eventsView,
  }
}

/**
 * Moves the focus to the content. The hash stays, because it names the view.
 *
 * @param {Event} event
 */
function skip(event) {
  event.preventDefault()
  byId('main').focus()
}

/**
 * A function that acts once for all calls within some time.
 *
 * @param {() => void} act
 * @param {number} milliseconds
 */
function delayed(act, milliseconds) {
  let isWaiting = false
  return () => {
    if (isWaiting) return
    isWaiting = true
    setTimeout(() => {
      isWaiting = false
      act()
    }, milliseconds)
  }
}
