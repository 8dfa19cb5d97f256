import type { KeyRecord, ProvisioningStore } from '../../ports/store.js'
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
  /** Moves the clock of the store forward, or waits. */
  advance(seconds: number): Promise<void>
  /** The time on the clock of the store: a NumericDate. */
  nowSeconds(): number
  /** Frees what `create` made. Called after the test. */
  close?(): Promise<void>
}

/** The store of one test. */
export interface Setup extends Omit<StoreUnderTest, 'close'> {
  /** Makes the record of a key that lives for a minute by default. It does not record it. */
  key(jti?: string, differences?: KeyDifferences): KeyRecord
}

export interface KeyDifferences extends Partial<KeyRecord> {
  readonly lifetimeSeconds?: number
}

/** Declares one test. It gets a store of its own. */
export type StoreTest = (title: string, body: (setup: Setup) => Promise<void>) => void

/** Allows more outstanding keys than any test records. */
export const PLENTY = { outstanding: 1_000 }

// Generous, because a store whose clock cannot be moved has to wait.
const TIMEOUT_MILLISECONDS = 30_000

export function storeTest(create: () => Promise<StoreUnderTest>): StoreTest {
  async function run(body: (setup: Setup) => Promise<void>): Promise<void> {
    const subject = await create()
    const nowSeconds = () => subject.nowSeconds()
    const advance = (seconds: number) => subject.advance(seconds)
    try {
      // Also the answers that a test ignores must be among those of the port.
      await body({ store: checkedStore(subject.store), nowSeconds, advance, key: keyMaker(nowSeconds) })
    } finally {
      await subject.close?.()
    }
  }
  return (title, body) => it(title, () => run(body), TIMEOUT_MILLISECONDS)
}

function keyMaker(nowSeconds: () => number): Setup['key'] {
  return (jti = 'key', { lifetimeSeconds = 60, ...differences } = {}) => {
    const issuedAt = Math.floor(nowSeconds())
    const expiresAt = issuedAt + lifetimeSeconds
    const terms = { subject: 'device', scope: ['read', 'write'], audience: 'https://api.example/' }
    return { clientId: 'client', jti, ...terms, issuedAt, expiresAt, retainUntil: expiresAt, ...differences }
  }
}
