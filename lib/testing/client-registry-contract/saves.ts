import { client, type RegistryTest } from './setup.js'

/** A saved client is found. Only its next revision can be saved. */
export function testSaves(test: RegistryTest): void {
  test('finds no client in an empty registry', async ({ registry }) => {
    expect(await registry.find('lamp')).toBeUndefined()
  })
  test('saves the revisions of a client one after another', async ({ registry }) => {
    expect(await registry.save(client('lamp', 1))).toBe(true)
    expect(await registry.find('lamp')).toEqual(client('lamp', 1))
    expect(await registry.save(client('lamp', 2, 'second'))).toBe(true)
    expect(await registry.save(client('lamp', 3, 'third'))).toBe(true)
    expect(await registry.find('lamp')).toEqual(client('lamp', 3, 'third'))
  })
  test('saves a new client only as revision 1', async ({ registry }) => {
    for (const revision of [2, 3, 100]) expect(await registry.save(client('lamp', revision))).toBe(false)
    expect(await registry.find('lamp')).toBeUndefined()
  })
  test('saves only the next revision, and changes nothing otherwise', async ({ registry }) => {
    await registry.save(client('lamp', 1))
    await registry.save(client('lamp', 2, 'second'))
    for (const revision of [1, 2, 4, 100])
      expect(await registry.save(client('lamp', revision, 'other'))).toBe(false)
    expect(await registry.find('lamp')).toEqual(client('lamp', 2, 'second'))
  })
  testCopies(test)
}

function testCopies(test: RegistryTest): void {
  test('replaces a whole client, and keeps no earlier members', async ({ registry }) => {
    await registry.save({ ...client('lamp', 1), secretExpiresAt: 9, metadata: { a: [1, 2], b: 3 } })
    await registry.save({ ...client('lamp', 2), metadata: { a: [4] } })
    expect(await registry.find('lamp')).toEqual({ ...client('lamp', 2), metadata: { a: [4] } })
  })
  test('does not change a client when the caller changes the saved object later', async ({ registry }) => {
    const saved = { ...client('lamp', 1), metadata: { client_name: 'first' } }
    await registry.save(saved)
    saved.metadata.client_name = 'changed'
    expect(await registry.find('lamp')).toEqual(client('lamp', 1))
  })
  test('shows a saved client to all other registries immediately', async ({ registry, registries }) => {
    const [, other = registry] = await registries(2)
    await registry.save(client('lamp', 1))
    expect(await other.find('lamp')).toEqual(client('lamp', 1))
    expect(await other.save(client('lamp', 1, 'other'))).toBe(false)
    expect(await other.save(client('lamp', 2, 'second'))).toBe(true)
    expect(await registry.find('lamp')).toEqual(client('lamp', 2, 'second'))
    expect(await registry.save(client('lamp', 2, 'other'))).toBe(false)
  })
}
