import { element, fragment } from '../dom.mjs'
import { findingCard } from '../finding-card.mjs'
import { choice, empty, filters, pager, textField } from '../parts.mjs'
import { RULE_IDS, wordsOfRule } from '../rules.mjs'
import { link } from '../text.mjs'

/** @typedef {import('../api.mjs').Page<import('../api.mjs').Finding>} FindingPage */
/** @typedef {{ page: FindingPage, locks: import('../api.mjs').Lock[] }} Data */

/** @type {import('../screen.mjs').View<Data>} */
export const findingsView = {
  title: 'Findings',
  async load(api, { rule, clientId, after }) {
    /** @type {[FindingPage, { items: import('../api.mjs').Lock[] }]} */
    const [page, locks] = await Promise.all([
      api.get('findings', { rule, clientId, after }),
      api.get('locks'),
    ])
    return { page, locks: locks.items }
  },
  render({ page, locks }, context) {
    const { rule = '', clientId = '', after } = context.parameters
    const rules = RULE_IDS.map((id) => /** @type {const} */ ([id, wordsOfRule(id).title]))
    return fragment(
      element('h1', null, 'Findings'),
      element(
        'p',
        { class: 'lead' },
        'What the rules have found, the latest first. A finding ends a week after its last event.',
      ),
      filters(
        'Filter the findings',
        context.filter,
        choice('Rule', 'rule', rule, [['', 'All rules'], ...rules]),
        textField('Whole client id', 'clientId', clientId),
        element('button', { type: 'submit', class: 'button' }, 'Filter'),
      ),
      page.items.length > 0
        ? element(
            'div',
            { class: 'cards' },
            element('h2', { class: 'hidden' }, 'Open findings'),
            page.items.map((finding) => findingCard(finding, locks, context)),
          )
        : noFindings(rule !== '' || clientId !== ''),
      pager(
        page.next === undefined ? undefined : link('findings', { rule, clientId, after: page.next }),
        after === undefined ? undefined : link('findings', { rule, clientId }),
      ),
    )
  },
}

/** @param {boolean} isFiltered */
export function noFindings(isFiltered) {
  if (isFiltered)
    return empty(
      'No finding matches this filter.',
      element('a', { href: '#/findings' }, 'Show all findings'),
      '.',
    )
  return empty(
    'No findings are open.',
    'The rules watch every event. To see one at work, redeem a test key twice.',
  )
}
