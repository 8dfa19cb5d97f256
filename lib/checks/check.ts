/** How a check ended. A warning is a risk that a deployment can have good reasons for. */
export type Outcome = 'passed' | 'warning' | 'failed' | 'skipped'

/** What a check has found out. No text contains a secret. */
export interface Finding {
  readonly outcome: Outcome
  /** What the check saw. */
  readonly actual?: string
  /** What it should have seen. */
  readonly expected?: string
  /** Why the check was skipped. */
  readonly reason?: string
  /** The request as a curl command, without its secrets. */
  readonly request?: string
  /** What the names in this command and in `actual` stand for, such as `$KEY`. */
  readonly secrets?: string
  /** How to correct this fault, if the check knows more than its own `fix` says. */
  readonly fix?: string
  /** Facts for programs: only JSON reports have them. */
  readonly details?: readonly object[]
  /** The section of the help page, if it does not have the id of the check. */
  readonly section?: string
}

/** What reports say about a check. */
export interface CheckInfo {
  /** Such as `issuance-lifetime`. The troubleshooting page has an anchor of this name. */
  readonly id: string
  /** The heading in a report, such as `Issuance`. */
  readonly group: string
  /** What is true if the check passes: `a key lives for at most 15 minutes`. */
  readonly title: string
  /** The clause that demands it, such as `RFC 6749 5.1`. */
  readonly clause?: string
  /** How to correct the deployment, in one sentence. */
  readonly fix: string
}

/** A check of something outside of this process. `Context` is what it works with. */
export interface Check<Context> extends CheckInfo {
  /** The ids of checks before this one. It does not run if one of them has failed or was skipped. */
  readonly needs?: readonly string[]
  /** The longest time of the check, in seconds. Default: 30. */
  readonly timeoutSeconds?: number
  run(context: Context, signal: AbortSignal): Promise<Finding> | Finding
}

/** A check without its group and its function, which several checks share. */
export type CheckDescription = Omit<Check<never>, 'group' | 'run'>

/** The checks of a group. A check can have another group and other needs. */
export function inGroup<C extends CheckInfo>(
  defaults: { readonly group: string; readonly needs?: readonly string[] },
  checks: readonly (Omit<C, 'group'> & { readonly group?: string })[],
): readonly C[] {
  return checks.map(({ id, ...check }) => ({ id, ...defaults, ...check }) as unknown as C)
}

/** A check and what it found out. */
export interface CheckResult extends CheckInfo, Omit<Finding, 'fix'> {
  readonly durationMs: number
}

/** The check passed. */
export const PASSED: Finding = { outcome: 'passed' }

/** The check passed, and this is what it saw. */
export function passed(actual: string): Finding {
  return { outcome: 'passed', actual }
}

/** The check did not run, for this reason. */
export function skipped(reason: string): Finding {
  return { outcome: 'skipped', reason }
}

/** The check failed. */
export function failed(facts: Omit<Finding, 'outcome' | 'reason'>): Finding {
  return { outcome: 'failed', ...facts }
}

/** The check found a risk. */
export function warning(facts: Omit<Finding, 'outcome' | 'reason'>): Finding {
  return { outcome: 'warning', ...facts }
}

/** Ends a check with a finding from anywhere below it. */
export class CheckEnd extends Error {
  override readonly name = 'CheckEnd'
  readonly finding: Finding

  constructor(finding: Finding) {
    super(finding.reason ?? finding.actual ?? finding.outcome)
    this.finding = finding
  }
}
