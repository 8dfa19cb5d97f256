import { POLICY_RULES } from '../../lib/checks/policy/policy'
import type { PolicyParameters, PolicyRule } from '../../lib/checks/policy/rule'
import type { OptionTable } from '../../lib/cli/arguments'
import { CHECK_NOTES, CHECK_OPTIONS } from '../../lib/cli/checking'
import type { Command } from '../../lib/cli/command'
import { COMMANDS, usageOf } from '../../lib/cli/commands'
import { clausesInWords } from './clauses'

/** A section for each command (its purpose, its options and its notes), and one for the options of all checks. */
export async function commandSections(): Promise<string> {
  const entries = Object.entries(COMMANDS)
  const sections = await Promise.all(
    entries.map(async ([name, { summary, load }]) => commandSection(name, summary, await load())),
  )
  return [...sections, checkSection()].join('\n\n')
}

/** What all commands that run checks have in common. */
function checkSection(): string {
  return [
    '## Options of all checks',
    'The commands `check`, `check-client`, `explain` and `review` have these options:',
    optionTable(CHECK_OPTIONS),
    `\`\`\`text\n${CHECK_NOTES}\n\`\`\``,
  ].join('\n\n')
}

function commandSection(name: string, summary: string, command: Command): string {
  const { options, notes } = command
  const sentence = `${summary[0]?.toUpperCase()}${summary.slice(1)}.`
  const own = Object.entries(options).filter(([option]) => CHECK_OPTIONS[option] === undefined)
  const isCheck = own.length < Object.keys(options).length
  return [
    `## ${name}`,
    sentence,
    `\`\`\`text\n${usageOf(name, command)}\n\`\`\``,
    optionTable(Object.fromEntries(own)),
    ...(isCheck ? ['For more options, see [Options of all checks](#options-of-all-checks).'] : []),
    `\`\`\`text\n${notes.replace(CHECK_NOTES, '').trimEnd()}\n\`\`\``,
  ].join('\n\n')
}

function optionTable(options: OptionTable): string {
  const rows = Object.entries(options).map(
    ([option, { value, about }]) => `| \`--${option}${value === undefined ? '' : ` ${value}`}\` | ${about} |`,
  )
  return ['| Option | Effect |', '|---|---|', ...rows].join('\n')
}

/** All rules of a security policy, in one table. */
export function policyTable(): string {
  const rows = POLICY_RULES.map(
    ({ id, title, severity, group }) => `| ${group} | [${id}](#${id}) | ${title} | ${severity} |`,
  )
  return ['| Group | Rule | What the rule demands | Default severity |', '|---|---|---|---|', ...rows].join(
    '\n',
  )
}

/** A section for each rule of a security policy. */
export function policySections(): string {
  return POLICY_RULES.map(policySection).join('\n\n')
}

/** What each parameter means. Rules give the same parameter different meanings. */
const MEANINGS: Readonly<Record<string, string>> = {
  'signing-algorithm allowed': 'the allowed algorithms',
  'signing-key-age maxDays': 'the highest allowed age, in days',
  'signing-key-age mustBeKnown': 'whether a signing key of unknown age breaks the rule',
  'secret-expiry maxDays': 'the number of days within which the secret must expire',
  'clock-tolerance maxSeconds': 'the highest allowed value',
  'key-lifetime maxSeconds': 'the longest allowed lifetime, in seconds',
  'access-token-lifetime maxSeconds': 'the longest allowed lifetime, in seconds',
  'least-scope most': 'the highest allowed number of scopes',
  'allowed-scopes allowed': 'the scopes that a client may have. An empty list allows no scope',
  'single-audience most': 'the highest allowed number of audiences',
  'proof-age maxSeconds': 'the highest allowed value',
  'sender-constraint allowed': 'the allowed values',
  'client-authentication allowed': 'the methods with which clients may authenticate',
  'networks within':
    'networks such as `10.0.0.0/8`. Each entry of the option `networks` must be inside one of these networks. An empty list allows all entries',
  'rate-limits most': 'the highest allowed number of requests a minute at an endpoint',
  'outstanding-keys most': 'the highest allowed number of unused keys',
  'store-hazards allowed': 'the hazards that the option `accept` may contain',
  'detection allowed': 'the ids of monitoring rules that may be off',
}

function policySection(rule: PolicyRule): string {
  const { id, why, fix, parameters = {}, clause } = rule
  const names = Object.keys(parameters) as (keyof PolicyParameters)[]
  return [
    `### ${id}`,
    '',
    `- ${placesOf(rule)}`,
    `- **Cause:** ${why}`,
    `- **Fix:** ${fix}`,
    ...names.map(
      (name) => `- **Parameter \`${name}\`:** ${meaningOf(id, name)}. ${defaultOf(parameters[name])}`,
    ),
    ...(clause === undefined ? [] : [`- **Source:** ${clausesInWords(clause)}.`]),
  ].join('\n')
}

function meaningOf(id: string, name: string): string {
  const meaning = MEANINGS[`${id} ${name}`]
  if (meaning === undefined) throw new Error(`say what the parameter ${name} of ${id} means`)
  return meaning
}

function defaultOf(value: PolicyParameters[keyof PolicyParameters]): string {
  const values = Array.isArray(value) ? value : [value]
  const named = values.map((one) => `\`${one}\``).join(', ')
  return `Default: ${named === '' ? 'an empty list' : named}.`
}

/** A client has its own policy, or that of the deployment. */
function placesOf({ option }: PolicyRule): string {
  if (option === 'the file') return '**Place:** the line of the configuration file that the report names.'
  if (option.startsWith('classes')) return `**Place:** \`${option}\` in your security policy.`
  const ofDeployment = option.replace('clients[].policy.', 'policy.')
  return `**Option:** ${[...new Set([option, ofDeployment])].map((path) => `\`${path}\``).join(' or ')}.`
}
