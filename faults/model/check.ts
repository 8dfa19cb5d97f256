import { doubleExecutions } from './executions'
import { type Call, type History, isRedemption, isSuccess, isUncertain } from './history'
import { explain } from './linearize'
import { describeCall, type KeyHistory, pointsOf } from './points'

/** The rules, named by their violation. */
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

/** Finds violations of the model in docs/operations/faults.md. */
export function check(history: History): Violation[] {
  const keys = keysOf(history)
  return [...history.calls.filter(isUnexpected).map(unexpected), ...keys.flatMap(checkKey)]
}

function keysOf({ calls, effects, bound, ...rest }: History): KeyHistory[] {
  const callsOf = byKey(calls)
  const effectsOf = byKey(effects)
  return [...callsOf]
    .filter(([keyId]) => keyId !== '')
    .map(([keyId, its]) => ({
      keyId,
      isBound: bound.has(keyId),
      calls: its,
      effects: effectsOf.get(keyId) ?? [],
      ...rest,
    }))
}

function byKey<T extends { readonly keyId?: string }>(all: readonly T[]): Map<string, T[]> {
  const groups = new Map<string, T[]>()
  for (const one of all) {
    const group = groups.get(one.keyId ?? '')
    if (group === undefined) groups.set(one.keyId ?? '', [one])
    else group.push(one)
  }
  return groups
}

function checkKey(key: KeyHistory): Violation[] {
  const { keyId } = key
  const answers = key.calls.filter((call) => isRedemption(call) && isSuccess(call))
  const twice = doubleExecutions(key).map(
    (evidence): Violation => ({ rule: 'executed twice', keyId, evidence }),
  )
  const outcomes = new Set(answers.map(({ outcome }) => outcome))
  const isRepeated = outcomes.size > 1 || (!key.isBound && answers.length > 1)
  const redeemed: Violation[] = isRepeated
    ? [{ rule: 'redeemed twice', keyId, evidence: answers.map(describeCall) }]
    : []
  const notExecuted: Violation[] = answers
    .filter(
      (call) => !key.effects.some((effect) => isEffectOf(effect, call)) && !isAnswerOfLostExchange(key, call),
    )
    .map((call) => ({ rule: 'redeemed but not executed', keyId, evidence: [describeCall(call)] }))
  return [...twice, ...redeemed, ...notExecuted, ...contradictions(key, [...twice, ...redeemed].length > 0)]
}

/** An exchange that got no answer may leave no effect. Then a repeated request of the owner gets its answer. */
function isAnswerOfLostExchange({ isBound, calls }: KeyHistory, { verb }: Call): boolean {
  return isBound && verb === 'exchange' && calls.some((one) => one.verb === 'exchange' && isUncertain(one))
}

function isEffectOf({ kind, call, outcome }: KeyHistory['effects'][number], of: Call): boolean {
  return of.verb === 'exchange'
    ? kind === 'minted' && outcome === of.outcome
    : kind === 'done' && call === of.outcome
}

function contradictions(key: KeyHistory, isKnown: boolean): Violation[] {
  const explained = explain(pointsOf(key))
  if (explained.holds || isKnown) return []
  const evidence = [explained.stuck, ...key.calls.map(describeCall)]
  const rule = explained.isUndecided ? 'undecided' : violatedRule(key)
  return [{ rule, keyId: key.keyId, evidence }]
}

/** Chooses the rule that fits a history without explanation. */
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

/** Whether neither the state of the key nor an outage of the store explains a refusal or an error. */
function isUnexpected(call: Call): boolean {
  const { status, reason, code, retryAfter } = call
  if (status === undefined || isSuccess(call)) return false
  if (isUncertain(call))
    return !(status === 503 && code === 'temporarily_unavailable' && Number(retryAfter) > 0)
  const isOwnFailure = call.verb === 'redeem' && status === 422
  return !(isRedemption(call) && (isOwnFailure || STATE_REASONS.has(reason)))
}

function unexpected(call: Call): Violation {
  const { keyId = 'no key' } = call
  return { rule: 'unexpected answer', keyId, evidence: [`${describeCall(call)} ${call.code ?? ''}`] }
}
