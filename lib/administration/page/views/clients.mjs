import { lock, unlock } from '../actions.mjs'
import { element, fragment } from '../dom.mjs'
import { button, empty, filters, lead, lockBadge, noMatch, pager, table, textField } from '../parts.mjs'
import { clientLink, name, nameInFull } from '../text.mjs'
import { time } from '../times.mjs'

/** @typedef {import('../api.mjs').Client} Client */
/** @typedef {import('../api.mjs').Page<Client>} ClientPage */
/** @typedef {import('../screen.mjs').Context} Context */

/** @type {import('../screen.mjs').View<ClientPage>} */
export const clientsView = {
  title: 'Clients',
  load: (api, { search = '', after }) =>
    search === '' ? api.get('clients', { after }) : find(api, search, after),
  render(page, context) {
    const { search = '', after } = context.parameters
    return fragment(
      lead(
        'Clients',
        'Clients that have used the server, the latest first. A device with only an access token is no client.',
      ),
      filters(
        'Filter the clients',
        context.filter,
        textField('Client id, or a part of it', 'search', search),
      ),
      page.items.length > 0
        ? clientTable(page.items, 'Clients, the last used first', context)
        : noClients(context, search !== ''),
      pager('clients', { search }, { next: page.next, after }),
    )
  },
}

/**
 * Finds clients by a part of their ids. A client that was never used is found by its whole id.
 *
 * @param {import('../api.mjs').Api} api
 * @param {string} search
 * @param {string | undefined} after
 * @returns {Promise<ClientPage>}
 */
async function find(api, search, after) {
  /** @type {[ClientPage, ClientPage]} */
  const [page, { items }] = await Promise.all([
    api.get('clients', { search, after }),
    after === undefined ? api.get('clients', { clientId: search }) : { items: [] },
  ])
  const others = items.filter(({ clientId }) => !page.items.some((each) => each.clientId === clientId))
  return { ...page, items: [...others, ...page.items] }
}

/**
 * @param {Context} context
 * @param {boolean} [isFiltered]
 */
export function noClients({ log }, isFiltered = false) {
  if (isFiltered) return noMatch('client')
  // Refusals are events too.
  const title =
    log.events.length > 0
      ? 'No client has used the server successfully yet.'
      : 'No client has used the server yet.'
  return empty(title, 'Register a client, and let it ask for a key.')
}

/**
 * @param {readonly Client[]} clients
 * @param {string} caption
 * @param {Context} context
 * @param {{ isShort?: boolean }} [options] whether to leave out the networks
 */
export function clientTable(clients, caption, context, { isShort = false } = {}) {
  const { clock, role } = context
  const isOperator = role === 'operate'
  const columns = [
    { label: 'Client' },
    { label: 'Last used', isNumber: true },
    ...(isShort ? [] : [{ label: 'From' }]),
    { label: 'Locks' },
    ...(isOperator ? [{ label: 'Actions', isHidden: true }] : []),
  ]
  const rows = clients.map(({ clientId, lastUsedAt, network, locks }) => ({
    key: clientId,
    cells: [
      nameInFull(clientId, clientLink(clientId)),
      lastUsedAt === undefined ? 'never' : time(lastUsedAt, clock),
      ...(isShort ? [] : [network === undefined ? '' : name(network)]),
      locks.length > 0
        ? locks.map((each) => lockBadge(each, clock))
        : element('span', { class: 'muted' }, 'none'),
      ...(isOperator ? [clientButton(clientId, locks.length > 0, context)] : []),
    ],
  }))
  return table(caption, columns, rows)
}

/**
 * @param {string} clientId
 * @param {boolean} isLocked
 * @param {Context} context
 */
function clientButton(clientId, isLocked, { ask }) {
  return isLocked
    ? button('Unlock', () => ask(unlock(clientId)), 'small')
    : button('Lock', () => ask(lock({ clientId })), 'small')
}
