import { withoutUndefined } from '../base/object.js'
import {
  type ClientUse,
  EVIDENCE,
  type Finding,
  LOCK_KINDS,
  type Lock,
  MOST_ACTIONS,
  MOST_SAMPLE_CHARACTERS,
  MOST_SAMPLES,
  SEVERITIES,
} from '../ports/monitoring-store.js'
import { requireFuture, requireTime } from './verb-arguments.js'

/**
 * A copy of a lock, without anything that does not belong to it.
 *
 * @throws RangeError
 */
export function copyOfLock(lock: Lock, nowSeconds: number): Lock {
  const { clientId, kind, reason, author, lockedAt, until } = lock
  requireFuture('until', until, nowSeconds)
  requireTime('lockedAt', lockedAt)
  requireWord('kind', kind, LOCK_KINDS)
  return Object.freeze({ clientId, kind, reason, author, lockedAt, until })
}

/** The strength of a lock: 0 for the weakest kind. */
export function strengthOf({ kind }: Lock): number {
  return LOCK_KINDS.indexOf(kind)
}

/** The strongest one of some locks, or else the longest one, or else the first one. */
export function strongestOf(locks: readonly Lock[]): Lock | undefined {
  let strongest: Lock | undefined
  for (const lock of locks) if (strongest === undefined || isAbove(lock, strongest)) strongest = lock
  return strongest
}

function isAbove(lock: Lock, other: Lock): boolean {
  const difference = strengthOf(lock) - strengthOf(other)
  return difference > 0 || (difference === 0 && lock.until > other.until)
}

/**
 * A copy of a report within the limits of a finding, without anything that does not belong to it.
 *
 * @throws RangeError
 */
export function copyOfFinding(report: Finding, nowSeconds: number): Finding {
  const { id, rule, severity, evidence, subject, count, firstAt, lastAt, samples, actions, until } = report
  requireFuture('until', until, nowSeconds)
  requireTime('firstAt', firstAt)
  requireTime('lastAt', lastAt)
  if (!Number.isSafeInteger(count) || count < 0)
    throw new RangeError(`count: expected a whole number from 0 on, got ${String(count)}`)
  requireWord('severity', severity, SEVERITIES)
  requireWord('evidence', evidence, EVIDENCE)
  const terms = { id, rule, severity, evidence, subject, count, firstAt, lastAt, until }
  return { ...terms, samples: keptSamples(samples), actions: keptActions(actions) }
}

/** The samples that a finding keeps: the last ones. */
export function keptSamples(samples: readonly string[]): readonly string[] {
  return Object.freeze(samples.slice(-MOST_SAMPLES).map(shortened))
}

/** The actions that a finding keeps: each one once. */
export function keptActions(actions: readonly string[]): readonly string[] {
  return Object.freeze([...new Set(actions)].slice(0, MOST_ACTIONS))
}

/** Orders findings: the latest first, and in a fixed order if they are of the same time. */
export function byLastAt(one: Finding, other: Finding): number {
  return other.lastAt - one.lastAt || (one.id < other.id ? -1 : 1)
}

/** A cut can split a character in two. Half of one is not valid Unicode. */
function shortened(sample: string): string {
  return sample.slice(0, MOST_SAMPLE_CHARACTERS).replace(/\p{Surrogate}/gu, '\ufffd')
}

/**
 * A copy of a use, without anything that does not belong to it.
 *
 * @throws RangeError
 */
export function copyOfUse(use: ClientUse, nowSeconds: number): ClientUse {
  const { clientId, bindingId, lastUsedAt, network, until } = use
  requireFuture('until', until, nowSeconds)
  requireTime('lastUsedAt', lastUsedAt)
  return Object.freeze(withoutUndefined({ clientId, bindingId, lastUsedAt, network, until }))
}

/** @throws RangeError */
export function requireLimit(limit: number): void {
  if (!Number.isSafeInteger(limit) || limit < 0)
    throw new RangeError(`limit: expected a whole number from 0 on, got ${String(limit)}`)
}

/** @throws RangeError. The message does not repeat the word, which could be anything. */
function requireWord(name: string, word: string, words: readonly string[]): void {
  if (!words.includes(word)) throw new RangeError(`${name}: expected one of ${words.join(', ')}`)
}
