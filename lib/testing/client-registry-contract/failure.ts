import type { ClientRegistry } from '../../ports/client.js'
import { type ClientRegistryUnderTest, client, TIMEOUT_MILLISECONDS } from './setup.js'

/** Each verb, also for a client that does not exist and for a revision that is not the next. */
const VERBS: Readonly<Record<string, (registry: ClientRegistry) => Promise<unknown>>> = {
  'to find a client': (registry) => registry.find('lamp'),
  'to find a missing client': (registry) => registry.find('nobody'),
  'to save the next revision': (registry) => registry.save(client('lamp', 2)),
  'to save the same revision': (registry) => registry.save(client('lamp', 1)),
  'to save a new client': (registry) => registry.save(client('other', 1)),
  'to delete a client': (registry) => registry.delete('lamp'),
  'to delete a revision': (registry) => registry.delete('lamp', 1),
  'to delete a missing client': (registry) => registry.delete('nobody'),
}

/** With a failed database, a registry must not answer that a client is missing, or that it has saved something. */
export function testFailure(
  create: () => Promise<ClientRegistryUnderTest & { breakDown(): Promise<void> }>,
): void {
  for (const [name, call] of Object.entries(VERBS)) {
    it(`rejects ${name} when its database has failed`, () => expectRejection(call), TIMEOUT_MILLISECONDS)
  }

  async function expectRejection(call: (registry: ClientRegistry) => Promise<unknown>): Promise<void> {
    const subject = await create()
    try {
      await subject.registry.save(client('lamp', 1))
      await subject.breakDown()
      await expect(call(subject.registry)).rejects.toBeDefined()
    } finally {
      await subject.close?.()
    }
  }
}
