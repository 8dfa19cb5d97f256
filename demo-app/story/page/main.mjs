import { showEvent } from './cards.mjs'
import { byId } from './dom.mjs'
import { SceneView } from './scene.mjs'
import { follow } from './stream.mjs'

/** @typedef {import('../messages').Message} Message */

/** @type {Map<string, SceneView>} */
const scenes = new Map()

/** Whether this page has begun to play all scenes, so that it follows them. */
let isFollowing = false
/** @type {import('../messages').PlayState} */
let playing = { isPlaying: false, isAll: false }

/** @param {Message} message */
function show(message) {
  if (message.type === 'heartbeat') return
  if (message.type === 'opening') return open(message)
  if (message.type === 'playing') return setPlaying(message)
  if (message.type === 'reset') return clear()
  const view = message.scene === undefined ? undefined : scenes.get(message.scene)
  if (view === undefined) return showOutside(message)
  if (message.type === 'scene' && message.state === 'playing') foldExcept(view)
  view.show(message)
  if (message.type === 'scene') announce(view, message.state)
  if (isFollowing) view.last?.scrollIntoView({ block: 'nearest' })
}

/** @param {import('../messages').Opening} opening */
function open(opening) {
  byId('connection').hidden = true
  const titles = new Map(opening.scenes.map(({ id, title }) => [id, title]))
  const views = opening.scenes.map((text, index) => {
    const needed = text.needs && titles.get(text.needs)
    const options = { number: index + 1, needed, onPlay: () => play(text.id), onCopy: copyCommand }
    return new SceneView(text, options)
  })
  scenes.clear()
  for (const view of views) scenes.set(view.id, view)
  byId('scenes').replaceChildren(...views.map((view) => view.element))
  clearOutside()
  setPlaying(opening)
}

/** @param {SceneView} view */
function foldExcept(view) {
  for (const other of scenes.values()) if (other !== view) other.fold()
}

/** @param {import('../messages').PlayState} state */
function setPlaying(state) {
  const { isPlaying, isAll } = state
  playing = state
  if (!isPlaying) isFollowing = false
  const buttons = [...scenes.values()].map(({ button }) => button)
  for (const button of [byId('reset'), ...buttons]) button.setAttribute('aria-disabled', String(isPlaying))
  const all = byId('play-all')
  all.setAttribute('aria-disabled', String(isPlaying && !isAll))
  all.textContent = isAll ? 'Stop' : 'Play all'
  all.classList.toggle('stop', isAll)
}

function playAllOrStop() {
  if (!playing.isAll) return play('all')
  byId('play-all').textContent = 'Stopping …'
  byId('play-all').setAttribute('aria-disabled', 'true')
  void post('api/stop', {})
}

function clear() {
  for (const view of scenes.values()) view.clear()
  clearOutside()
  byId('status').textContent = 'Everything is as at the start.'
}

function clearOutside() {
  byId('outside').hidden = true
  byId('outside-events').replaceChildren()
}

/** @param {import('../messages').Shown} message */
function showOutside(message) {
  if (message.type !== 'event') return
  byId('outside').hidden = false
  showEvent(byId('outside-events'), message)
}

/**
 * @param {SceneView} view
 * @param {'playing' | 'played' | 'failed'} state
 */
function announce(view, state) {
  if (state !== 'playing') byId('status').textContent = view.summary
  else if (isFollowing) view.element.scrollIntoView({ block: 'start' })
}

/** @param {string} scene */
function play(scene) {
  if (playing.isPlaying) return
  const isAll = scene === 'all'
  isFollowing = isAll
  setPlaying({ isPlaying: true, isAll })
  void post('api/play', { scene })
}

/**
 * @param {string} path
 * @param {object} body
 */
async function post(path, body) {
  const request = {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify(body),
  }
  const response = await fetch(path, request).catch(() => undefined)
  if (response?.ok) return
  setPlaying({ isPlaying: false, isAll: false })
  showLoss((await response?.text()) ?? 'The demo does not answer.')
}

/** @param {string} text */
function showLoss(text) {
  byId('connection').textContent = text
  byId('connection').hidden = false
}

/**
 * @param {string} id
 * @param {HTMLButtonElement} button
 */
async function copyCommand(id, button) {
  const label = 'Copy with secrets'
  try {
    const response = await fetch(`api/commands/${id}`)
    if (!response.ok) throw new Error(await response.text())
    await navigator.clipboard.writeText(await response.text())
    button.textContent = 'Copied'
  } catch {
    button.textContent = 'Not copied'
  }
  setTimeout(() => {
    button.textContent = label
  }, 2000)
}

byId('play-all').addEventListener('click', playAllOrStop)
byId('reset').addEventListener('click', () => {
  if (!playing.isPlaying) void post('api/reset', {})
})
void follow({ onMessage: show, onLoss: showLoss })
