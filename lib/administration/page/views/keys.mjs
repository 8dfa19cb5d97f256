import { element, fragment } from '../dom.mjs'
import { revokeAllKeys } from '../key-actions.mjs'
import {
  button,
  choice,
  clientName,
  empty,
  filters,
  lead,
  pager,
  STATES,
  stateBadge,
  table,
  textField,
} from '../parts.mjs'
import { identifier, keyLink, name } from '../text.mjs'
import { age, time } from '../times.mjs'

/** @typedef {import('../api.mjs').Key} Key */
/** @typedef {import('../api.mjs').Page<Key>} KeyPage */
/** @typedef {import('../screen.mjs').Context} Context */

/** @type {import('../screen.mjs').View<KeyPage>} */
export const keysView = {
  title: 'Keys',
  load: (api, { clientId, subject, state, after }) => api.get('keys', { clientId, subject, state, after }),
  render: (page, context) => {
    const { clientId = '', subject = '', state = '', after } = context.parameters
    return fragment(
      lead('Keys', 'Each key is shown by its id only. The newest come first.'),
      filters('Filter the keys', context.filter, [
        textField('Whole client id', 'clientId', clientId),
        textField('Whole device id', 'subject', subject),
        choice('State', 'state', state, [['', 'All states'], ...Object.entries(STATES)]),
      ]),
      page.items.length > 0
        ? keyTable(page.items, 'Keys, the newest first', context)
        : noKeys(clientId !== '' || subject !== '' || state !== ''),
      context.role === 'operate' &&
        clientId === '' &&
        subject === '' &&
        element(
          'div',
          { class: 'actions' },
          button('Revoke the keys of all clients', () => context.ask(revokeAllKeys())),
        ),
      pager('keys', { clientId, subject, state }, { next: page.next, after }),
    )
  },
}

/** @param {boolean} isFiltered */
function noKeys(isFiltered) {
  if (isFiltered)
    return empty(
      'No key matches this filter.',
      'Check the ids, or ',
      element('a', { href: '#/keys' }, 'show all keys'),
      '.',
    )
  return empty(
    'There are no keys yet.',
    'Let a client ask the token endpoint for a key. It appears here at the same moment.',
  )
}

/**
 * @param {readonly Key[]} keys
 * @param {string} caption
 * @param {Context} context
 */
export function keyTable(keys, caption, { clock }) {
  const columns = [
    { label: 'Key' },
    { label: 'Client' },
    { label: 'For' },
    { label: 'State' },
    { label: 'Age', isNumber: true },
    { label: 'Expires', isNumber: true },
  ]
  const rows = keys.map((key) => ({
    key: `${key.clientId} ${key.keyId}`,
    cells: [
      identifier(key.keyId, keyLink(key), 14),
      clientName(key.clientId),
      key.subject === key.clientId ? element('span', { class: 'muted' }, 'itself') : name(key.subject, 32),
      stateBadge(key),
      age(key.issuedAt, clock),
      time(key.expiresAt, clock),
    ],
  }))
  return table(caption, columns, rows)
}
