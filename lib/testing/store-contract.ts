/// <reference types="jest" />
import { prover, type StoreUnderTest } from './store-contract/bench.js'
import { proveChanges } from './store-contract/changes.js'
import { proveConcurrency } from './store-contract/concurrency.js'
import { proveExpiry } from './store-contract/expiry.js'
import { proveCap, proveOutstanding } from './store-contract/limits.js'
import { proveMoves } from './store-contract/moves.js'
import { proveNames } from './store-contract/names.js'
import { proveOnce, proveOnceCap, proveOnceLimits } from './store-contract/once.js'
import { proveOutcomes, proveOwners } from './store-contract/owners.js'
import { proveRecords } from './store-contract/records.js'
import { proveWatermarkLife } from './store-contract/watermark-life.js'
import { proveWatermarks } from './store-contract/watermarks.js'

export type * from '../ports/store.js'
export {
  type ClientRegistryContractOptions,
  type ClientRegistryUnderTest,
  clientRegistryContract,
} from './client-registry-contract.js'
export type { StoreUnderTest } from './store-contract/bench.js'

/**
 * Tells `storeContract()` how to make the store.
 *
 * @example
 * function contractOf(create: () => Promise<StoreUnderTest>): StoreContractOptions {
 *   return { name: 'our store', create }
 * }
 */
export interface StoreContractOptions {
  /** What the suite is called. */
  readonly name: string
  /** Makes an empty store; called for each test. */
  create(): Promise<StoreUnderTest>
  /** Makes an empty store whose cap is 10 keys, and 10 used identifiers; for stores that have a cap. */
  createCapped?(): Promise<StoreUnderTest>
  /** Makes an empty store that remembers 5 identifiers of a client, and 3 of a key; for stores that limit owners. */
  createLimited?(): Promise<StoreUnderTest>
}

/**
 * Declares the tests that every `ProvisioningStore` has to pass. Needs Jest's globals `describe`, `it`, `expect`.
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
  const prove = prover(() => options.create())
  describe(options.name, () => {
    describe('moves', () => proveMoves(prove))
    describe('changes', () => proveChanges(prove))
    describe('records', () => proveRecords(prove))
    describe('names', () => proveNames(prove))
    describe('outstanding keys', () => proveOutstanding(prove))
    describe('expiry', () => proveExpiry(prove))
    describe('concurrency', () => proveConcurrency(prove))
    describe('owners', () => proveOwners(prove))
    describe('outcomes', () => proveOutcomes(prove))
    describe('watermarks', () => {
      proveWatermarks(prove)
      proveWatermarkLife(prove)
    })
    describe('single use', () => proveOnce(prove))
    const createLimited = options.createLimited?.bind(options)
    if (createLimited !== undefined)
      describe('limits of single use', () => proveOnceLimits(prover(createLimited)))
    const createCapped = options.createCapped?.bind(options)
    if (createCapped === undefined) return
    describe('cap', () => proveCap(prover(createCapped)))
    describe('cap of single use', () => proveOnceCap(prover(createCapped)))
  })
}
