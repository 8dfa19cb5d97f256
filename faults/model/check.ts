import { doubleExecutions } from './executions'
import { type Call, type Effect, type History, isRedemption, isSuccess, isUncertain } from './history'
import { explain } from './linearize'
import { describeCall, type KeyHistory, pointsOf } from './points'

/**
 * The rules, named by their violation.
 *
 * - `executed twice`: an action ran again, although it had not failed before
 * - `redeemed twice`: two callers got a success, or the owner of a bound key got two different ones
 * - `redeemed but not executed`: a caller got a success, but no action left a trace
 * - `revoked and redeemed`: both succeeded, and no order explains that
 * - `lost`: a valid key was refused
 * - `contradiction`: no order explains the answers, for another reason
 * - `unexpected answer`: neither the state of the key nor an outage explains a refusal or an error
 * - `undecided`: the search for an order took too long
 */
export type Rule =
  | 'executed twice'
  | 'redeemed twice'
  | 'redeemed but not executed'
  | 'revoked and redeemed'
  | 'lost'
  | 'contradiction'
  | 'unexpected answer'
  | 'undecided'

/** A violated rule, with the calls of the key as evidence. */
export interface Violation {
  readonly rule: Rule
  readonly keyId: string
  readonly evidence: readonly string[]
}

/** Finds violations of the rules in docs/operations/faults.md. */
export function check(history: History): Violation[] {
  const keys = keysOf(history)
  return [...history.calls.filter(isUnexpected).map(unexpectedAnswer), ...keys.flatMap(checkKey)]
}

function keysOf({ calls, effects, bound, ...rest }: History): KeyHistory[] {
  const effectsByKey = byKey(effects)
  return [...byKey(calls)].map(([keyId, callsOfKey]) => ({
    keyId,
    isBound: bound.has(keyId),
    calls: callsOfKey,
    effects: effectsByKey.get(keyId) ?? [],
    ...rest,
  }))
}

/** Leaves out calls without a key: issues that got no answer. */
function byKey<T extends { readonly keyId?: string }>(all: readonly T[]): Map<string, T[]> {
  const groups = new Map<string, T[]>()
  for (const one of all) {
    if (one.keyId === undefined) continue
    const group = groups.get(one.keyId)
    if (group === undefined) groups.set(one.keyId, [one])
    else group.push(one)
  }
  return groups
}

function checkKey(key: KeyHistory): Violation[] {
  const { keyId } = key
  const successes = key.calls.filter((call) => isRedemption(call) && isSuccess(call))
  const executedTwice = doubleExecutions(key).map(
    (evidence): Violation => ({ rule: 'executed twice', keyId, evidence }),
  )
  const outcomes = new Set(successes.map(({ outcome }) => outcome))
  const isRedeemedTwice = outcomes.size > 1 || (!key.isBound && successes.length > 1)
  const redeemedTwice: Violation[] = isRedeemedTwice
    ? [{ rule: 'redeemed twice', keyId, evidence: successes.map(describeCall) }]
    : []
  const notExecuted: Violation[] = successes
    .filter(
      (call) => !key.effects.some((effect) => isEffectOf(effect, call)) && !isAnswerOfLostExchange(key, call),
    )
    .map((call) => ({ rule: 'redeemed but not executed', keyId, evidence: [describeCall(call)] }))
  const twice = [...executedTwice, ...redeemedTwice]
  // No order explains these either, so a contradiction would only repeat them.
  return [...twice, ...notExecuted, ...(twice.length > 0 ? [] : contradictions(key))]
}

/** An exchange that got no answer may leave no effect. Then a repeated request of the owner gets its answer. */
function isAnswerOfLostExchange({ isBound, calls }: KeyHistory, { verb }: Call): boolean {
  return isBound && verb === 'exchange' && calls.some((one) => one.verb === 'exchange' && isUncertain(one))
}

function isEffectOf({ kind, call, outcome }: Effect, success: Call): boolean {
  return success.verb === 'exchange'
    ? kind === 'minted' && outcome === success.outcome
    : kind === 'done' && call === success.outcome
}

function contradictions(key: KeyHistory): Violation[] {
  const explanation = explain(pointsOf(key))
  if (explanation.holds) return []
  const evidence = [explanation.stuck, ...key.calls.map(describeCall)]
  const rule = explanation.isUndecided ? 'undecided' : violatedRule(key)
  return [{ rule, keyId: key.keyId, evidence }]
}

/** Chooses the rule to report if no order explains the history of a key. */
function violatedRule({ calls }: KeyHistory): Rule {
  const isRedeemed = calls.some((call) => isRedemption(call) && isSuccess(call))
  const isRevoked = calls.some(
    (call) => call.reason === 'key_revoked' || (call.verb === 'revoke' && isSuccess(call)),
  )
  if (isRedeemed && isRevoked) return 'revoked and redeemed'
  const isForgotten = calls.some(({ reason }) => reason === 'key_unknown')
  return isForgotten || !isRedeemed ? 'lost' : 'contradiction'
}

/** The reasons that follow from the state of a key. */
const STATE_REASONS: ReadonlySet<string | undefined> = new Set([
  'key_redeeming',
  'redemption_pending',
  'key_redeemed',
  'key_revoked',
  'key_unknown',
])

/** Whether a refusal or an error has another cause than the state of the key or an outage of the store. */
function isUnexpected(call: Call): boolean {
  const { status, reason, code, retryAfter } = call
  if (status === undefined || isSuccess(call)) return false
  if (isUncertain(call))
    return !(status === 503 && code === 'temporarily_unavailable' && Number(retryAfter) > 0)
  const isActionFailed = call.verb === 'redeem' && status === 422
  return !(isRedemption(call) && (isActionFailed || STATE_REASONS.has(reason)))
}

function unexpectedAnswer(call: Call): Violation {
  const { keyId = 'no key' } = call
  return { rule: 'unexpected answer', keyId, evidence: [`${describeCall(call)} ${call.code ?? ''}`] }
}
