import type { RuleId } from '../lib/index.js'
import { RULES } from '../lib/monitoring/rules/rules.js'
import { CAUSES, NOISY } from './causes'
import type { AttackResult, AttacksResult, LifeResult } from './run'

/** The most false findings of a rule for 1,000 clients and a week. Only noisy rules may have more. */
const MOST_FALSE = 1

/** What one rule has found. */
export interface RuleResult {
  readonly rule: RuleId
  readonly attacks: readonly AttackResult[]
  /** Findings in normal life, for 1,000 clients and a week. `undefined` if normal life was not simulated. */
  readonly falseFindings: number | undefined
}

export function resultsOf(
  rules: readonly RuleId[],
  results: readonly (LifeResult | AttacksResult)[],
): RuleResult[] {
  const lives = results.filter((result) => result.kind === 'life')
  const attacks = results.flatMap((result) => (result.kind === 'attacks' ? result.attacks : []))
  const thousands = lives.reduce((sum, { clients }) => sum + clients / 1_000, 0)
  const findings = lives.flatMap((life) => life.findings)
  return rules.map((rule) => ({
    rule,
    attacks: attacks.filter((attack) => attack.rule === rule),
    falseFindings:
      lives.length === 0 ? undefined : findings.filter((finding) => finding.rule === rule).length / thousands,
  }))
}

/** Why the results are not good enough. Empty if they are. */
export function failuresOf(results: readonly RuleResult[]): string[] {
  const missed = results.flatMap(({ rule, attacks }) =>
    attacks
      .filter(({ isFound }) => !isFound)
      .map(({ title }) => `${rule} does not find this attack: ${title}`),
  )
  const noisy = results
    .filter(({ rule, falseFindings = 0 }) => falseFindings > MOST_FALSE && !NOISY.has(rule))
    .map(
      ({ rule, falseFindings = 0 }) =>
        `${rule} has ${falseFindings.toFixed(1)} false findings for 1,000 clients and a week`,
    )
  return [...missed, ...noisy]
}

/** The results as a table in Markdown. */
export function table(results: readonly RuleResult[]): string {
  const rows = results.map(({ rule, attacks, falseFindings }) => {
    const found = `${attacks.filter(({ isFound }) => isFound).length} of ${attacks.length}`
    const cause = (falseFindings ?? 0) > 0 ? (CAUSES[rule] ?? '') : ''
    return `| \`${rule}\` | ${RULES[rule].kind} | ${found} | ${numberOf(falseFindings)} | ${cause} |`
  })
  return [
    '| Rule | Kind | Attacks found | False findings | Cause of the false findings |',
    '|---|---|---|---|---|',
    ...rows,
  ].join('\n')
}

function numberOf(falseFindings: number | undefined): string {
  if (falseFindings === undefined) return '-'
  const text = falseFindings === 0 ? '0' : falseFindings.toFixed(1)
  return falseFindings > MOST_FALSE ? `**${text}**` : text
}
