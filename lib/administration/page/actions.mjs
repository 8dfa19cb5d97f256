import { element, fragment } from './dom.mjs'
import { LOCKS } from './responses.mjs'
import { name } from './text.mjs'

/** @typedef {import('./dialogs.mjs').Action} Action */
/** @typedef {import('./api.mjs').LockKind} LockKind */

export const GONE = 'The server no longer knows it.'

/**
 * @param {string} clientId
 * @returns {Action}
 */
export function deleteClient(clientId) {
  return {
    title: 'Delete this client?',
    text: [
      fragment(
        'The keys, access tokens and bindings of ',
        name(clientId),
        ' stop working now in every process.',
      ),
      'If your configuration lists the client, remove it there too: otherwise it comes back when a process starts again.',
      'You cannot undo this: the client must be provisioned again.',
    ],
    confirm: 'Delete client',
    isDangerous: true,
    path: 'clients/delete',
    body: () => ({ clientId }),
    outcomes: { deleted: 'The client is deleted.', unknown: GONE },
  }
}

/**
 * @param {{ clientId: string, bindingId: string }} binding
 * @returns {Action}
 */
export function revokeBinding({ clientId, bindingId }) {
  return {
    title: 'Remove this binding?',
    text: [
      fragment(
        'The device can no longer authenticate as ',
        name(clientId),
        ' with this private key or certificate.',
      ),
      'Its provisioning keys and access tokens work until they expire. To stop them now, lock the client too.',
      'You cannot undo this: the device must be provisioned again with a new key.',
    ],
    confirm: 'Remove binding',
    isDangerous: true,
    path: 'bindings/revoke',
    body: () => ({ clientId, bindingId }),
    outcomes: { revoked: 'The binding is removed.', unknown: GONE },
  }
}

/**
 * @param {string} clientId
 * @returns {Action}
 */
export function unlock(clientId) {
  return {
    title: 'Unlock this client?',
    text: [
      fragment('All locks of ', name(clientId), ' end now. Keys and tokens that are still valid work again.'),
      'If its rule matches again, the server may lock it again.',
    ],
    confirm: 'Unlock',
    path: 'clients/unlock',
    body: () => ({ clientId }),
    outcomes: { unlocked: 'The client is unlocked.', unknown: 'The client was not locked.' },
  }
}

/**
 * @param {import('./api.mjs').Finding} finding
 * @param {string} title
 * @returns {Action}
 */
export function closeFinding({ id }, title) {
  return {
    title: 'Close this finding?',
    text: [
      `“${title}” disappears from the list for everybody. Locks and revocations stay as they are.`,
      'If the rule matches again, a new finding opens.',
    ],
    confirm: 'Close finding',
    path: 'findings/close',
    body: () => ({ findingId: id }),
    outcomes: { closed: 'The finding is closed.', unknown: 'The finding was closed already.' },
  }
}

const HOUR_SECONDS = 3_600
const YEAR_HOURS = 8_760

/**
 * @typedef {object} LockRequest
 * @property {string} [clientId] the operator writes it if it is missing
 * @property {LockKind} [kind]
 * @property {string} [reason]
 * @property {boolean} [isLonger] whether the client is locked already
 */

/**
 * @param {LockRequest} [request]
 * @returns {Action}
 */
export function lock({ clientId, kind = 'lock', reason = '', isLonger = false } = {}) {
  const effect = ' from the next request on, in every process. You can end it at any time.'
  return {
    title: isLonger ? 'Lock this client longer' : 'Lock a client',
    text: [fragment('The lock applies ', clientId !== undefined && ['to ', name(clientId)], effect)],
    fields: lockFields({ clientId, kind, reason }),
    confirm: isLonger ? 'Lock longer' : 'Lock client',
    path: 'clients/lock',
    body: (values) => ({
      clientId: clientId ?? String(values.get('clientId')),
      kind: String(values.get('kind')),
      reason: String(values.get('reason')),
      lockSeconds: Number(values.get('hours')) * HOUR_SECONDS,
    }),
    outcomes: {
      locked: 'The client is locked.',
      unchanged: 'A longer lock of this kind is in force already.',
    },
  }
}

/** @param {{ clientId: string | undefined, kind: LockKind, reason: string }} lock */
function lockFields({ clientId, kind, reason }) {
  const hours = { name: 'hours', type: 'number', min: 1, max: YEAR_HOURS, step: 1, value: 24 }
  return element(
    'div',
    { class: 'form' },
    clientId === undefined && field('Client', { name: 'clientId', maxlength: 255 }),
    kindField(kind),
    field('Hours from now', hours),
    field('Reason', { name: 'reason', maxlength: 256, value: reason }),
  )
}

/**
 * @param {string} label
 * @param {Record<string, unknown>} props
 */
function field(label, props) {
  return element(
    'label',
    { class: 'field' },
    element('span', null, label),
    element('input', { required: true, autocomplete: 'off', ...props }),
  )
}

/** @param {LockKind} chosen */
function kindField(chosen) {
  return element(
    'fieldset',
    null,
    element('legend', null, 'What the client may still do'),
    Object.entries(LOCKS).map(([kind, { label, effect }]) =>
      element(
        'label',
        { class: 'option' },
        element('input', { type: 'radio', name: 'kind', value: kind, checked: kind === chosen }),
        element('span', null, element('strong', null, label), ` ${effect}`),
      ),
    ),
  )
}
