import { check, type Violation } from './model/check'
import { type Call, type History, isRedemption, isSuccess } from './model/history'
import { LIMITS } from './scale'
import type { Scenario, Trial } from './scenario'
import type { Stage } from './stage'

/** What came of a scenario, in numbers. Times are milliseconds. */
export interface Numbers {
  readonly seconds: number
  readonly keys: number
  readonly calls: number
  /** How many answers of each status; `none` where there was no answer. */
  readonly statuses: Readonly<Record<string, number>>
  readonly executions: number
  readonly executedTwice: number
  /** Server errors that are not documented. */
  readonly otherFaults: number
  /** The longest time in which nothing succeeded, from the fault on. */
  readonly longestGap: number | undefined
  /** From when the fault was lifted until something succeeded. */
  readonly firstSuccess: number | undefined
  /** From when the fault was lifted until the last request came that got 503 or no answer. */
  readonly lastRefusal: number | undefined
  readonly slowestRefusal: number | undefined
}

export interface Verdict {
  readonly scenario: Scenario<never>
  readonly numbers: Numbers
  readonly notes: readonly string[]
  /** What must not be; none means that all holds. */
  readonly faults: readonly string[]
}

/** Plays a scenario, and judges what was seen. */
export async function tryOut<S extends Stage>(scenario: Scenario<S>, stage: S): Promise<Verdict> {
  const verdict = judge(scenario as Scenario<never>, await scenario.play(stage))
  return { ...verdict, faults: [...verdict.faults, ...stage.crew.deaths] }
}

function judge(scenario: Scenario<never>, trial: Trial): Verdict {
  const violations = check(trial.history)
  const broken = violations.filter(({ rule }) => !scenario.mayBreak?.includes(rule))
  const numbers = count(trial, violations)
  const faults = [...trial.faults, ...summary(broken), ...numericFaults(numbers, trial, scenario)]
  return { scenario, numbers, notes: trial.notes, faults }
}

const MOST_TOLD = 3

function summary(violations: readonly Violation[]): string[] {
  const told = violations.slice(0, MOST_TOLD).map(({ rule, keyId, told: lines }) => {
    return [`${rule}: ${keyId}`, ...lines.slice(0, 30).map((line) => `    ${line}`)].join('\n')
  })
  const left = violations.length - told.length
  return left > 0 ? [...told, `and ${left} more violations`] : told
}

function numericFaults(numbers: Numbers, { history, fault }: Trial, scenario: Scenario<never>): string[] {
  const { slowestRefusal = 0, lastRefusal = 0, otherFaults, statuses, keys } = numbers
  const longest = LIMITS.timeoutSeconds * 1000 + LIMITS.slackMilliseconds
  const redeemed = history.calls.filter((call) => isRedemption(call) && isSuccess(call)).length
  const unanswered = scenario.mayGoUnanswered ? 0 : (statuses.none ?? 0)
  return [
    ...(otherFaults > 0 ? [`${otherFaults} server errors that are not documented`] : []),
    ...(unanswered > 0 ? [`${unanswered} requests got no answer`] : []),
    ...(fault !== undefined && slowestRefusal > longest
      ? [`a 503 took ${slowestRefusal.toFixed(0)} ms`]
      : []),
    ...(lastRefusal > LIMITS.recoveryMilliseconds
      ? [`it was not back ${lastRefusal.toFixed(0)} ms after the fault was lifted`]
      : []),
    ...(redeemed < Math.min(LIMITS.leastRedemptions, keys)
      ? [`only ${redeemed} keys were redeemed at all`]
      : []),
  ]
}

function count({ history, fault }: Trial, violations: readonly Violation[]): Numbers {
  const { calls, effects } = history
  const statuses: Record<string, number> = {}
  for (const { status = 'none' } of calls) statuses[status] = (statuses[status] ?? 0) + 1
  const refused = calls.filter(({ status }) => status === 503)
  const unanswered = calls.filter(({ status }) => status === 503 || status === undefined)
  const after = (time: number) => (fault === undefined ? undefined : Math.max(0, time - fault.lifted))
  return {
    seconds: Math.max(0, ...calls.map(({ end }) => end)) / 1000,
    keys: new Set(calls.flatMap(({ keyId }) => keyId ?? [])).size,
    calls: calls.length,
    statuses,
    executions: effects.filter(({ kind }) => kind === 'began' || kind === 'minted').length,
    executedTwice: violations.filter(({ rule }) => rule === 'executed twice').length,
    otherFaults: calls.filter(({ status = 0 }) => status >= 500 && status !== 503).length,
    longestGap: longestGap(history, fault),
    firstSuccess: fault && after(firstSuccessEnd(calls, fault.lifted)),
    lastRefusal: after(Math.max(0, ...unanswered.map(({ begin }) => begin))),
    slowestRefusal:
      refused.length === 0 ? undefined : Math.max(...refused.map(({ end, begin }) => end - begin)),
  }
}

function firstSuccessEnd(calls: readonly Call[], time: number): number {
  return Math.min(...calls.filter((call) => isWork(call) && call.begin >= time).map(({ end }) => end))
}

/** Keys that are issued and redeemed: what the service is there for. */
function isWork(call: Call): boolean {
  return isSuccess(call) && (call.verb === 'issue' || isRedemption(call))
}

function longestGap({ calls }: History, fault: Trial['fault']): number | undefined {
  if (fault === undefined) return undefined
  const ends = calls.filter((call) => isWork(call) && call.end >= fault.begin).map(({ end }) => end)
  const times = [fault.begin, ...ends].sort((a, b) => a - b)
  return Math.max(0, ...times.slice(1).map((time, i) => time - (times[i] ?? time)))
}
