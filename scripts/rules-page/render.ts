import type { Rule, SubjectKind } from '../../lib/monitoring/rules/rule'
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

/** A step of a runbook, with links and code marks. */
function withLinks(step: string): string {
  return step
    .replace(
      '"A stolen signing key" in docs/operations/key-rotation.md',
      '["A stolen signing key"](key-rotation.md#a-stolen-signing-key) in docs/operations/key-rotation.md',
    )
    .replace(/emergency routes?(?: \(docs\/operations\/emergency\.md\))?/, '[$&](emergency.md)')
    .replace(
      '"When you get the event"',
      '["When you get the event"](../guides/leaked-keys.md#when-you-get-the-event)',
    )
    .replace(
      'delete its saved state',
      '[delete its saved state](../guides/unattended-provisioning.md#enroll-a-device-again)',
    )
    .replace('use DPoP', 'use [DPoP](../concepts/possession.md)')
    .replace(
      /\b(?:revokeKey|revokeFamily|revokeAllIssuedBefore|deleteClient|lockClient)\b/g,
      (name) => `[\`${name}\`](#calls-that-you-need)`,
    )
    .replace(
      /\b(?:(?:key|client|request|registration)\.[a-z]+|family\.fate|keyId|[a-z]+_[a-z_]+|outstandingKeys|lifetimeSeconds|flagged|unreached|(?<=member )(?:detail|actions))\b/g,
      (name) => `\`${name}\``,
    )
}

/** What to do comes first: the reader has just got a finding. */
function sectionOf(rule: Rule): string {
  const { id, title, severity, evidence, techniques, falsePositives, runbook, responses } = rule
  return [
    `### ${id}`,
    '',
    `**${title}.** Severity: ${severity}. Evidence: \`${evidence}\`. Response: ${codes(responses)}.`,
    '',
    'What to do:',
    '',
    ...runbook.map((step, i) => `${i + 1}. ${withLinks(step)}`),
    '',
    `- **Events:** ${signalOf(rule)}`,
    `- **Threshold:** ${thresholdOf(rule)}`,
    `- **Harmless cause:** ${falsePositives}`,
    ...(techniques.length === 0
      ? []
      : [`- **Attack techniques of MITRE ATT&CK:** ${techniques.map(techniqueLink).join(', ')}`]),
  ].join('\n')
}

function signalOf({ signal: { events, reasons, condition } }: Rule): string {
  const from = codes(events)
  const why =
    reasons === undefined ? '' : `${ofRefusals(events)} if the \`reason\` is ${codes(reasons, 'or')}`
  return `${from}${why}.${condition === undefined ? '' : ` Condition: ${condition}.`}`
}

/** Only refusals have a reason. */
function ofRefusals(events: Rule['signal']['events']): string {
  return events.length === 1 ? ',' : '. `request.refused` counts only'
}

/** What a finding is about, and what several events have in common. */
const SUBJECTS: Record<SubjectKind, readonly [finding: string, events: string]> = {
  client: ['a client', ' of the same client'],
  address: ['an address', ' from the same address'],
  deployment: ['the whole deployment (all your processes)', ''],
}

/** `3 matching events of the same client within an hour.`. */
function thresholdOf({ threshold: { count, seconds }, signal: { by } }: Rule): string {
  const [finding, events] = SUBJECTS[by]
  if (count === 1) return `one event is enough. The finding is about ${finding}.`
  return `${count} matching events${events} within ${duration(seconds)}.`
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
