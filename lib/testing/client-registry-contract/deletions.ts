import { client, type RegistryTest } from './setup.js'

/** A deleted client is gone. A deletion with a revision deletes only this revision. */
export function testDeletions(test: RegistryTest): void {
  test('deletes a client once', async ({ registry }) => {
    expect(await registry.delete('lamp')).toBe(false)
    await registry.save(client('lamp', 1))
    expect(await registry.delete('lamp')).toBe(true)
    expect(await registry.find('lamp')).toBeUndefined()
    expect(await registry.delete('lamp')).toBe(false)
  })
  test('deletes a revision only if it is the stored one', async ({ registry }) => {
    await registry.save(client('lamp', 1))
    await registry.save(client('lamp', 2, 'second'))
    for (const revision of [0, 1, 3]) expect(await registry.delete('lamp', revision)).toBe(false)
    expect(await registry.find('lamp')).toEqual(client('lamp', 2, 'second'))
    expect(await registry.delete('lamp', 2)).toBe(true)
    expect(await registry.delete('lamp', 2)).toBe(false)
    expect(await registry.find('lamp')).toBeUndefined()
  })
  test('does not save the next revision of a deleted client', async ({ registry }) => {
    await registry.save(client('lamp', 1))
    await registry.delete('lamp')
    expect(await registry.save(client('lamp', 2, 'late'))).toBe(false)
    expect(await registry.find('lamp')).toBeUndefined()
  })
  test('saves a deleted client again as revision 1', async ({ registry, registries }) => {
    const [, other = registry] = await registries(2)
    await registry.save(client('lamp', 1))
    await registry.delete('lamp', 1)
    expect(await other.save(client('lamp', 1, 'again'))).toBe(true)
    expect(await registry.find('lamp')).toEqual(client('lamp', 1, 'again'))
  })
  test('deletes no other client', async ({ registry }) => {
    for (const id of ['lamp', 'lam', 'lamp-2', 'Lamp']) await registry.save(client(id, 1, id))
    await registry.delete('lamp')
    for (const id of ['lam', 'lamp-2', 'Lamp']) expect(await registry.find(id)).toEqual(client(id, 1, id))
  })
}
