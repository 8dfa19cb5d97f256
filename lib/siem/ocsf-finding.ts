import { isIP } from 'node:net'
import { partiesOf } from '../monitoring/detector.js'
import type { Rule } from '../monitoring/rules/rule.js'
import { RULES } from '../monitoring/rules/rules.js'
import type { Severity } from '../ports/events.js'
import { type EventMembers, present } from './event-members.js'

const RISKS: Record<Severity, { readonly id: number; readonly name: string }> = {
  info: { id: 0, name: 'Info' },
  notice: { id: 1, name: 'Low' },
  warning: { id: 2, name: 'Medium' },
  high: { id: 3, name: 'High' },
}

const ANALYTIC_RULE = 1
const ANALYTIC_STATISTICAL = 3

/** The rule of a finding. Another process may run a newer version, with rules that this one does not know. */
export function ruleOf(id: string | undefined): Rule | undefined {
  return Object.hasOwn(RULES, String(id)) ? RULES[id as keyof typeof RULES] : undefined
}

/** The attributes of a Detection Finding. */
export function findingAttributes(
  members: EventMembers,
  { type, severity }: { readonly type: string; readonly severity: Severity },
): Record<string, unknown> {
  const id = members.text('rule')
  const rule = ruleOf(id)
  const isClosed = type === 'finding.closed'
  const isAlert = type === 'finding.opened'
  const parties = partiesOf(members.text('subject'))
  const count = members.number('count')
  return {
    start_time: members.milliseconds('firstAt'),
    end_time: members.milliseconds('lastAt'),
    count,
    finding_info: findingInfo(members, { id, rule, count }),
    evidences: evidencesOf(members.texts('samples'), parties),
    resources: parties.clientId === undefined ? undefined : [{ uid: parties.clientId, type: 'OAuth Client' }],
    is_alert: isAlert,
    status_id: isClosed ? 4 : 1,
    status: isClosed ? 'Resolved' : 'New',
    ...confidenceOf(rule),
    ...(isClosed ? {} : { risk_level_id: RISKS[severity].id, risk_level: RISKS[severity].name }),
    remediation: rule && { desc: rule.runbook.map((step, i) => `${i + 1}. ${step}`).join('\n') },
  }
}

/** Bound evidence is certain. Anybody can cause unbound evidence, and a statistic may be wrong. */
function confidenceOf(rule: Rule | undefined) {
  if (rule === undefined) return {}
  if (rule.kind === 'statistical') return { confidence_id: 1, confidence: 'Low' }
  return rule.evidence === 'bound'
    ? { confidence_id: 3, confidence: 'High' }
    : { confidence_id: 2, confidence: 'Medium' }
}

function findingInfo(
  members: EventMembers,
  { id, rule, count }: { id: string | undefined; rule: Rule | undefined; count: number | undefined },
) {
  return present({
    uid: members.text('findingId'),
    title: rule?.title ?? id,
    desc: rule && `Harmless events that look like this: ${rule.falsePositives}`,
    analytic: id === undefined ? undefined : analyticOf(id, rule),
    attacks: rule && rule.techniques.length > 0 ? rule.techniques.map(attackOf) : undefined,
    related_events_count: count,
  })
}

function analyticOf(id: string, rule: Rule | undefined) {
  const isStatistical = rule?.kind === 'statistical'
  return present({
    uid: id,
    name: rule?.title ?? id,
    type_id: isStatistical ? ANALYTIC_STATISTICAL : ANALYTIC_RULE,
    type: isStatistical ? 'Statistical' : 'Rule',
    version: rule && String(rule.version),
  })
}

/** A technique such as T1528, or a sub-technique such as T1550.001. */
function attackOf(technique: string) {
  const [parent, sub] = technique.split('.')
  return present({
    technique: { uid: parent, src_url: techniqueUrl(String(parent)) },
    sub_technique: sub === undefined ? undefined : { uid: technique, src_url: techniqueUrl(technique) },
  })
}

/** The page of a technique of MITRE ATT&CK. */
export function techniqueUrl(technique: string): string {
  return `https://attack.mitre.org/techniques/${technique.replace('.', '/')}/`
}

function evidencesOf(samples: readonly string[], { clientId, address }: ReturnType<typeof partiesOf>) {
  const who = present({
    user: clientId === undefined ? undefined : { uid: clientId, type_id: 4 },
    // A finding can be about an IPv6 network, which has no place in `ip`.
    src_endpoint: present(isIP(String(address)) === 0 ? { name: address } : { ip: address }),
  })
  const evidences = [...(who === undefined ? [] : [who]), ...samples.map((sample) => ({ data: { sample } }))]
  return evidences.length === 0 ? undefined : evidences
}
