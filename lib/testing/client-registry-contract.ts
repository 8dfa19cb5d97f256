/// <reference types="jest" />
import { type ClientRegistryUnderTest, registryProver } from './client-registry-contract/bench.js'
import { proveContention } from './client-registry-contract/contention.js'
import { proveDeletions } from './client-registry-contract/deletions.js'
import { proveFailure } from './client-registry-contract/failure.js'
import { proveIds } from './client-registry-contract/ids.js'
import { proveSaves } from './client-registry-contract/saves.js'
import { proveWholeness } from './client-registry-contract/wholeness.js'

export type { ClientRegistryUnderTest } from './client-registry-contract/bench.js'

/**
 * Tells `clientRegistryContract()` how to make the registry.
 *
 * @example
 * import { Keyv } from 'keyv'
 *
 * const options: ClientRegistryContractOptions = {
 *   name: 'our registry',
 *   create: async () => ({ registry: keyvClientRegistry(new Keyv(), { lock: 'process' }) }),
 * }
 */
export interface ClientRegistryContractOptions {
  /** What the suite is called. */
  readonly name: string
  /** Makes an empty registry; called for each test. */
  create(): Promise<ClientRegistryUnderTest>
  /**
   * Makes an empty registry whose database does not answer, or answers with errors, from the moment when `breakDown` of
   * it has been called; for registries that have a database.
   */
  createBreakable?(): Promise<ClientRegistryUnderTest & { breakDown(): Promise<void> }>
}

/**
 * Declares the tests that every `ClientRegistry` has to pass. Needs Jest's globals `describe`, `it`, `expect`.
 *
 * @example
 * import { Keyv } from 'keyv'
 *
 * clientRegistryContract({
 *   name: 'our registry',
 *   create: async () => ({ registry: keyvClientRegistry(new Keyv(), { lock: 'process' }) }),
 * })
 */
export function clientRegistryContract(options: ClientRegistryContractOptions): void {
  const prove = registryProver(() => options.create())
  describe(options.name, () => {
    describe('saves', () => proveSaves(prove))
    describe('deletions', () => proveDeletions(prove))
    describe('wholeness', () => proveWholeness(prove))
    describe('ids', () => proveIds(prove))
    describe('contention', () => proveContention(prove))
    const createBreakable = options.createBreakable?.bind(options)
    if (createBreakable !== undefined) describe('failure', () => proveFailure(createBreakable))
  })
}
