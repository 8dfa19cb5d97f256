import type { KeyEntry, KeyRecord, ProvisioningStore } from '../../ports/store.js'
import { type KeyDifferences, PLENTY, type Setup } from './setup.js'

/** The calls that can move a key, for two attempts: `one` and `other`. */
export const CALLS = {
  redeem: (store, key) => store.redeem(key, 'one'),
  redeemByOther: (store, key) => store.redeem(key, 'other'),
  settle: (store, key) => store.settle(key, 'one', key.retainUntil),
  settleByOther: (store, key) => store.settle(key, 'other', key.retainUntil),
  release: (store, key) => store.release(key, 'one'),
  releaseByOther: (store, key) => store.release(key, 'other'),
  revoke: (store, key) => store.revoke(key),
  revokeFamily: (store, key) => store.revokeFamily(key),
} satisfies Record<string, (store: ProvisioningStore, key: KeyRecord) => Promise<string>>

export type CallName = keyof typeof CALLS

/** The calls that a key has seen before a test, in order. */
export type History = readonly CallName[]

export const CALL_NAMES = Object.keys(CALLS) as CallName[]

/** Makes calls one after another, and returns their answers. */
export async function call(store: ProvisioningStore, key: KeyRecord, names: History): Promise<string[]> {
  const answers: string[] = []
  for (const name of names) answers.push(await CALLS[name](store, key))
  return answers
}

/** A history, for a title. */
export function textOf(history: History): string {
  return history.join(', ') || 'record'
}

/** Records a key, and makes the calls of its history. */
export async function recorded(
  { store, key }: Setup,
  history: History = [],
  differences: KeyDifferences = {},
): Promise<KeyRecord> {
  const record = key('key', differences)
  await store.record(record, PLENTY)
  await call(store, record, history)
  return record
}

/** Records keys one after another, and returns the answers. */
export async function recordAll(
  { store }: Setup,
  keys: readonly KeyRecord[],
  outstanding = PLENTY.outstanding,
): Promise<string[]> {
  const answers: string[] = []
  for (const key of keys) answers.push(await store.record(key, { outstanding }))
  return answers
}

/** The states of keys; `undefined` for an unknown key. */
export async function statesOf({ store }: Setup, keys: readonly KeyRecord[]) {
  return Promise.all(keys.map(async (key) => (await store.find(key))?.state))
}

/** The entry of a key that was only recorded. */
export function entryOf(key: KeyRecord): KeyEntry {
  return { ...key, state: 'issued', changedAt: key.issuedAt, familyRevoked: false }
}

/** An entry without `reservedAt`, which changes.ts tests. */
export function unreserved(entry: KeyEntry | undefined): Omit<KeyEntry, 'reservedAt'> | undefined {
  if (entry === undefined) return undefined
  const { reservedAt: _, ...rest } = entry
  return rest
}

/** Makes 100 calls at the same time, and returns their answers in the order of the calls. */
export async function hundred<T>(make: (i: number) => Promise<T>): Promise<T[]> {
  return Promise.all(Array.from({ length: 100 }, (_, i) => make(i)))
}

/** How often each answer came. */
export function tally(answers: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {}
  for (const answer of answers) counts[answer] = (counts[answer] ?? 0) + 1
  return counts
}
