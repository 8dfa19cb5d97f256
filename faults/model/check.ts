import { executionFaults } from './executions'
import { type Call, type History, isRedemption, isSuccess, isUncertain } from './history'
import { explain } from './linearize'
import { describeCall, type KeyHistory, pointsOf } from './points'

/** What must never happen. */
export type Rule =
  | 'executed twice'
  | 'redeemed twice'
  | 'redeemed without being done'
  | 'revoked and redeemed'
  | 'lost'
  | 'contradiction'
  | 'unexpected answer'
  | 'undecided'

/** A rule that was broken, by which key, and what was seen of that. */
export interface Violation {
  readonly rule: Rule
  readonly keyId: string
  readonly told: readonly string[]
}

/** Finds in a history whatever the model of docs/operations/faults.md does not allow. */
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
  const twice = executionFaults(key).map((told): Violation => ({ rule: 'executed twice', keyId, told }))
  const outcomes = new Set(answers.map(({ outcome }) => outcome))
  const isRepeated = outcomes.size > 1 || (!key.isBound && answers.length > 1)
  const redeemed: Violation[] = isRepeated
    ? [{ rule: 'redeemed twice', keyId, told: answers.map(describeCall) }]
    : []
  const undone: Violation[] = answers
    .filter(
      (call) => !key.effects.some((effect) => isEffectOf(effect, call)) && !isAnsweredForAnother(key, call),
    )
    .map((call) => ({ rule: 'redeemed without being done', keyId, told: [describeCall(call)] }))
  return [...twice, ...redeemed, ...undone, ...disorder(key, [...twice, ...redeemed].length > 0)]
}

/** Of an exchange that was cut short there may be no trace, and the same answer once more to its holder. */
function isAnsweredForAnother({ isBound, calls }: KeyHistory, { verb }: Call): boolean {
  return isBound && verb === 'exchange' && calls.some((one) => one.verb === 'exchange' && isUncertain(one))
}

function isEffectOf({ kind, call, outcome }: KeyHistory['effects'][number], of: Call): boolean {
  return of.verb === 'exchange'
    ? kind === 'minted' && outcome === of.outcome
    : kind === 'done' && call === of.outcome
}

function disorder(key: KeyHistory, isKnown: boolean): Violation[] {
  const explained = explain(pointsOf(key))
  if (explained.holds || isKnown) return []
  const told = [explained.stuck, ...key.calls.map(describeCall)]
  const rule = explained.isUndecided ? 'undecided' : nameOf(key)
  return [{ rule, keyId: key.keyId, told }]
}

/** A name for what has no explanation. */
function nameOf({ calls }: KeyHistory): Rule {
  const isRedeemed = calls.some((call) => isRedemption(call) && isSuccess(call))
  const isRevoked = calls.some(
    (call) => call.reason === 'key_revoked' || (call.verb === 'revoke' && isSuccess(call)),
  )
  if (isRedeemed && isRevoked) return 'revoked and redeemed'
  const isForgotten = calls.some(({ reason }) => reason === 'key_unknown')
  return isForgotten || !isRedeemed ? 'lost' : 'contradiction'
}

/** For which states of the key a redemption may be refused. */
const STATES: ReadonlySet<string | undefined> = new Set([
  'key_redeeming',
  'redemption_pending',
  'key_redeemed',
  'key_revoked',
  'key_unknown',
])

/** Refusals and faults that no state of a key and no trouble of the store accounts for. */
function isUnexpected(call: Call): boolean {
  const { status, reason, code, retryAfter } = call
  if (status === undefined || isSuccess(call)) return false
  if (isUncertain(call))
    return !(status === 503 && code === 'temporarily_unavailable' && Number(retryAfter) > 0)
  const isOwnFailure = call.verb === 'redeem' && status === 422
  return !(isRedemption(call) && (isOwnFailure || STATES.has(reason)))
}

function unexpected(call: Call): Violation {
  const { keyId = 'no key' } = call
  return { rule: 'unexpected answer', keyId, told: [`${describeCall(call)} ${call.code ?? ''}`] }
}
