import type { Rule, RuleResponse, SubjectKind } from '../../lib/monitoring/rules/rule'
import { RULES } from '../../lib/monitoring/rules/rules'

const rules = Object.values(RULES)

/** The table of all rules in docs/operations/rules.md. */
export function ruleTable(): string {
  const rows = rules.map(
    ({ id, title, severity, evidence, kind, responses }) =>
      `| [\`${id}\`](#${id}) | ${title} | ${severity} | ${kind === 'statistical' ? 'statistical, ' : ''}\`${evidence}\` | ${codes(responses)} |`,
  )
  return ['| Rule | Meaning | Severity | Evidence | Response |', '|---|---|---|---|---|', ...rows].join('\n')
}

/** A section for each rule: those of one kind under one heading. */
export function ruleSections(kind: Rule['kind']): string {
  return rules
    .filter((rule) => rule.kind === kind)
    .map(sectionOf)
    .join('\n\n')
}

const EVIDENCE: Record<Rule['evidence'], string> = {
  bound:
    '`bound`. The client in the finding has authenticated, or a request contained a genuine key or token of this client.',
  unbound: '`unbound`. A stranger can cause this finding, so the server only reports it.',
}

/** Only the clients and addresses of others can be named by a stranger. */
function evidenceOf({ evidence, signal: { by } }: Rule): string {
  return by === 'deployment' ? '`unbound`. The finding names no client.' : EVIDENCE[evidence]
}

/** A step of a runbook, with links and code marks. */
function withLinks(step: string): string {
  return step
    .replace('"A stolen signing key"', '["A stolen signing key"](key-rotation.md#a-stolen-signing-key)')
    .replace(
      /\b(?:revokeKey|revokeFamily|deleteClient|lockClient)\b/g,
      (name) => `[\`${name}\`](#calls-that-you-need)`,
    )
    .replace(
      /\b(?:(?:key|client|request|registration)\.[a-z]+|family\.fate|keyId|[a-z]+_[a-z_]+|outstandingKeys|lifetimeSeconds|flagged|unreached|(?<=member )(?:detail|actions))\b/g,
      (name) => `\`${name}\``,
    )
}

const RESPONSES: Record<RuleResponse, string> = {
  report: 'it opens a finding, and does nothing more (`report`)',
  throttle:
    'it opens a finding, and allows the client only one unused key at a time, for `lockSeconds` (`throttle`)',
  stepUp:
    'it opens a finding. For `lockSeconds`, it gives the client only keys that are bound to a DPoP key or a certificate (`stepUp`)',
  revokeKey: 'it opens a finding, and revokes the key (`revokeKey`)',
  revokeFamily: 'it opens a finding, and revokes everything that the key was redeemed for (`revokeFamily`)',
  lockClient: 'it opens a finding, and locks the client for `lockSeconds` (`lockClient`)',
}

function sectionOf(rule: Rule): string {
  const { id, title, severity, techniques, falsePositives, runbook, responses } = rule
  return [
    `### ${id}`,
    '',
    `**${title}.**`,
    '',
    `- **Events that this rule counts:** ${signalOf(rule)}`,
    `- **Threshold:** ${thresholdOf(rule)}`,
    `- **Severity:** ${severity}`,
    `- **Evidence:** ${evidenceOf(rule)}`,
    `- **What the server does:** ${responses.map((response) => RESPONSES[response]).join('; ')}.`,
    ...(techniques.length === 0
      ? []
      : [`- **Techniques in MITRE ATT&CK:** ${techniques.map(techniqueLink).join(', ')}`]),
    `- **Harmless events that look like this:** ${falsePositives}`,
    '',
    'What to do:',
    '',
    ...runbook.map((step, i) => `${i + 1}. ${withLinks(step)}`),
  ].join('\n')
}

function signalOf({ signal: { events, reasons, condition } }: Rule): string {
  const from = `the ${events.length === 1 ? 'event' : 'events'} ${codes(events)}`
  const why =
    reasons === undefined ? '' : `${ofRefusals(events)} if the \`reason\` is ${codes(reasons, 'or')}`
  return `${from}${why}.${condition === undefined ? '' : ` The rule also has this condition: ${condition}.`}`
}

/** Only refusals have a reason. */
function ofRefusals(events: Rule['signal']['events']): string {
  return events.length === 1 ? ',' : '. `request.refused` counts only'
}

/** What a finding is about, and what several events have in common. */
const SUBJECTS: Record<SubjectKind, readonly [finding: string, events: string]> = {
  client: ['a client', ' of the same client'],
  address: ['an address', ' from the same address'],
  deployment: ['the whole deployment', ''],
}

/** `the server opens a finding about a client after 3 of these events of the same client within an hour.`. */
function thresholdOf({ threshold: { count, seconds }, signal: { by } }: Rule): string {
  const [finding, events] = SUBJECTS[by]
  const opens = `the server opens a finding about ${finding} after`
  if (count === 1) return `one event is enough: ${opens} the first event.`
  return `${opens} ${count} of these events${events} within ${duration(seconds)}.`
}

function duration(seconds: number): string {
  if (seconds === 3_600) return 'an hour'
  if (seconds === 60) return 'a minute'
  return seconds % 60 === 0 ? `${seconds / 60} minutes` : `${seconds} seconds`
}

function techniqueLink(technique: string): string {
  return `[${technique}](https://attack.mitre.org/techniques/${technique.replace('.', '/')}/)`
}

function codes(names: readonly string[], conjunction = 'and'): string {
  const quoted = names.map((name) => `\`${name}\``)
  const last = quoted.pop() ?? ''
  return quoted.length === 0 ? last : `${quoted.join(', ')} ${conjunction} ${last}`
}
