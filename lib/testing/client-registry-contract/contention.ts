import { type Client, type ClientRegistry, nextRevision } from '../../ports/client.js'
import { client, nameOf, type RegistryTest } from './setup.js'

const REGISTRIES = 4
const WRITERS_PER_REGISTRY = 5
const WRITERS = Array.from({ length: REGISTRIES * WRITERS_PER_REGISTRY }, (_, i) => i)

/** Of 20 writers that change one client at the same time, exactly one gets `true`, and its change is stored. */
export function testContention(test: RegistryTest): void {
  test('lets exactly one of 20 writers create a client', async ({ registries }) => {
    const all = await registries(REGISTRIES)
    const [winner, ...others] = await race(all, (registry, i) => registry.save(client('lamp', 1, `${i}`)))
    expect(others).toEqual([])
    for (const registry of all) expect(nameOf(await registry.find('lamp'))).toBe(`${winner}`)
  })
  test('lets exactly one of 20 writers change a client', async ({ registry, registries }) => {
    await registry.save(client('lamp', 1))
    const all = await registries(REGISTRIES)
    const [winner, ...others] = await race(all, (one, i) => one.save(client('lamp', 2, `${i}`)))
    expect(others).toEqual([])
    for (const one of all) expect(nameOf(await one.find('lamp'))).toBe(`${winner}`)
  })
  test('lets exactly one of 20 writers delete a client', async ({ registry, registries }) => {
    await registry.save(client('lamp', 1))
    const winners = await race(await registries(REGISTRIES), (one) => one.delete('lamp', 1))
    expect(winners).toHaveLength(1)
    expect(await registry.find('lamp')).toBeUndefined()
  })
  test('never both changes and deletes one revision', async ({ registry, registries }) => {
    const all = await registries(REGISTRIES)
    for (let round = 0; round < 5; round++) {
      const id = `lamp-${round}`
      await registry.save(client(id, 1))
      const deletes = (i: number) => (i + round) % 2 === 0
      const [winner = -1, ...others] = await race(all, (one, i) =>
        deletes(i) ? one.delete(id, 1) : one.save(client(id, 2, `${i}`)),
      )
      expect(others).toEqual([])
      expect(nameOf(await registry.find(id))).toBe(deletes(winner) ? undefined : `${winner}`)
    }
  })
  testAllSucceed(test)
}

function testAllSucceed(test: RegistryTest): void {
  test('loses no change of 20 writers that repeat it until it succeeds', async ({ registry, registries }) => {
    const all = await registries(REGISTRIES)
    await registry.save({ ...client('lamp', 1), metadata: { signers: [] } })
    await Promise.all(WRITERS.map((i) => sign(registryOf(all, i), i)))
    const signed = await registry.find('lamp')
    expect(signed?.revision).toBe(1 + WRITERS.length)
    expect([...signersOf(signed)].sort((a, b) => a - b)).toEqual(WRITERS)
  })
  test('lets 20 writers create different clients at the same time', async ({ registries }) => {
    const all = await registries(REGISTRIES)
    const winners = await race(all, (registry, i) => registry.save(client(`lamp-${i}`, 1, `${i}`)))
    expect(winners).toEqual(WRITERS)
    for (const i of WRITERS) expect(nameOf(await registryOf(all, i + 1).find(`lamp-${i}`))).toBe(`${i}`)
  })
}

function registryOf(all: readonly ClientRegistry[], i: number): ClientRegistry {
  return all[i % all.length] as ClientRegistry
}

/** Lets all writers try the same at the same time. Resolves with those that got `true`. */
async function race(
  all: readonly ClientRegistry[],
  attempt: (registry: ClientRegistry, i: number) => Promise<boolean>,
): Promise<number[]> {
  const answers = await Promise.all(WRITERS.map((i) => attempt(registryOf(all, i), i)))
  return WRITERS.filter((i) => answers[i] === true)
}

/** More than a writer needs that loses to each other writer. */
const TRIES = 10 * WRITERS.length

/** Adds a writer to the list that all writers add themselves to. */
async function sign(registry: ClientRegistry, i: number): Promise<void> {
  for (let tries = 0; tries < TRIES; tries++) {
    const found = await registry.find('lamp')
    const metadata = { signers: [...signersOf(found), i] }
    if (await registry.save({ ...client('lamp', nextRevision(found)), metadata })) return
  }
  throw new Error(`Writer ${i} lost ${TRIES} times.`)
}

function signersOf(found: Client | undefined): readonly number[] {
  return (found?.metadata?.signers ?? []) as readonly number[]
}
