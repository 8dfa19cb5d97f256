import { ApiError, SessionEnded } from './api.mjs'
import { byId, element, fragment } from './dom.mjs'
import { button } from './parts.mjs'

/** @typedef {import('./dom.mjs').Children} Children */

/**
 * A change that an operator can make.
 *
 * @typedef {object} Action
 * @property {string} title a question or a sentence
 * @property {Children[]} text what will happen
 * @property {Children} [fields] what the operator has to say
 * @property {string} confirm the label of the button
 * @property {boolean} [isDangerous] whether nobody can undo it
 * @property {string} path
 * @property {(values: FormData) => Record<string, unknown>} body
 * @property {Readonly<Record<string, string>>} outcomes what to say about each outcome
 */

/** @typedef {{ api: import('./api.mjs').Api, changed: () => void }} Context */

/**
 * Asks the operator, and then acts. The dialog stays open if the server refuses, so that the operator can try again.
 *
 * @param {Action} action
 * @param {Context} context
 */
export function ask(action, context) {
  const fault = element('p', { class: 'fault', role: 'alert' })
  const look = action.isDangerous ? 'button danger' : 'button primary'
  const submit = element('button', { type: 'submit', class: look }, action.confirm)
  const dialog = element('dialog', { 'aria-labelledby': 'dialog-title', onclose: () => dialog.remove() })

  /** @param {SubmitEvent} event */
  const onsubmit = async (event) => {
    event.preventDefault()
    if (!(event.currentTarget instanceof HTMLFormElement)) return
    submit.disabled = true
    fault.textContent = ''
    const message = await act(action, new FormData(event.currentTarget), context)
    submit.disabled = false
    if (message === undefined) dialog.close()
    else fault.textContent = message
  }

  const buttons = [button('Cancel', () => dialog.close()), submit]
  dialog.append(
    element(
      'form',
      { onsubmit },
      element('h2', { id: 'dialog-title' }, action.title),
      action.text.map((text) => element('p', null, text)),
      action.fields ?? fragment(),
      fault,
      element('div', { class: 'actions' }, buttons),
    ),
  )
  document.body.append(dialog)
  dialog.showModal()
}

/**
 * @param {Action} action
 * @param {FormData} values
 * @param {Context} context
 * @returns {Promise<string | undefined>} why it has failed
 */
async function act({ path, body, outcomes }, values, { api, changed }) {
  try {
    const { outcome } = await api.post(path, body(values))
    notify(outcomes[outcome] ?? 'Done.')
    changed()
    return undefined
  } catch (error) {
    if (error instanceof SessionEnded) return ''
    if (!(error instanceof ApiError)) throw error
    // The operator may have lost the role meanwhile.
    if (error.status === 403) changed()
    return error.message
  }
}

const SHOWN_MILLISECONDS = 6_000

/**
 * Shows a sentence for a moment.
 *
 * @param {string} text
 */
export function notify(text) {
  const toast = element('p', { class: 'toast' }, text)
  byId('toasts').append(toast)
  setTimeout(() => toast.remove(), SHOWN_MILLISECONDS)
}
