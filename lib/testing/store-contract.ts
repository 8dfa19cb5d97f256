/// <reference types="jest" />
import { testChanges } from './store-contract/changes.js'
import { testConcurrency } from './store-contract/concurrency.js'
import { testExpiry } from './store-contract/expiry.js'
import { testFindingRoom } from './store-contract/finding-room.js'
import { testFindings } from './store-contract/findings.js'
import { testCap, testOutstanding } from './store-contract/limits.js'
import { testListedUses } from './store-contract/listed-uses.js'
import { testLists } from './store-contract/listing.js'
import { testLockedRecords } from './store-contract/locked-records.js'
import { testLocks } from './store-contract/locks.js'
import { testMoves } from './store-contract/moves.js'
import { testNames } from './store-contract/names.js'
import { testNotBefore } from './store-contract/not-before.js'
import { testNotBeforeOverTime } from './store-contract/not-before-over-time.js'
import { testOnce, testOnceCap } from './store-contract/once.js'
import { testOnceLimits } from './store-contract/once-limits.js'
import { testOutcomes } from './store-contract/outcomes.js'
import { testOwners } from './store-contract/owners.js'
import { testPresentations } from './store-contract/presentations.js'
import { testRecords } from './store-contract/records.js'
import { type StoreUnderTest, storeTest } from './store-contract/setup.js'
import { testUses } from './store-contract/uses.js'
import { requireGlobals } from './test-globals.js'

export type { StoreUnderTest } from './store-contract/setup.js'

/**
 * Tells `storeContract()` how to make the store.
 *
 * @example
 * function contractOf(create: () => Promise<StoreUnderTest>): StoreContractOptions {
 *   return { name: 'our store', create }
 * }
 */
export interface StoreContractOptions {
  /**
   * The title of the suite.
   * @example 'our store'
   */
  readonly name: string
  /**
   * Makes an empty store. Called for each test.
   * @example () => storeUnderTest()
   */
  create(): Promise<StoreUnderTest>
  /**
   * Makes an empty store with a cap of 10 keys and 10 used identifiers. Give it if the store has a cap. Default: the
   * cap is not tested.
   * @example () => storeUnderTest({ maxKeys: 10 })
   */
  createCapped?(): Promise<StoreUnderTest>
  /**
   * Makes an empty store that remembers 5 identifiers of a client, 5 of all its keys, and 3 of a key. Give it if the
   * store limits owners. Default: these limits are not tested.
   * @example () => storeUnderTest({ maxProofsPerClient: 5, maxProofsPerKey: 3 })
   */
  createLimited?(): Promise<StoreUnderTest>
}

/**
 * Declares the tests that every `ProvisioningStore` has to pass. Needs the globals `describe`, `it` and
 * `expect` of Jest, or globals that work like them.
 *
 * @throws Error if a global is missing
 *
 * @example
 * storeContract({
 *   name: 'our store',
 *   async create() {
 *     let seconds = 1_700_000_000
 *     const store = memoryStore({ now: () => seconds * 1000 })
 *     return { store, advance: async (by) => void (seconds += by), nowSeconds: () => seconds }
 *   },
 * })
 */
export function storeContract(options: StoreContractOptions): void {
  requireGlobals('storeContract()')
  const test = storeTest(() => options.create())
  describe(options.name, () => {
    describe('moves', () => testMoves(test))
    describe('changes', () => testChanges(test))
    describe('records', () => testRecords(test))
    describe('names', () => testNames(test))
    describe('outstanding keys', () => testOutstanding(test))
    describe('expiry', () => testExpiry(test))
    describe('concurrency', () => testConcurrency(test))
    describe('owners', () => testOwners(test))
    describe('outcomes', () => testOutcomes(test))
    describe('revokeIssuedBefore', () => {
      testNotBefore(test)
      testNotBeforeOverTime(test)
    })
    describe('single use', () => testOnce(test))
    describe('presentations', () => testPresentations(test))
    describe('locks', () => {
      testLocks(test)
      testLockedRecords(test)
    })
    describe('findings', () => testFindings(test))
    describe('room for findings', () => testFindingRoom(test))
    describe('uses', () => testUses(test))
    describe('lists of keys', () => testLists(test))
    describe('lists of uses', () => testListedUses(test))
    const createLimited = options.createLimited?.bind(options)
    if (createLimited !== undefined)
      describe('limits of single use', () => testOnceLimits(storeTest(createLimited)))
    const createCapped = options.createCapped?.bind(options)
    if (createCapped === undefined) return
    describe('cap', () => testCap(storeTest(createCapped)))
    describe('cap of single use', () => testOnceCap(storeTest(createCapped)))
  })
}
