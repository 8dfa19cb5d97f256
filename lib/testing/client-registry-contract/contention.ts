import type { Client, ClientRegistry } from '../../ports/client.js'
import { client, type ProveRegistry, wordOf } from './bench.js'

const REGISTRIES = 4
/** Of each registry. */
const WRITERS = 5
const ALL = Array.from({ length: REGISTRIES * WRITERS }, (_, i) => i)

/** Of those who change one client at once, one does, and knows it. */
export function proveContention(prove: ProveRegistry): void {
  prove('lets exactly one of 20 make a client', async ({ registries }) => {
    const all = await registries(REGISTRIES)
    const [winner, ...others] = await race(all, (registry, i) => registry.save(client('lamp', 1, `${i}`)))
    expect(others).toEqual([])
    for (const registry of all) expect(wordOf(await registry.find('lamp'))).toBe(`${winner}`)
  })
  prove('lets exactly one of 20 change a client', async ({ registry, registries }) => {
    await registry.save(client('lamp', 1))
    const all = await registries(REGISTRIES)
    const [winner, ...others] = await race(all, (one, i) => one.save(client('lamp', 2, `${i}`)))
    expect(others).toEqual([])
    for (const one of all) expect(wordOf(await one.find('lamp'))).toBe(`${winner}`)
  })
  prove('lets exactly one of 20 delete a client', async ({ registry, registries }) => {
    await registry.save(client('lamp', 1))
    const winners = await race(await registries(REGISTRIES), (one) => one.delete('lamp', 1))
    expect(winners).toHaveLength(1)
    expect(await registry.find('lamp')).toBeUndefined()
  })
  prove('never both changes and deletes one revision', async ({ registry, registries }) => {
    const all = await registries(REGISTRIES)
    for (let round = 0; round < 5; round++) {
      const id = `lamp-${round}`
      await registry.save(client(id, 1))
      const winners = await race(all, (one, i) =>
        (i + round) % 2 === 0 ? one.delete(id, 1) : one.save(client(id, 2, `${i}`)),
      )
      expect(winners).toHaveLength(1)
      const isDeleted = ((winners[0] ?? 0) + round) % 2 === 0
      expect(wordOf(await registry.find(id))).toBe(isDeleted ? undefined : `${winners[0]}`)
    }
  })
  prove('loses no change of many who each try until they have made theirs', async ({ registries }) => {
    const all = await registries(REGISTRIES)
    await all[0]?.save({ ...client('lamp', 1), metadata: { by: [] } })
    await Promise.all(ALL.map((i) => sign(registryOf(all, i), i)))
    const kept = await all[0]?.find('lamp')
    expect(kept?.revision).toBe(1 + ALL.length)
    expect([...signersOf(kept)].sort((a, b) => a - b)).toEqual(ALL)
  })
  prove('lets changes of different clients be made at once', async ({ registries }) => {
    const all = await registries(REGISTRIES)
    const winners = await race(all, (registry, i) => registry.save(client(`lamp-${i}`, 1, `${i}`)))
    expect(winners).toEqual(ALL)
    for (const i of ALL) expect(wordOf(await registryOf(all, i + 1).find(`lamp-${i}`))).toBe(`${i}`)
  })
}

function registryOf(all: readonly ClientRegistry[], i: number): ClientRegistry {
  return all[i % all.length] as ClientRegistry
}

/** Has 20 try the same at once; answers who of them was told that it was done. */
async function race(
  all: readonly ClientRegistry[],
  attempt: (registry: ClientRegistry, i: number) => Promise<boolean>,
): Promise<number[]> {
  const answers = await Promise.all(ALL.map((i) => attempt(registryOf(all, i), i)))
  return ALL.filter((i) => answers[i] === true)
}

/** More tries than anybody needs who loses to each of the others. */
const TRIES = 10 * ALL.length

/** Adds itself to a list that all others add themselves to. */
async function sign(registry: ClientRegistry, i: number): Promise<void> {
  for (let tries = 0; tries < TRIES; tries++) {
    const kept = await registry.find('lamp')
    const signed = client('lamp', (kept?.revision ?? 0) + 1)
    if (await registry.save({ ...signed, metadata: { by: [...signersOf(kept), i] } })) return
  }
  throw new Error(`${i} was always too late`)
}

function signersOf(kept: Client | undefined): readonly number[] {
  return (kept?.metadata?.by ?? []) as readonly number[]
}
