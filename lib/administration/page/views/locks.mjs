import { lock, unlock } from '../actions.mjs'
import { element, fragment } from '../dom.mjs'
import { isByRule } from '../findings.mjs'
import { button, empty, lead, table } from '../parts.mjs'
import { LOCKS } from '../responses.mjs'
import { wordsOfRule } from '../rules.mjs'
import { clientLink, link, name, nameInFull } from '../text.mjs'
import { time } from '../times.mjs'

/** @typedef {import('../api.mjs').Lock} Lock */
/** @typedef {import('../screen.mjs').Context} Context */

/** @type {import('../screen.mjs').View<{ items: Lock[] }>} */
export const locksView = {
  title: 'Locks',
  load: (api) => api.get('locks'),
  render({ items }, context) {
    const isOperator = context.role === 'operate'
    return fragment(
      lead('Locks', 'A lock applies in every process, until it ends or an operator ends it.'),
      isOperator &&
        element(
          'div',
          { class: 'actions' },
          button('Lock a client', () => context.ask(lock())),
        ),
      items.length > 0 ? lockTable(items, context) : noLocks(isOperator),
    )
  },
}

/** @param {boolean} isOperator */
function noLocks(isOperator) {
  const next = isOperator
    ? 'If somebody may have the credentials of a client, lock it here first.'
    : 'An operator or a rule can lock a client.'
  return empty('No client is locked.', next)
}

/**
 * @param {readonly Lock[]} locks
 * @param {Context} context
 */
export function lockTable(locks, context) {
  const { clock, role } = context
  const isOperator = role === 'operate'
  const columns = [
    { label: 'Client' },
    { label: 'Lock' },
    { label: 'Ends', isNumber: true },
    { label: 'Since', isNumber: true },
    { label: 'Why' },
    ...(isOperator ? [{ label: 'Actions', isHidden: true }] : []),
  ]
  const rows = [...locks]
    .sort((a, b) => b.lockedAt - a.lockedAt)
    .map((each) => ({
      key: `${each.kind} ${each.clientId}`,
      cells: [
        nameInFull(each.clientId, clientLink(each.clientId)),
        element('span', { title: LOCKS[each.kind]?.effect }, LOCKS[each.kind]?.label ?? each.kind),
        time(each.until, clock),
        time(each.lockedAt, clock),
        why(each),
        ...(isOperator ? [lockButtons(each, context)] : []),
      ],
    }))
  return table('Locks, the latest first', columns, rows)
}

/** @param {Lock} lock */
function why(lock) {
  const { author, reason, clientId } = lock
  if (!isByRule(lock)) return fragment(nameInFull(reason), ' by ', name(author))
  const rule = author.slice('rule '.length)
  return fragment(
    'by the server: ',
    element('a', { href: link('findings', { rule, clientId }) }, wordsOfRule(rule).title),
  )
}

/**
 * @param {Lock} each
 * @param {Context} context
 */
function lockButtons({ clientId, kind, reason }, { ask }) {
  return element(
    'div',
    { class: 'buttons' },
    button('Unlock', () => ask(unlock(clientId)), 'small'),
    button('Longer', () => ask(lock({ clientId, kind, reason, isLonger: true })), 'small'),
  )
}
