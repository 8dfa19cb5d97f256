/// <reference types="jest" />
import { testContention } from './client-registry-contract/contention.js'
import { testDeletions } from './client-registry-contract/deletions.js'
import { testFailure } from './client-registry-contract/failure.js'
import { testFidelity } from './client-registry-contract/fidelity.js'
import { testIds } from './client-registry-contract/ids.js'
import { testSaves } from './client-registry-contract/saves.js'
import { type ClientRegistryUnderTest, registryTest } from './client-registry-contract/setup.js'
import { requireGlobals } from './test-globals.js'

export type { ClientRegistryUnderTest } from './client-registry-contract/setup.js'

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
  /**
   * The title of the suite.
   * @example 'our registry'
   */
  readonly name: string
  /**
   * Makes an empty registry. Called for each test.
   * @example async () => ({ registry: keyvClientRegistry(keyv, { lock: 'process' }) })
   */
  create(): Promise<ClientRegistryUnderTest>
  /**
   * Makes an empty registry, and a function that makes its database fail or not answer. Give it if the registry has a
   * database. Default: failures are not tested.
   * @example
   * async () => ({
   *   registry: keyvClientRegistry(keyv, { lock: 'process' }),
   *   breakDown: () => keyv.disconnect(),
   * })
   */
  createBreakable?(): Promise<ClientRegistryUnderTest & { breakDown(): Promise<void> }>
}

/**
 * Declares the tests that every `ClientRegistry` has to pass. Needs the globals `describe`, `it` and
 * `expect` of Jest, or globals that work like them.
 *
 * @throws Error if a global is missing
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
  requireGlobals('clientRegistryContract()')
  const test = registryTest(() => options.create())
  describe(options.name, () => {
    describe('saves', () => testSaves(test))
    describe('deletions', () => testDeletions(test))
    describe('fidelity', () => testFidelity(test))
    describe('ids', () => testIds(test))
    describe('contention', () => testContention(test))
    const createBreakable = options.createBreakable?.bind(options)
    if (createBreakable !== undefined) describe('failure', () => testFailure(createBreakable))
  })
}
