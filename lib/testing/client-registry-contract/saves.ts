import { client, type ProveRegistry } from './bench.js'

/** What is saved is found, and only the next revision is saved. */
export function proveSaves(prove: ProveRegistry): void {
  prove('finds nobody in an empty registry', async ({ registry }) => {
    expect(await registry.find('lamp')).toBeUndefined()
  })
  prove('keeps a client from its first revision on', async ({ registry }) => {
    expect(await registry.save(client('lamp', 1))).toBe(true)
    expect(await registry.find('lamp')).toEqual(client('lamp', 1))
    expect(await registry.save(client('lamp', 2, 'second'))).toBe(true)
    expect(await registry.save(client('lamp', 3, 'third'))).toBe(true)
    expect(await registry.find('lamp')).toEqual(client('lamp', 3, 'third'))
  })
  prove('takes no other revision of a new client than 1', async ({ registry }) => {
    for (const revision of [2, 3, 100]) expect(await registry.save(client('lamp', revision))).toBe(false)
    expect(await registry.find('lamp')).toBeUndefined()
  })
  prove('takes no other revision than the next, and changes nothing then', async ({ registry }) => {
    await registry.save(client('lamp', 1))
    await registry.save(client('lamp', 2, 'second'))
    for (const revision of [1, 2, 4, 100])
      expect(await registry.save(client('lamp', revision, 'other'))).toBe(false)
    expect(await registry.find('lamp')).toEqual(client('lamp', 2, 'second'))
  })
  prove('replaces a client as a whole, and mixes nothing', async ({ registry }) => {
    await registry.save({ ...client('lamp', 1), secretExpiresAt: 9, metadata: { a: [1, 2], b: 3 } })
    await registry.save({ ...client('lamp', 2), metadata: { a: [4] } })
    expect(await registry.find('lamp')).toEqual({ ...client('lamp', 2), metadata: { a: [4] } })
  })
  prove('has a client of its own, whatever becomes of what was saved', async ({ registry }) => {
    const saved = { ...client('lamp', 1), metadata: { client_name: 'first' } }
    await registry.save(saved)
    saved.metadata.client_name = 'changed'
    expect(await registry.find('lamp')).toEqual(client('lamp', 1))
  })
  prove('shows what one registry has saved to all others at once', async ({ registry, registries }) => {
    const [, other = registry] = await registries(2)
    await registry.save(client('lamp', 1))
    expect(await other.find('lamp')).toEqual(client('lamp', 1))
    expect(await other.save(client('lamp', 1, 'other'))).toBe(false)
    expect(await other.save(client('lamp', 2, 'second'))).toBe(true)
    expect(await registry.find('lamp')).toEqual(client('lamp', 2, 'second'))
    expect(await registry.save(client('lamp', 2, 'other'))).toBe(false)
  })
}
