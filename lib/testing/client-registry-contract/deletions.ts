import { client, type ProveRegistry } from './bench.js'

/** Whoever is deleted is gone, and is deleted by no one who has not seen him as he is. */
export function proveDeletions(prove: ProveRegistry): void {
  prove('forgets a client, once', async ({ registry }) => {
    expect(await registry.delete('lamp')).toBe(false)
    await registry.save(client('lamp', 1))
    expect(await registry.delete('lamp')).toBe(true)
    expect(await registry.find('lamp')).toBeUndefined()
    expect(await registry.delete('lamp')).toBe(false)
  })
  prove('forgets a client of a revision only if nobody has changed it since', async ({ registry }) => {
    await registry.save(client('lamp', 1))
    await registry.save(client('lamp', 2, 'second'))
    for (const revision of [0, 1, 3]) expect(await registry.delete('lamp', revision)).toBe(false)
    expect(await registry.find('lamp')).toEqual(client('lamp', 2, 'second'))
    expect(await registry.delete('lamp', 2)).toBe(true)
    expect(await registry.delete('lamp', 2)).toBe(false)
    expect(await registry.find('lamp')).toBeUndefined()
  })
  prove('does not take a late change for a client that is gone', async ({ registry }) => {
    await registry.save(client('lamp', 1))
    await registry.delete('lamp')
    expect(await registry.save(client('lamp', 2, 'late'))).toBe(false)
    expect(await registry.find('lamp')).toBeUndefined()
  })
  prove('lets a client come again, from revision 1', async ({ registry, registries }) => {
    const [, other = registry] = await registries(2)
    await registry.save(client('lamp', 1))
    await registry.delete('lamp', 1)
    expect(await other.save(client('lamp', 1, 'again'))).toBe(true)
    expect(await registry.find('lamp')).toEqual(client('lamp', 1, 'again'))
  })
  prove('forgets nobody else', async ({ registry }) => {
    for (const id of ['lamp', 'lam', 'lamp-2', 'Lamp']) await registry.save(client(id, 1, id))
    await registry.delete('lamp')
    for (const id of ['lam', 'lamp-2', 'Lamp']) expect(await registry.find(id)).toEqual(client(id, 1, id))
  })
}
