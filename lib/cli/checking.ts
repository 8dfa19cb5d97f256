import type { Check, CheckInfo, CheckResult } from '../checks/check.js'
import { jsonReport, junitReport } from '../checks/report/documents.js'
import { TerminalReport } from '../checks/report/terminal.js'
import { runChecks } from '../checks/run-checks.js'
import { idsOf, selectChecks } from '../checks/selection.js'
import { verdictOf } from '../checks/verdict.js'
import { type Given, type OptionTable, readFileOf, UsageError } from './arguments.js'
import type { Ending, Surroundings } from './command.js'
import { packagePage } from './package.js'
import { requireReportFile, writeReport } from './report-file.js'

/** The options of all commands that run checks. */
export const CHECK_OPTIONS: OptionTable = {
  only: { value: 'NAMES', about: 'Run only these checks or groups, separated by commas' },
  skip: { value: 'NAMES', about: 'Skip these checks or groups' },
  'expected-failures': { value: 'FILE', about: 'Ids of checks that are known to fail, one per line' },
  'max-warnings': { value: 'NUMBER', about: 'Fail if there are more than NUMBER warnings' },
  'max-skipped': { value: 'NUMBER', about: 'Fail if more than NUMBER checks are skipped' },
  json: { about: 'Print the results as JSON' },
  junit: { value: 'FILE', about: 'Also write the results to FILE as JUnit XML' },
  'help-page': { value: 'URL', about: 'The page to name in place of the one in the package' },
}

/** The explanation of the exit codes, for the help of a command. */
export const CHECK_NOTES = `The marks: √ passed, ‼ warning, × failed, - skipped.

Exit codes: 0 passed; 1 a check failed, or a check of --expected-failures
passed; 2 wrong usage, or no check ran; 75 a report cannot be written.`

/** Checks to run, and what they work with. */
export interface CheckPlan<Context> {
  readonly checks: readonly Check<Context>[]
  /** What is tested, such as the URL of an issuer. */
  readonly subject: string
  readonly context: Context
  /** Cleans up after the checks, even after an interruption. Returns a note for people. */
  readonly cleanUp?: () => Promise<string | undefined>
  /** How many checks run at a time. Default: 1. */
  readonly concurrency?: number
}

/** The arguments of a command that runs checks. */
export interface CheckRequest {
  readonly options: Given['options']
  /** The file that is checked, if it is one. */
  readonly operand?: string
  readonly surroundings: Surroundings
  /** The page that explains the checks of this command, unless the user names another one. */
  readonly help?: string
}

/**
 * Runs checks, and reports them as the options say.
 *
 * @throws UsageError
 * @throws OutputError
 */
export async function runCheckCommand<Context>(
  { checks, subject, context, concurrency = 1, cleanUp }: CheckPlan<Context>,
  { options, operand = '', surroundings, help = packagePage('reference/checks.md') }: CheckRequest,
): Promise<Ending> {
  const settings = readSettings(options, checks)
  await requireReportFile('junit', { options, operand })
  const { print, screen, signal, report } = surroundings
  const links = { help: options['help-page'] ?? help, expectedFailures: settings.expectedFailures }
  const terminal = new TerminalReport({ screen, ...links })
  let printed = Promise.resolve()
  const say = (text: string) => {
    if (!settings.isJson) printed = printed.then(() => print(report.redact(text)))
    // The end of this command throws its error.
    printed.catch(() => undefined)
  }
  const plan = { context, concurrency, signal, selection: settings.selection }
  const onResult = (result: CheckResult) => say(terminal.result(report.redactAll(result)))
  let note: string | undefined
  const found = await runChecks(checks, { ...plan, onResult }).finally(async () => {
    note = await cleanUp?.()
  })
  const results = report.redactAll(found)
  if (note !== undefined) say(terminal.note(note))
  const verdict = verdictOf(results, settings)
  const run = { results, verdict, subject }
  say(terminal.verdict(verdict))
  await printed
  if (settings.isJson) await print(report.redact(jsonReport(run, links)))
  // If it fails, the results are printed already.
  if (settings.junit !== undefined) await writeReport(settings.junit, report.redact(junitReport(run, links)))
  return verdict.exitCode
}

function readSettings(options: Given['options'], checks: readonly CheckInfo[]) {
  const { only, skip, junit, json } = options
  const maxWarnings = readNumber(options, 'max-warnings')
  const maxSkipped = readNumber(options, 'max-skipped')
  return usage(() => ({
    selection: selectChecks(checks, {
      ...(only !== undefined && { only: listOf(only) }),
      ...(skip !== undefined && { skip: listOf(skip) }),
    }),
    expectedFailures: idsOf(readList(options['expected-failures']), checks),
    ...(maxWarnings !== undefined && { maxWarnings }),
    ...(maxSkipped !== undefined && { maxSkipped }),
    isJson: json !== undefined,
    junit,
  }))
}

function readNumber(options: Given['options'], name: string): number | undefined {
  const text = options[name]
  if (text !== undefined && !/^\d{1,6}$/.test(text))
    throw new UsageError(`--${name}: expected a number, got another text`)
  return text === undefined ? undefined : Number(text)
}

/** A wrong name of a check is a wrong command line. */
function usage<T>(read: () => T): T {
  try {
    return read()
  } catch (error) {
    if (error instanceof Error && error.name === 'UnknownCheckError') throw new UsageError(error.message)
    throw error
  }
}

function listOf(text: string): string[] {
  return text.split(',').map((one) => one.trim())
}

/** The lines of a file, without empty lines and comments. */
function readList(file: string | undefined): string[] {
  if (file === undefined) return []
  const texts = readFileOf('--expected-failures', file).split('\n')
  return texts.map((line) => line.replace(/#.*/, '').trim()).filter((line) => line !== '')
}
