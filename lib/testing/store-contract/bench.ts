import type { KeyEntry, KeyRecord, ProvisioningStore } from '../../ports/store.js'
import { checkedStore } from '../../stores/checked-store.js'

/**
 * A store under test, and its clock.
 *
 * @example
 * function underTest(): StoreUnderTest {
 *   let seconds = 1_700_000_000
 *   const store = memoryStore({ now: () => seconds * 1000 })
 *   const advance = async (by: number) => void (seconds += by)
 *   return { store, advance, nowSeconds: () => seconds }
 * }
 */
export interface StoreUnderTest {
  readonly store: ProvisioningStore
  /** Lets the store's clock pass: by moving it, or by waiting. */
  advance(seconds: number): Promise<void>
  /** What the store's clock says: a NumericDate. */
  nowSeconds(): number
  close?(): Promise<void>
}

/** What a test of the contract works with. */
export interface Bench {
  readonly store: ProvisioningStore
  advance(seconds: number): Promise<void>
  nowSeconds(): number
  /** Draws up a record that lives for a minute, unless told otherwise. */
  key(jti?: string, differences?: KeyDifferences): KeyRecord
}

export interface KeyDifferences extends Partial<KeyRecord> {
  readonly lifetimeSeconds?: number
}

/** Declares one test, with a store of its own. */
export type Prove = (title: string, test: (bench: Bench) => Promise<void>) => void

/** A limit of outstanding keys that no test reaches unless it means to. */
export const PLENTY = { outstanding: 1_000 }

// Generous, because a store whose clock cannot be moved has to wait.
const TIMEOUT_MILLISECONDS = 30_000

export function prover(create: () => Promise<StoreUnderTest>): Prove {
  async function run(test: (bench: Bench) => Promise<void>): Promise<void> {
    const subject = await create()
    const nowSeconds = () => subject.nowSeconds()
    const advance = (seconds: number) => subject.advance(seconds)
    try {
      // Every call of every test answers something that the port allows.
      await test({ store: checkedStore(subject.store), nowSeconds, advance, key: drawerUp(nowSeconds) })
    } finally {
      await subject.close?.()
    }
  }
  return (title, test) => it(title, () => run(test), TIMEOUT_MILLISECONDS)
}

function drawerUp(nowSeconds: () => number): Bench['key'] {
  return (jti = 'key', { lifetimeSeconds = 60, ...differences } = {}) => {
    const issuedAt = Math.floor(nowSeconds())
    const expiresAt = issuedAt + lifetimeSeconds
    const terms = { subject: 'device', scope: ['read', 'write'], audience: 'https://api.example/' }
    return { clientId: 'client', jti, ...terms, issuedAt, expiresAt, retainUntil: expiresAt, ...differences }
  }
}

/** An entry without the time of its first reservation, which `changes.ts` proves. */
export function unreserved(entry: KeyEntry | undefined): Omit<KeyEntry, 'reservedAt'> | undefined {
  if (entry === undefined) return undefined
  const { reservedAt: _, ...rest } = entry
  return rest
}

/** The entry of a key that nobody has moved. */
export function entryOf(key: KeyRecord): KeyEntry {
  return { ...key, state: 'issued', changedAt: key.issuedAt, familyRevoked: false }
}

/** The calls that move a key, by the attempt `one` and by the attempt `other`. */
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

export const CALL_NAMES = Object.keys(CALLS) as CallName[]

/** Makes calls one after another; answers what they answered. */
export async function call(store: ProvisioningStore, key: KeyRecord, names: readonly CallName[]) {
  const answers: string[] = []
  for (const name of names) answers.push(await CALLS[name](store, key))
  return answers
}
