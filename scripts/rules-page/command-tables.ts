import { POLICY_RULES } from '../../lib/checks/policy/policy'
import type { PolicyRule } from '../../lib/checks/policy/rule'
import type { Command } from '../../lib/cli/command'
import { COMMANDS, usageOf } from '../../lib/cli/commands'

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
  return ['| Group | Rule | What the rule demands | Severity |', '|---|---|---|---|', ...rows].join('\n')
}

/** A section for each rule of a security policy. */
export function policySections(): string {
  return POLICY_RULES.map(policySection).join('\n\n')
}

function policySection({ id, title, option, why, fix, severity, parameters, clause }: PolicyRule): string {
  const settings = Object.entries(parameters).map(
    ([name, value]) => `\`${name}\` (default \`${JSON.stringify(value)}\`)`,
  )
  return [
    `### ${id}`,
    '',
    `**${title[0]?.toUpperCase()}${title.slice(1)}.**`,
    '',
    `- **You see:** a deviation ${placesOf(option)}.`,
    `- **Cause:** ${why}`,
    `- **Fix:** ${fix}`,
    `- **Severity:** ${severity}.${settings.length > 0 ? ` **Parameters:** ${settings.join(', ')}.` : ''}`,
    ...(clause === undefined ? [] : [`- **Clause:** ${clause}.`]),
  ].join('\n')
}

/** A client has its own policy, or that of the deployment. */
function placesOf(option: string): string {
  if (option === 'the file') return 'in the configuration file'
  const ofDeployment = option.replace('clients[].policy.', 'policy.')
  return `at the option ${[...new Set([option, ofDeployment])].map((path) => `\`${path}\``).join(' or ')}`
}
