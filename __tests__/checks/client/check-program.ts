import { join } from 'node:path'
import type { CheckResult } from '../../../lib/checks/check.js'
import { clientChecks } from '../../../lib/checks/client/client-checks.js'
import { ClientUnderTest } from '../../../lib/checks/client/client-under-test.js'
import { runChecks } from '../../../lib/checks/run-checks.js'
import { selectChecks } from '../../../lib/checks/selection.js'

/** The programs in this folder, and the command of this package. */
export const PROGRAMS = {
  plain: [process.execPath, join(__dirname, 'broken-client.mjs')],
  openid: [process.execPath, join(__dirname, 'openid-client.mjs')],
  command: [
    '/bin/sh',
    join(__dirname, 'provision.sh'),
    process.execPath,
    join(__dirname, '../../../dist/cli/main.js'),
  ],
} as const

export interface CheckPlan {
  readonly supply?: 'client' | 'key'
  readonly only?: readonly string[] | undefined
  readonly timeoutSeconds?: number
}

/** Checks a client, as the command `check-client` does. */
export function checkProgram(
  program: readonly string[],
  { supply = 'client', only, timeoutSeconds = 60 }: CheckPlan = {},
): Promise<readonly CheckResult[]> {
  const { PATH, NODE_ENV: _, ...env } = process.env
  const onSecret = () => undefined
  const client = new ClientUnderTest({ program, env: { ...env, PATH }, timeoutSeconds, supply, onSecret })
  const checks = clientChecks(timeoutSeconds)
  return runChecks(checks, {
    context: { client, reportsUsualLeaks: only === undefined },
    selection: selectChecks(checks, only === undefined ? {} : { only }),
    concurrency: 4,
    signal: new AbortController().signal,
    onResult: () => undefined,
  })
}

/** What the checks that did not pass found out, by their ids. */
export function failuresOf(results: readonly CheckResult[]): Record<string, string | undefined> {
  const failures = results.filter(({ outcome }) => outcome !== 'passed')
  return Object.fromEntries(failures.map(({ id, actual, reason }) => [id, actual ?? reason]))
}
