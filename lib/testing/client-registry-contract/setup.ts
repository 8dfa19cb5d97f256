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
  /** Makes another registry over the same clients, as another process does. Default: the same registry. */
  another?(): Promise<ClientRegistry>
  /** Frees what `create` made. Called after the test. */
  close?(): Promise<void>
}

/** The registry of one test. */
export interface RegistrySetup {
  readonly registry: ClientRegistry
  /** Makes a number of registries over the same clients. `registry` is one of them. */
  registries(count: number): Promise<readonly ClientRegistry[]>
}

/** Declares one test. It gets a registry of its own. */
export type RegistryTest = (title: string, body: (setup: RegistrySetup) => Promise<void>) => void

// Generous, because databases write to disks, and some registries wait for a lock.
export const TIMEOUT_MILLISECONDS = 60_000

export function registryTest(create: () => Promise<ClientRegistryUnderTest>): RegistryTest {
  async function run(body: (setup: RegistrySetup) => Promise<void>): Promise<void> {
    const subject = await create()
    const { registry } = subject
    const another = async () => subject.another?.() ?? registry
    const registries = async (count: number) => {
      const others = await Promise.all(Array.from({ length: count - 1 }, another))
      return [registry, ...others]
    }
    try {
      await body({ registry, registries })
    } finally {
      await subject.close?.()
    }
  }
  return (title, body) => it(title, () => run(body), TIMEOUT_MILLISECONDS)
}

/** A small client. Its name tells it from other revisions of the same client. */
export function client(clientId: string, revision: number, name = 'first'): Client {
  return {
    clientId,
    revision,
    authenticationMethods: ['private_key_jwt'],
    metadata: { client_name: name },
  }
}

export function nameOf(found: Client | undefined): unknown {
  return found?.metadata?.client_name
}
