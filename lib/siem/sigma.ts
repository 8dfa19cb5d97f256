import { SCOPE } from '../monitoring/meters.js'
import type { Rule, RuleId, Signal } from '../monitoring/rules/rule.js'
import { RULES } from '../monitoring/rules/rules.js'
import type { Severity } from '../ports/events.js'
import { techniqueUrl } from './ocsf-finding.js'
import { sigmaIdOf } from './sigma-id.js'
import { type YamlValue, yamlOf } from './yaml.js'

/**
 * A file with one Sigma rule. If the rule counts events, the file has two documents: the events, and a correlation that
 * counts them.
 *
 * @example
 * const entry = ({ fileName, yaml }: SigmaRule): [string, string] => [fileName, yaml]
 * const files = Object.fromEntries(sigmaRules().map(entry))
 */
export interface SigmaRule {
  /** Such as `provisioning_keys_replayed_key.yml`. */
  readonly fileName: string
  readonly yaml: string
}

const LEVELS: Record<Severity, string> = {
  info: 'informational',
  notice: 'low',
  warning: 'medium',
  high: 'high',
}

/** The member of the event that names the subject of a finding. */
const GROUPS = { client: 'clientId', address: 'address' } as const

type Selection = Readonly<Record<string, YamlValue>>

/** The condition of a rule in the language of Sigma: any of the selections, each besides the events and reasons. */
const CONDITIONS: { readonly [id in RuleId]?: readonly Selection[] } = {
  network_changed: [{ agentChanged: true, 'subject|fieldref': 'clientId' }],
  many_networks: [{ 'networkCount|gte': 3 }],
  spoofed_proxy: [{ isForwardedByStranger: true }, { reason: 'certificate_header_malformed' }],
}

/**
 * The rules of the library as Sigma rules (specification 2.0): one file for each rule, for the log source
 * `product: express-provisioning-keys`. The log must have one JSON object for each event, as
 * `keys.on('*', (event) => log(event))` writes it. The rules name the members of events. Their thresholds are the
 * defaults of the library.
 *
 * A Sigma rule has no memory, and does not know your canaries. So the rules that need one of these match the event
 * `finding.opened` of the library instead.
 *
 * @returns the files, in the order of the documentation
 *
 * @example
 * for (const { fileName, yaml } of sigmaRules()) await appendFile(`sigma/${fileName}`, yaml)
 */
export function sigmaRules(): readonly SigmaRule[] {
  return Object.values(RULES).map((rule) => ({
    fileName: `provisioning_keys_${rule.id}.yml`,
    yaml: documentsOf(rule).map(yamlOf).join('---\n'),
  }))
}

function documentsOf(rule: Rule): readonly { readonly [key: string]: YamlValue | undefined }[] {
  if (!canBeExpressed(rule)) return [singleRule(rule, [{ code: `finding.opened:${rule.id}` }])]
  const { id, signal, threshold } = rule
  const conditions = CONDITIONS[id] ?? [{}]
  const selections = eventsOf(signal).flatMap((events) =>
    conditions.map((condition) => ({ ...events, ...condition })),
  )
  if (threshold.count === 1 || signal.by === 'deployment') return [singleRule(rule, selections)]
  return countedRule(rule, selections, GROUPS[signal.by])
}

/** Only refusals have a reason. So a rule that also watches other events needs a selection for each of both. */
function eventsOf({ events, reasons }: Signal): readonly Selection[] {
  if (reasons === undefined) return [{ type: listOrOne(events) }]
  const others = events.filter((type) => type !== 'request.refused')
  const refusals = { type: 'request.refused', reason: listOrOne(reasons) }
  return others.length === 0 ? [refusals] : [{ type: listOrOne(others) }, refusals]
}

/** Whether a log query finds the same: without memory, and with all conditions in the event. */
function canBeExpressed({ id, watch, where }: Rule): boolean {
  return watch === undefined && (where === undefined || CONDITIONS[id] !== undefined)
}

function singleRule(rule: Rule, selections: readonly Selection[]) {
  return { ...headOf(rule), ...detectionOf(selections), fields: FIELDS, ...tailOf(rule), tags: tagsOf(rule) }
}

const FIELDS = ['at', 'code', 'clientId', 'keyId', 'address', 'userAgent']

function countedRule(rule: Rule, selections: readonly Selection[], group: string) {
  const { count, seconds } = rule.threshold
  const name = `provisioning_keys_${rule.id}_event`
  const event = {
    title: `${rule.title} (one event)`,
    id: sigmaIdOf(rule, 'event'),
    name,
    status: 'test',
    description: 'One of the events that the correlation in this file counts. It is no alert of its own.',
    author: SCOPE.name,
    ...detectionOf(selections),
    fields: FIELDS,
    level: 'informational',
  }
  const correlation = {
    type: 'event_count',
    rules: [name],
    'group-by': [group],
    timespan: timespanOf(seconds),
    condition: { gte: count },
  }
  return [event, { ...headOf(rule), correlation, ...tailOf(rule), tags: tagsOf(rule) }]
}

function headOf(rule: Rule) {
  return {
    title: rule.title,
    id: sigmaIdOf(rule),
    status: rule.kind === 'statistical' ? 'experimental' : 'test',
    description: descriptionOf(rule),
    references: rule.techniques.length === 0 ? undefined : rule.techniques.map(techniqueUrl),
    author: SCOPE.name,
  }
}

function descriptionOf(rule: Rule): string {
  const source = canBeExpressed(rule)
    ? []
    : ['It matches the finding of the library, which decides the condition.']
  const condition = rule.signal.condition === undefined ? [] : [`Condition: ${rule.signal.condition}.`]
  const steps = rule.runbook.map((step, i) => `${i + 1}. ${step}`)
  return [`${rule.title}.`, ...condition, ...source, 'What to do:', ...steps].join('\n')
}

function detectionOf(selections: readonly Selection[]) {
  const [first, ...others] = selections
  const named =
    others.length === 0
      ? { selection: first ?? {} }
      : Object.fromEntries(selections.map((one, i) => [`selection_${i + 1}`, one]))
  const condition = others.length === 0 ? 'selection' : '1 of selection_*'
  return { logsource: { product: SCOPE.name }, detection: { ...named, condition } }
}

function tailOf({ falsePositives, severity }: Rule) {
  return { falsepositives: [falsePositives], level: LEVELS[severity] }
}

function tagsOf({ techniques }: Rule): readonly string[] | undefined {
  return techniques.length === 0
    ? undefined
    : techniques.map((technique) => `attack.${technique.toLowerCase()}`)
}

function listOrOne(values: readonly string[]): YamlValue {
  return values.length === 1 ? String(values[0]) : values
}

/** Sigma knows one unit at a time: `90s`, `10m`, `1h`. */
function timespanOf(seconds: number): string {
  if (seconds % 3_600 === 0) return `${seconds / 3_600}h`
  return seconds % 60 === 0 ? `${seconds / 60}m` : `${seconds}s`
}
