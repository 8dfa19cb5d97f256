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
  bound: '`bound`. The client has authenticated, or a request contained one of its keys or tokens.',
  unbound: '`unbound`. A stranger can cause this finding, so the server only reports it.',
}

/** Only the clients and addresses of others can be named by a stranger. */
function evidenceOf({ evidence, signal: { by } }: Rule): string {
  return by === 'deployment' ? '`unbound`. The finding names no client.' : EVIDENCE[evidence]
}

/** Calls and events in a step of a runbook, and the pages that it names. */
function withLinks(step: string): string {
  return step
    .replace('"A stolen signing key"', '["A stolen signing key"](key-rotation.md#a-stolen-signing-key)')
    .replace(
      /\b(?:revokeKey|revokeFamily|deleteClient|lockClient)\b/g,
      (name) => `[\`${name}\`](#calls-that-you-need)`,
    )
    .replace(
      /\b(?:key|client|request|registration)\.[a-z]+\b|\bfamily\.fate\b|\bkeyId\b/g,
      (name) => `\`${name}\``,
    )
}

const RESPONSES: Record<RuleResponse, string> = {
  report: '`report`: the server opens a finding, and does nothing more',
  throttle: '`throttle`: the server allows the client only one unused key at a time, for `lockSeconds`',
  stepUp:
    '`stepUp`: the server gives the client only keys that are bound to a DPoP key or a certificate, for `lockSeconds`',
  revokeKey: '`revokeKey`: the server revokes the key',
  revokeFamily: '`revokeFamily`: the server revokes everything that the key was redeemed for',
  lockClient: '`lockClient`: the server locks the client, for `lockSeconds`',
}

function sectionOf(rule: Rule): string {
  const { id, title, severity, techniques, falsePositives, runbook, responses } = rule
  return [
    `### ${id}`,
    '',
    `**${title}.**`,
    '',
    `- **Matching events:** ${signalOf(rule)}`,
    `- **Threshold:** ${thresholdOf(rule)}`,
    `- **Severity:** ${severity}`,
    `- **Evidence:** ${evidenceOf(rule)}`,
    `- **Response of the server:** ${responses.map((response) => RESPONSES[response]).join('; ')}.`,
    ...(techniques.length === 0 ? [] : [`- **Techniques:** ${techniques.map(techniqueLink).join(', ')}`]),
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
  return `${from}${why}.${condition === undefined ? '' : ` Condition: ${condition}.`}`
}

/** Only refusals have a reason. */
function ofRefusals(events: Rule['signal']['events']): string {
  return events.length === 1 ? ',' : '. `request.refused` counts only'
}

/** Where a single event, or several events, must come from. */
const SUBJECTS: Record<SubjectKind, readonly [single: string, several: string]> = {
  client: ['of a client', 'of one client'],
  address: ['from an address', 'from one address'],
  deployment: ['in the whole deployment', 'in the whole deployment'],
}

/** `3 matching events of one client within 10 minutes open a finding.`. */
function thresholdOf({ threshold: { count, seconds }, signal: { by } }: Rule): string {
  const [single, several] = SUBJECTS[by]
  if (count === 1) return `one matching event ${single} is enough to open a finding.`
  return `${count} matching events ${several} within ${duration(seconds)} open a finding.`
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
