import type { Client, ClientRegistry } from '../../ports/client.js'

/**
 * A registry under test.
 *
 * @example
 * function underTest(connect: () => ClientRegistry): ClientRegistryUnderTest {
 *   return { registry: connect(), another: async () => connect() }
 * }
 */
export interface ClientRegistryUnderTest {
  readonly registry: ClientRegistry
  /** Makes another registry over the same clients, as another process has one. Default: the same registry. */
  another?(): Promise<ClientRegistry>
  close?(): Promise<void>
}

/** What a test of the contract works with. */
export interface RegistryBench {
  readonly registry: ClientRegistry
  /** As many registries over the same clients, the one of the test among them. */
  registries(count: number): Promise<readonly ClientRegistry[]>
}

/** Declares one test, with a registry of its own. */
export type ProveRegistry = (title: string, test: (bench: RegistryBench) => Promise<void>) => void

// Generous: databases write to disks, and some registries have to wait for a lock.
export const TIMEOUT_MILLISECONDS = 60_000

export function registryProver(create: () => Promise<ClientRegistryUnderTest>): ProveRegistry {
  async function run(test: (bench: RegistryBench) => Promise<void>): Promise<void> {
    const subject = await create()
    const { registry } = subject
    const another = async () => subject.another?.() ?? registry
    const registries = async (count: number) => {
      const others = await Promise.all(Array.from({ length: count - 1 }, another))
      return [registry, ...others]
    }
    try {
      await test({ registry, registries })
    } finally {
      await subject.close?.()
    }
  }
  return (title, test) => it(title, () => run(test), TIMEOUT_MILLISECONDS)
}

/** A client of little, which a word tells from others of the same id. */
export function client(clientId: string, revision: number, word = 'first'): Client {
  return {
    clientId,
    revision,
    authenticationMethods: ['private_key_jwt'],
    metadata: { client_name: word },
  }
}

/** The word of a client. */
export function wordOf(found: Client | undefined): unknown {
  return found?.metadata?.client_name
}
