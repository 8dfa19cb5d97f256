import { element, fragment } from '../dom.mjs'
import { eventItems } from '../event-list.mjs'
import { revokeFamily, revokeKey } from '../key-actions.mjs'
import { button, clientName, empty, facts, lockBadge, section, stateBadge } from '../parts.mjs'
import { isRedeemedByRoute } from '../replay.mjs'
import { clientLink, name, nameInFull, visible } from '../text.mjs'
import { absolute, time } from '../times.mjs'

/** @typedef {import('../api.mjs').Key} Key */
/** @typedef {import('../screen.mjs').Context} Context */
/** @typedef {{ key?: Key, events: import('../api.mjs').LoggedEvent[] }} KeyHistory */

const BINDINGS = {
  none: 'to nothing: whoever has the key can redeem it',
  dpop: 'to a private key (DPoP): a copy of the key is worthless',
  certificate: 'to a certificate: a copy of the key is worthless',
}

/** @type {import('../screen.mjs').View<KeyHistory>} */
export const keyView = {
  title: 'Key',
  load: (api, { clientId, keyId }) => api.get('key', { clientId, keyId }),
  render: ({ key, events }, context) =>
    fragment(
      element('h1', null, 'Key ', element('code', null, visible(context.parameters.keyId))),
      key === undefined
        ? element('p', { class: 'lead' }, 'The server has forgotten this key, because it has expired.')
        : known({ key, events }, context),
      section({ id: 'history', title: 'What happened' }, history(events)),
      key !== undefined &&
        context.role === 'operate' &&
        element('div', { class: 'actions' }, buttons(key, context)),
    ),
}

/**
 * @param {Required<KeyHistory>} history
 * @param {Context} context
 */
function known({ key, events }, context) {
  return [
    element('p', { class: 'badges' }, stateBadge(key), key.lock && lockBadge(key.lock, context.clock)),
    section({ id: 'terms', title: 'What it is' }, terms({ key, events }, context)),
  ]
}

/** @param {import('../api.mjs').LoggedEvent[]} events */
function history(events) {
  if (events.length > 0)
    return [
      element(
        'p',
        { class: 'muted' },
        'These are only the events of this process. Other processes may have more.',
      ),
      element('ol', { class: 'history' }, eventItems(events)),
    ]
  const next = 'Another process may have them, and so has your audit log. Search it for the id of the key.'
  return empty('This process has no events of this key.', next)
}

/**
 * @param {Required<KeyHistory>} history
 * @param {Context} context
 */
function terms({ key, events }, { clock }) {
  const moment = (/** @type {number} */ at) =>
    fragment(time(at, clock), element('span', { class: 'muted' }, ` (${absolute(at)})`))
  return facts([
    ['Client', clientName(key.clientId)],
    ['For', key.subject === key.clientId ? 'the client itself' : nameInFull(key.subject)],
    ['Scope', key.scope.map(visible).join(' ')],
    ['Audience', nameInFull(key.audience)],
    ['Issued', moment(key.issuedAt)],
    ['Expires', moment(key.expiresAt)],
    key.state !== 'issued' && ['In this state since', moment(key.changedAt)],
    ['Bound', BINDINGS[key.binding] ?? key.binding],
    key.issuedTo !== undefined && ['Issued to the network', name(key.issuedTo)],
    (key.networks ?? []).length > 0 && ['Presented from', (key.networks ?? []).map(visible).join(', ')],
    key.familyClientId !== undefined && [
      'Gave',
      element('a', { href: clientLink(key.familyClientId) }, name(key.familyClientId)),
    ],
    key.state === 'redeemed' && ['What it gave', fateOf(key, events)],
  ])
}

/**
 * @param {Key} key
 * @param {import('../api.mjs').LoggedEvent[]} events
 */
function fateOf({ familyRevoked, familyClientId, scope }, events) {
  const isOwnScope = (/** @type {string} */ one) => !one.startsWith('provision:')
  // Every endpoint of the server needs a scope of its own.
  if (scope.every(isOwnScope) || events.some(isRedeemedByRoute))
    return 'what your route did with the key: the server cannot undo this'
  if (!familyRevoked) return 'works'
  // After a replay, your policy may keep the client or the binding.
  if (familyClientId !== undefined) return 'its access tokens are revoked'
  if (events.some(({ type }) => type === 'key.redeemed')) return 'is revoked'
  return scope.some(isOwnScope)
    ? 'any access token is revoked. If your route redeemed the key, undo what the route did'
    : 'is revoked'
}

/**
 * @param {Key} key
 * @param {Context} context
 */
function buttons(key, { ask }) {
  if (key.state === 'redeemed')
    return key.familyRevoked && key.familyClientId === undefined
      ? []
      : [button('Revoke everything it gave', () => ask(revokeFamily(key)), 'danger')]
  return key.state === 'revoked' || key.isExpired
    ? []
    : [button('Revoke key', () => ask(revokeKey(key)), 'danger')]
}
