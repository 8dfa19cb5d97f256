import { type ClientRegistryUnderTest, client, TIMEOUT_MILLISECONDS } from './bench.js'

/** A database that fails is never taken for one in which somebody is not, or for one that has done something. */
export function proveFailure(
  create: () => Promise<ClientRegistryUnderTest & { breakDown(): Promise<void> }>,
): void {
  it(
    'rejects, and answers nothing, when its database has failed',
    async () => {
      const subject = await create()
      const { registry } = subject
      try {
        await registry.save(client('lamp', 1))
        await subject.breakDown()
        const verbs = {
          find: () => registry.find('lamp'),
          'find nobody': () => registry.find('nobody'),
          save: () => registry.save(client('lamp', 2)),
          'save too late': () => registry.save(client('lamp', 1)),
          'save a new one': () => registry.save(client('other', 1)),
          delete: () => registry.delete('lamp'),
          'delete a revision': () => registry.delete('lamp', 1),
          'delete nobody': () => registry.delete('nobody'),
        }
        for (const [name, verb] of Object.entries(verbs)) {
          const outcome = await verb().then(
            (answer) => `answered ${String(answer)}`,
            () => 'rejected',
          )
          expect([name, outcome]).toEqual([name, 'rejected'])
        }
      } finally {
        await subject.close?.()
      }
    },
    TIMEOUT_MILLISECONDS,
  )
}
