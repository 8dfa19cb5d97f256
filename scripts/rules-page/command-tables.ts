import { POLICY_RULES } from '../../lib/checks/policy/policy'
import type { PolicyParameters, PolicyRule } from '../../lib/checks/policy/rule'
import type { Command } from '../../lib/cli/command'
import { COMMANDS, usageOf } from '../../lib/cli/commands'
import { clausesInWords } from './clauses'

/** A section for each command: its purpose, its options and its notes. */
export function commandSections(): string {
  return Object.entries(COMMANDS)
    .map(([name, command]) => commandSection(name, command))
    .join('\n\n')
}

function commandSection(name: string, command: Command): string {
  const { summary, options, notes } = command
  const rows = Object.entries(options).map(
    ([option, { value, about }]) => `| \`--${option}${value === undefined ? '' : ` ${value}`}\` | ${about} |`,
  )
  const table = ['| Option | Effect |', '|---|---|', ...rows].join('\n')
  const sentence = `${summary[0]?.toUpperCase()}${summary.slice(1)}.`
  return [
    `## ${name}`,
    sentence,
    `\`\`\`text\n${usageOf(name, command)}\n\`\`\``,
    table,
    `\`\`\`text\n${notes}\n\`\`\``,
  ].join('\n\n')
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

const SEVERITIES: Readonly<Record<PolicyRule['severity'], string>> = {
  error: '`error`. If the configuration breaks this rule, the command `review` fails.',
  warning: '`warning`. If the configuration breaks this rule, the command `review` prints a warning.',
  off: '`off`. The command `review` skips this rule until your security policy switches it on.',
}

/** What the value of each parameter means. */
const PARAMETERS: Readonly<Record<keyof PolicyParameters, string>> = {
  maxSeconds: 'the longest time that this rule allows, in seconds',
  maxDays: 'the longest time that this rule allows, in days',
  most: 'the highest number that this rule allows',
  allowed: 'the list of values that this rule allows',
  within: 'the list of networks that must contain all networks of the client',
  mustBeKnown: 'whether an unknown age breaks the rule',
}

function policySection(rule: PolicyRule): string {
  const { id, title, why, fix, severity, parameters, clause } = rule
  const names = Object.keys(parameters) as (keyof PolicyParameters)[]
  return [
    `### ${id}`,
    '',
    `The rule demands: **${title}.**`,
    '',
    `- **You see:** the command \`review\` reports that ${placesOf(rule)} breaks this rule.`,
    `- **Cause:** ${why}`,
    `- **Fix:** ${fix}`,
    `- **Default severity:** ${SEVERITIES[severity]}`,
    ...names.map(
      (name) => `- **Parameter \`${name}\`:** ${PARAMETERS[name]}. ${defaultOf(parameters[name])}`,
    ),
    ...(clause === undefined ? [] : [`- **Source of this rule:** ${clausesInWords(clause)}.`]),
  ].join('\n')
}

function defaultOf(value: PolicyParameters[keyof PolicyParameters]): string {
  const values = Array.isArray(value) ? value : [value]
  const named = values.map((one) => `\`${one}\``).join(', ')
  return `The default is ${named === '' ? 'an empty list' : named}.`
}

/** A client has its own policy, or that of the deployment. */
function placesOf({ option }: PolicyRule): string {
  if (option === 'the file') return 'a line of the configuration file'
  if (option.startsWith('classes')) return `\`${option}\` in your security policy`
  const ofDeployment = option.replace('clients[].policy.', 'policy.')
  return `the option ${[...new Set([option, ofDeployment])].map((path) => `\`${path}\``).join(' or ')}`
}
