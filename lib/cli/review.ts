import { readFileSync } from 'node:fs'
import { relative, resolve, sep } from 'node:path'
import { ConfigurationError } from '../base/errors.js'
import { type Check, type Finding, failed, PASSED, skipped, warning } from '../checks/check.js'
import {
  type Deviation,
  deviationsOf,
  distinct,
  isOff,
  reviewDescription,
} from '../checks/policy/deviations.js'
import { POLICY_RULES, parsePolicy, type SecurityPolicy } from '../checks/policy/policy.js'
import type { PolicyRule, Reviewed } from '../checks/policy/rule.js'
import { sarifLog } from '../checks/policy/sarif.js'
import { type Given, type OptionTable, readSeconds, UsageError } from './arguments.js'
import { CHECK_NOTES, CHECK_OPTIONS, runCheckCommand } from './checking.js'
import type { Command } from './command.js'
import { loadConfiguration } from './configuration.js'
import { readJson } from './deployment-documents.js'
import { packagePage, packageVersion } from './package.js'
import { requireReportFile, writeReport } from './report-file.js'

const OPTIONS: OptionTable = {
  policy: { value: 'FILE', about: 'The security policy (JSON). Default: default rules' },
  sarif: { value: 'FILE', about: 'Also write all deviations to FILE as SARIF 2.1.0' },
  timeout: { value: 'SECONDS', about: 'Stop if MODULE takes longer to load. Default: 20' },
  ...CHECK_OPTIONS,
}

const NOTES = `MODULE is the file of your app that exports the result of provisioningKeys() as
keys or as default. The command loads MODULE in a new process with the same
environment, and ends this process as soon as MODULE is loaded. For a TypeScript
file, Node 20 needs tsx in the project. The command prints no secret of the
configuration.

A security policy is a JSON file with rules by their ids. The outputs of --json,
--sarif and --junit are for programs. In a test of your own, use reviewPolicy()
of express-provisioning-keys/review.

${CHECK_NOTES}`

/** What the rules look at, and the policy that sets them. */
interface ReviewContext {
  readonly reviewed: Reviewed
  readonly policy: SecurityPolicy
}

/** Compares a configuration with a security policy. */
export const REVIEW: Command = {
  operand: 'MODULE',
  options: OPTIONS,
  notes: NOTES,
  async run({ options, operand: module = '' }, surroundings) {
    const policy = readPolicy(options.policy)
    const timeoutSeconds = readSeconds('timeout', options.timeout ?? '20', 999)
    await requireReportFile('sarif', { options, operand: module })
    const description = await loadConfiguration(module, { timeoutSeconds, signal: surroundings.signal })
    const context = {
      reviewed: { description, source: readFileSync(resolve(module), 'utf8'), now: Date.now() },
      policy,
    }
    if (options.sarif !== undefined) await writeSarif(options.sarif, module, { options, context })
    const plan = { checks: CHECKS, subject: module, context }
    // The page has a section for each rule.
    const help = packagePage('reference/policy-rules.md')
    return runCheckCommand<ReviewContext>(plan, { options, operand: module, surroundings, help })
  },
}

const CHECKS: readonly Check<ReviewContext>[] = POLICY_RULES.map((rule) => ({
  ...infoOf(rule),
  run({ reviewed, policy }) {
    if (isOff(rule, policy)) return skipped('the policy does not use this rule')
    const why = rule.notFor?.(reviewed.description)
    return why === undefined ? findingOf(deviationsOf(rule, reviewed, policy)) : skipped(why)
  },
}))

function infoOf({ id, group, title, clause, fix }: PolicyRule) {
  return { id, group, title, fix, ...(clause !== undefined && { clause }) }
}

const MOST_SHOWN = 5

function findingOf(deviations: readonly Deviation[]): Finding {
  const [first] = deviations
  if (first === undefined) return PASSED
  const all = distinct(deviations.map(({ path, actual }) => `${path}: ${actual}`))
  const shown = all.slice(0, MOST_SHOWN)
  const others = all.length - shown.length
  const actual = [...shown, ...(others > 0 ? [`and ${others} more`] : [])].join('; ')
  const facts = { actual, expected: first.expected, details: deviations }
  return deviations.some(({ severity }) => severity === 'error') ? failed(facts) : warning(facts)
}

function readPolicy(file: string | undefined): SecurityPolicy {
  if (file === undefined) return {}
  const document = readJson('--policy', file)
  try {
    return parsePolicy(document)
  } catch (error) {
    if (error instanceof ConfigurationError) throw new UsageError(`${file}: ${error.faults.join('; ')}`)
    throw error
  }
}

async function writeSarif(
  file: string,
  module: string,
  { options, context }: { readonly options: Given['options']; readonly context: ReviewContext },
): Promise<void> {
  const deviations = reviewDescription(context.reviewed, context.policy)
  const facts = {
    version: packageVersion(),
    file: relative('.', resolve(module)).split(sep).join('/'),
    help: options['help-page'],
  }
  await writeReport(file, sarifLog(deviations, facts))
}
