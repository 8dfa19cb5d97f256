import { object, oneOf, parse, required } from '../base/schema.js'
import type { RuleId } from '../monitoring/rules/rule.js'
import { RULES } from '../monitoring/rules/rules.js'
import type { Finding } from '../ports/store.js'
import { type Action, act } from './act.js'
import type { Call } from './call.js'
import { aClientId, anId, type ListQuery, listMembers, pageIn } from './parameters.js'
import { Problem } from './problem.js'

const readFindingsQuery = object<ListQuery & { readonly rule?: RuleId; readonly clientId?: string }>({
  rule: oneOf(Object.keys(RULES) as RuleId[]),
  clientId: aClientId,
  ...listMembers,
})

const readFindingName = object<{ readonly findingId: string }>({ findingId: required(anId) })

/** Lists the open findings, the latest first. */
export async function listFindings({ context, parameters }: Call): Promise<object> {
  const { rule, clientId, ...list } = parse(readFindingsQuery, parameters, '')
  const findings = (await context.operations.findings()).filter(
    (one) =>
      (rule === undefined || one.rule === rule) &&
      (clientId === undefined || one.subject === `client:${clientId}`),
  )
  const { items, next } = pageIn(findings, ({ lastAt, id }) => ({ time: lastAt, ids: [id] }), list)
  return { items: items.map(findingView), ...(next !== undefined && { next }) }
}

/** A finding, with what its rule says about it. */
function findingView({ until, ...finding }: Finding): object {
  // A process with another version of the library may have opened it by a rule that this one does not know.
  const rule = Object.hasOwn(RULES, finding.rule) ? RULES[finding.rule as RuleId] : undefined
  return { ...finding, title: rule?.title, falsePositives: rule?.falsePositives, runbook: rule?.runbook }
}

export async function closeFinding(call: Call): Promise<object> {
  const { findingId } = parse(readFindingName, call.parameters, '')
  const missing = new Problem(404, 'There is no such finding. It may be closed already.')
  const close: Action = (operations, author) => operations.closeFinding({ findingId, author })
  return act(call, { action: 'close_finding', findingId }, close, missing)
}
