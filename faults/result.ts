import type { Deployment } from './deployment'
import { check, type Violation } from './model/check'
import { type Call, type History, isRedemption, isSuccess } from './model/history'
import { LIMITS } from './scale'
import type { Observation, Scenario } from './scenario'

/** The figures of a scenario. All times are milliseconds. */
export interface Numbers {
  readonly keys: number
  readonly calls: number
  /** The number of answers by status; `none` counts calls without an answer. */
  readonly statuses: Readonly<Record<string, number>>
  readonly executions: number
  readonly executedTwice: number
  /** The number of server errors other than 503. */
  readonly otherErrors: number
  /** The longest time without a success after the fault began. */
  readonly longestGap: number | undefined
  /** The time from the end of the fault to the first success. */
  readonly firstSuccess: number | undefined
  /** The time from the end of the fault to the last request that got a 503 or no answer. */
  readonly lastRefusal: number | undefined
  readonly slowestRefusal: number | undefined
}

export interface ScenarioResult {
  readonly scenario: Scenario<never>
  readonly numbers: Numbers
  readonly notes: readonly string[]
  /** Failed checks; empty if the scenario passed. */
  readonly failures: readonly string[]
}

export async function runScenario<D extends Deployment>(
  scenario: Scenario<D>,
  deployment: D,
): Promise<ScenarioResult> {
  const result = evaluate(scenario as Scenario<never>, await scenario.run(deployment))
  return { ...result, failures: [...result.failures, ...deployment.pool.crashes] }
}

function evaluate(scenario: Scenario<never>, observation: Observation): ScenarioResult {
  const violations = check(observation.history)
  const forbidden = violations.filter(({ rule }) => !scenario.mayViolate?.includes(rule))
  const numbers = count(observation, violations)
  const failures = [
    ...observation.failures,
    ...describe(forbidden),
    ...exceededLimits(numbers, observation, scenario),
  ]
  return { scenario, numbers, notes: observation.notes, failures }
}

const MAX_DESCRIBED = 3
const MAX_LINES = 30

function describe(violations: readonly Violation[]): string[] {
  const described = violations.slice(0, MAX_DESCRIBED).map(({ rule, keyId, evidence }) => {
    return [`${rule}: ${keyId}`, ...evidence.slice(0, MAX_LINES).map((line) => `    ${line}`)].join('\n')
  })
  const rest = violations.length - described.length
  return rest > 0 ? [...described, `and ${rest} more violations`] : described
}

function exceededLimits(
  numbers: Numbers,
  { history, fault }: Observation,
  scenario: Scenario<never>,
): string[] {
  const { slowestRefusal = 0, lastRefusal = 0, otherErrors, statuses, keys } = numbers
  const redeemed = history.calls.filter((call) => isRedemption(call) && isSuccess(call)).length
  const unanswered = scenario.mayGoUnanswered ? 0 : (statuses.none ?? 0)
  const longestRefusal = LIMITS.timeoutSeconds * 1000 + LIMITS.slackMilliseconds
  const isSlow = fault !== undefined && slowestRefusal > longestRefusal
  const isLate = lastRefusal > LIMITS.recoveryMilliseconds
  const hasTooFew = redeemed < Math.min(LIMITS.minRedemptions, keys)
  return [
    ...(otherErrors > 0 ? [`${otherErrors} server errors are not documented`] : []),
    ...(unanswered > 0 ? [`${unanswered} requests got no answer`] : []),
    ...(isSlow ? [`a 503 took ${slowestRefusal.toFixed(0)} ms`] : []),
    ...(isLate ? [`a request failed ${lastRefusal.toFixed(0)} ms after the end of the fault`] : []),
    ...(hasTooFew ? [`only ${redeemed} keys were redeemed`] : []),
  ]
}

function count({ history, fault }: Observation, violations: readonly Violation[]): Numbers {
  const { calls, effects } = history
  const statuses: Record<string, number> = {}
  for (const { status = 'none' } of calls) statuses[status] = (statuses[status] ?? 0) + 1
  const refused = calls.filter(({ status }) => status === 503)
  const failed = calls.filter(({ status }) => status === 503 || status === undefined)
  const sinceFault = (time: number) => (fault === undefined ? undefined : Math.max(0, time - fault.end))
  return {
    keys: new Set(calls.flatMap(({ keyId }) => keyId ?? [])).size,
    calls: calls.length,
    statuses,
    executions: effects.filter(({ kind }) => kind === 'began' || kind === 'minted').length,
    executedTwice: violations.filter(({ rule }) => rule === 'executed twice').length,
    otherErrors: calls.filter(({ status = 0 }) => status >= 500 && status !== 503).length,
    longestGap: longestGap(history, fault),
    firstSuccess: fault && sinceFault(firstSuccessEnd(calls, fault.end)),
    lastRefusal: sinceFault(Math.max(0, ...failed.map(({ begin }) => begin))),
    slowestRefusal:
      refused.length === 0 ? undefined : Math.max(...refused.map(({ end, begin }) => end - begin)),
  }
}

function firstSuccessEnd(calls: readonly Call[], time: number): number {
  return Math.min(
    ...calls.filter((call) => isSuccessfulWork(call) && call.begin >= time).map(({ end }) => end),
  )
}

/** Whether a call issued or redeemed a key. */
function isSuccessfulWork(call: Call): boolean {
  return isSuccess(call) && (call.verb === 'issue' || isRedemption(call))
}

function longestGap({ calls }: History, fault: Observation['fault']): number | undefined {
  if (fault === undefined) return undefined
  const ends = calls.filter((call) => isSuccessfulWork(call) && call.end >= fault.begin).map(({ end }) => end)
  const times = [fault.begin, ...ends].sort((a, b) => a - b)
  return Math.max(0, ...times.slice(1).map((time, i) => time - (times[i] ?? time)))
}
