import { findingCard, findingLink, noteCard, requestCard, showEvent, showResponse } from './cards.mjs'
import { element } from './dom.mjs'

/** @typedef {import('../messages').SceneText} SceneText */
/** @typedef {import('../messages').Shown} Shown */

/** The columns, and who acts in each. */
const LANES = {
  device: ['Device', 'installs, enrolls, works'],
  thief: ['Thief', 'copies, replays, forges, guesses'],
  server: ['Server', 'decides, and tells the operator'],
}

/** One button of the page, with its requests and its findings. */
export class SceneView {
  #text
  #onCopy
  #badges = element('p', { class: 'badges' })
  #body = element('details', { class: 'steps' }, element('summary', {}, 'Step by step'))
  #rows = element('div', { class: 'rows' })
  #outcome = element('div', { class: 'outcome', hidden: '' })
  /** @type {Map<string, HTMLElement>} */
  #findings = new Map()

  /**
   * @param {SceneText} text
   * @param {{ number: number, needed: string | undefined, onPlay: () => void, onCopy: (id: string, button: HTMLButtonElement) => void }} options
   */
  constructor(text, { number, needed, onPlay, onCopy }) {
    this.#text = text
    this.#onCopy = onCopy
    this.button = element('button', { type: 'button', class: 'play' }, text.title)
    this.button.addEventListener('click', onPlay)
    const needs =
      needed === undefined
        ? ''
        : element(
            'span',
            { class: 'needs' },
            ` If you have not pressed “${needed}”, this button does that first.`,
          )
    this.#body.append(lanes(text.lanes), this.#rows, this.#outcome)
    this.element = element(
      'li',
      { class: `scene lanes-${text.lanes.length}`, id: `scene-${text.id}` },
      element(
        'div',
        { class: 'scene-head' },
        element('span', { class: 'number', 'aria-hidden': 'true' }, String(number)),
        element('h2', {}, this.button),
        element('p', { class: 'shows' }, text.shows, needs),
        this.#badges,
      ),
      this.#body,
    )
    this.clear()
  }

  get title() {
    return this.#text.title
  }

  get id() {
    return this.#text.id
  }

  /** What the page has added last. */
  get last() {
    return this.#outcome.hidden ? this.#rows.lastElementChild : this.#outcome
  }

  /** Leaves only the head of the scene. The reader can open the rest again. */
  fold() {
    this.#body.open = false
  }

  clear() {
    this.#body.hidden = true
    this.#findings.clear()
    this.#rows.replaceChildren()
    this.#badges.replaceChildren()
    this.#outcome.replaceChildren()
    this.#outcome.hidden = true
    this.element.classList.remove('playing', 'played', 'failed')
  }

  /** @param {Shown} message */
  show(message) {
    switch (message.type) {
      case 'scene':
        return this.#showState(message)
      case 'request':
        this.#addRow(requestCard(message, this.#onCopy), message.lane)
        return
      case 'note':
        this.#addRow(noteCard(message), message.lane)
        return
      case 'response':
        return this.#showResponse(message)
      case 'event':
        return this.#showEvent(message)
      case 'finding':
        return this.#showFinding(message)
    }
  }

  /** How the scene ended, as one sentence. */
  get summary() {
    const count = this.#findings.size
    return `${this.title}: ${count === 0 ? 'no finding' : count === 1 ? 'one finding' : `${count} findings`}.`
  }

  /** @param {import('../messages').SceneState} message */
  #showState({ state, problems }) {
    if (state === 'playing') {
      this.clear()
      this.#body.hidden = false
      this.#body.open = true
    }
    this.element.classList.remove('playing')
    this.element.classList.add(state)
    if (state === 'playing') return
    const { happened, matters, rules } = this.#text
    if (rules.length === 0 && state === 'played')
      this.#badges.append(element('span', { class: 'badge calm' }, 'No finding'))
    const failed = problems.map((problem) =>
      element('p', { class: 'problem' }, `Not as described: ${problem}.`),
    )
    this.#outcome.replaceChildren(
      ...failed,
      element('div', {}, element('h3', {}, 'What happened'), element('p', {}, happened)),
      element('div', {}, element('h3', {}, 'Why it matters'), element('p', {}, matters)),
    )
    this.#outcome.hidden = false
  }

  /**
   * @param {HTMLElement | string} card
   * @param {string} lane
   */
  #addRow(card, lane) {
    const row = element('div', { class: `row from-${lane}` }, card)
    this.#rows.append(row)
    return row
  }

  /** @param {import('../messages').ResponseReceived} message */
  #showResponse(message) {
    const card = this.#rows.querySelector(`#${message.id}`)
    if (card !== null) showResponse(card, message)
  }

  /** @param {import('../messages').EventEmitted} message */
  #showEvent(message) {
    const cell = this.#serverCell(message.id)
    let list = cell.lastElementChild
    if (list === null || !list.classList.contains('events')) {
      list = element('ul', { class: 'events', 'aria-label': 'What the server does' })
      cell.append(list)
    }
    showEvent(list, message)
  }

  /**
   * The place in the lane of the server next to a request. Without a request, it is next to the last one.
   *
   * @param {string | undefined} id
   * @returns {Element}
   */
  #serverCell(id) {
    const card = id === undefined ? null : this.#rows.querySelector(`#${id}`)
    const row = card?.parentElement ?? this.#rows.lastElementChild ?? this.#addRow('', 'server')
    return row.querySelector('.server-cell') ?? row.appendChild(element('div', { class: 'server-cell' }))
  }

  /** @param {import('../messages').FindingReported} message */
  #showFinding(message) {
    const card = findingCard(message)
    const known = this.#findings.get(message.findingId)
    this.#findings.set(message.findingId, card)
    if (known !== undefined) return known.replaceWith(card)
    this.#serverCell(undefined).append(card)
    const link = element(
      'a',
      { href: findingLink(message.rule), target: '_blank' },
      `Finding: ${message.rule}`,
    )
    this.#badges.append(element('span', { class: `badge ${message.severity}` }, link))
  }
}

/** @param {readonly import('../messages').SceneText['lanes'][number][]} used */
function lanes(used) {
  const heads = used.map((lane) => {
    const [name = '', acts = ''] = LANES[lane]
    return element('p', { class: `lane-head ${lane}` }, name, element('span', {}, acts))
  })
  return element('div', { class: 'lanes', 'aria-hidden': 'true' }, ...heads)
}
