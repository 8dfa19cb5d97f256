import { fragment } from '../dom.mjs'
import { findingCards } from '../finding-card.mjs'
import { choice, empty, filters, lead, noMatch, pager, textField } from '../parts.mjs'
import { RULE_IDS, wordsOfRule } from '../rules.mjs'

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
      lead(
        'Findings',
        'What the rules have found, the latest first. A finding ends a week after its last event.',
      ),
      filters('Filter the findings', context.filter, [
        choice('Rule', 'rule', rule, [['', 'All rules'], ...rules]),
        textField('Whole client id', 'clientId', clientId),
      ]),
      page.items.length > 0
        ? findingCards({ findings: page.items, locks }, context, 'Open findings')
        : noFindings(rule !== '' || clientId !== ''),
      pager('findings', { rule, clientId }, { next: page.next, after }),
    )
  },
}

/** @param {boolean} isFiltered */
export function noFindings(isFiltered) {
  if (isFiltered) return noMatch('finding')
  return empty(
    'No findings are open.',
    'The rules watch every event. To see one at work, redeem a test key twice.',
  )
}
