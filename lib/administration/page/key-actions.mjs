import { GONE } from './actions.mjs'
import { element, fragment } from './dom.mjs'
import { name } from './text.mjs'

/** @typedef {import('./dialogs.mjs').Action} Action */
/** @typedef {import('./api.mjs').Key} Key */

/**
 * @param {Key} key
 * @returns {Action}
 */
export function revokeKey({ clientId, keyId }) {
  return {
    title: 'Revoke this key?',
    text: [
      fragment(
        'Nobody can redeem the key of ',
        name(clientId),
        ' any more. If a device is waiting with it, the device needs a new key.',
      ),
      'You cannot undo this.',
    ],
    confirm: 'Revoke key',
    isDangerous: true,
    path: 'keys/revoke',
    body: () => ({ clientId, keyId }),
    outcomes: {
      revoked: 'The key is revoked.',
      unchanged: 'The key was revoked already.',
      redeemed: 'It is too late: the key is redeemed. You can revoke what it was redeemed for.',
      unknown: GONE,
    },
  }
}

/**
 * @param {Key} key
 * @returns {Action}
 */
export function revokeFamily({ clientId, keyId }) {
  return {
    title: 'Revoke everything that this key gave?',
    text: [
      'Access tokens of the key stop working. So does the client that it registered, or the device that it bound.',
      'If your route redeemed the key, undo what the route did: the server cannot undo this.',
      'You cannot undo this: the device must be provisioned again with a new key.',
    ],
    confirm: 'Revoke everything',
    isDangerous: true,
    path: 'families/revoke',
    body: () => ({ clientId, keyId }),
    outcomes: {
      revoked: 'What the server gave for the key is revoked.',
      unchanged: 'Nothing was left to revoke.',
      not_redeemed: 'The key is not redeemed yet. Revoke the key itself.',
      unknown: GONE,
    },
  }
}

/**
 * @param {string} [clientId] nothing for all clients
 * @returns {Action}
 */
export function revokeAllKeys(clientId) {
  const isForAll = clientId === undefined
  return {
    title: isForAll ? 'Revoke the keys of all clients?' : 'Revoke all keys of this client?',
    text: [
      fragment(
        isForAll ? 'All keys' : ['All keys that ', name(clientId), ' asked for, and all keys for it,'],
        ' stop working now in every process. So do their access tokens. For a few seconds, the server issues no new ones.',
      ),
      `Bindings and registered clients stay, so a thief who has credentials can get new keys. To stop this, lock the ${isForAll ? 'clients' : 'client'} too.`,
      'You cannot undo this.',
    ],
    fields:
      isForAll &&
      element(
        'label',
        { class: 'option' },
        element('input', { type: 'checkbox', required: true }),
        element('span', null, 'I want to revoke the keys of ', element('strong', null, 'all'), ' clients'),
      ),
    confirm: 'Revoke all keys',
    isDangerous: true,
    path: isForAll ? 'keys/revoke-all' : 'clients/revoke-keys',
    body: () => (isForAll ? {} : { clientId }),
    outcomes: { revoked: 'All these keys are revoked.', unchanged: 'All these keys were revoked already.' },
  }
}
