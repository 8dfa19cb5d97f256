import { deleteClient, revokeBinding } from '../actions.mjs'
import { element, fragment } from '../dom.mjs'
import { findingCards, lockButtons } from '../finding-card.mjs'
import { revokeAllKeys } from '../key-actions.mjs'
import { button, empty, facts, lockBadge, section, table } from '../parts.mjs'
import { identifier, link, name, nameInFull, visible } from '../text.mjs'
import { time } from '../times.mjs'
import { keyTable } from './keys.mjs'

/** @typedef {import('../screen.mjs').Part<Data>} Part */
/** @typedef {import('../api.mjs').Binding} Binding */
/** @typedef {import('../api.mjs').Finding} Finding */
/** @typedef {import('../api.mjs').Lock} Lock */
/** @typedef {import('../api.mjs').Key} Key */

/**
 * @typedef {object} Data
 * @property {string} clientId
 * @property {import('../api.mjs').Client | undefined} client
 * @property {Binding[]} bindings
 * @property {Key[]} keys
 * @property {Finding[]} findings
 * @property {Lock[]} locks
 */

const MOST_KEYS = 10

/** @type {import('../screen.mjs').View<Data>} */
export const clientView = {
  title: 'Client',
  async load(api, { clientId = '' }) {
    /** @type {[{ items: import('../api.mjs').Client[] }, { items: Binding[] }, { items: Key[] }, { items: Finding[] }, { items: Lock[] }]} */
    const [clients, bindings, keys, findings, locks] = await Promise.all([
      api.get('clients', { clientId }),
      api.get('bindings', { clientId }),
      api.get('keys', { clientId, limit: MOST_KEYS }),
      api.get('findings', { clientId }),
      api.get('locks'),
    ])
    return {
      clientId,
      client: clients.items.find((client) => client.clientId === clientId),
      bindings: bindings.items,
      keys: keys.items,
      findings: findings.items,
      locks: locks.items.filter((each) => each.clientId === clientId),
    }
  },
  render: (data, context) =>
    fragment(
      element('h1', null, 'Client ', name(data.clientId)),
      summary(data, context),
      context.role === 'operate' && actions(data, context),
      data.findings.length > 0 && section({ id: 'findings', title: 'Findings' }, findingCards(data, context)),
      keys(data, context),
      bindings(data, context),
    ),
}

/** @type {Part} */
function summary({ clientId, client, locks }, { clock }) {
  const lastUsedAt = client?.lastUsedAt
  return section(
    { id: 'summary', title: 'What is known' },
    facts([
      ['Id', nameInFull(clientId)],
      ['Last used (precise to a minute)', lastUsedAt === undefined ? 'not yet' : time(lastUsedAt, clock)],
      client?.network !== undefined && ['From', name(client.network)],
      ['Locks', locks.length === 0 ? 'none' : locks.map((each) => lockBadge(each, clock))],
    ]),
  )
}

/** @type {Part} */
function actions({ clientId, locks: [strongest] }, { ask }) {
  return element(
    'div',
    { class: 'actions' },
    lockButtons({ clientId, strongest, reason: undefined }, ask),
    button('Revoke all keys', () => ask(revokeAllKeys(clientId))),
    button('Delete client', () => ask(deleteClient(clientId))),
  )
}

/** @type {Part} */
function keys({ clientId, keys }, context) {
  const more = [
    element('a', { href: link('keys', { clientId }) }, 'All keys of this client'),
    element('a', { href: link('keys', { subject: clientId }) }, 'All keys for it'),
  ]
  return section(
    { id: 'keys', title: 'Latest keys', more },
    keys.length > 0
      ? keyTable(keys, 'Latest keys of the client', context)
      : empty('This client has no keys.', 'Its next key appears here.'),
  )
}

/** @type {Part} */
function bindings({ clientId, bindings }, { clock, role, ask }) {
  const isOperator = role === 'operate'
  const columns = [
    { label: 'Binding' },
    { label: 'Kind' },
    { label: 'Bound', isNumber: true },
    { label: 'Last used', isNumber: true },
    { label: 'From' },
    ...(isOperator ? [{ label: 'Actions', isHidden: true }] : []),
  ]
  const rows = bindings.map(({ bindingId, kind, boundAt, lastUsedAt, network }) => ({
    key: bindingId,
    cells: [
      identifier(bindingId),
      kind === 'jwk' ? 'private key' : 'certificate',
      time(boundAt, clock),
      lastUsedAt === undefined ? 'not yet' : time(lastUsedAt, clock),
      network === undefined ? '' : visible(network),
      ...(isOperator ? [button('Remove', () => ask(revokeBinding({ clientId, bindingId })), 'small')] : []),
    ],
  }))
  const none = empty(
    'No device is bound to this client.',
    'A device binds its own private key when it redeems a key.',
  )
  const title = 'Bound devices'
  return section({ id: 'bindings', title }, rows.length > 0 ? table(title, columns, rows) : none)
}
