import type { Client } from '../../lib/ports/client.js'
import { memoryClientRegistry } from '../../lib/stores/memory/memory-clients.js'

const client = (clientId: string, registrar?: string): Client => ({
  clientId,
  revision: 1,
  authenticationMethods: ['private_key_jwt'],
  ...(registrar !== undefined && { registeredBy: { clientId: registrar, keyId: `key of ${clientId}` } }),
})

describe('the registry in memory', () => {
  it('lets one client register half of its clients, and others the rest', async () => {
    const registry = memoryClientRegistry([client('first'), client('second')], 6)
    for (const id of ['a', 'b', 'c']) expect(await registry.save(client(id, 'first'))).toBe(true)
    await expect(registry.save(client('d', 'first'))).rejects.toThrow(/registered half/)
    expect(await registry.save(client('d', 'second'))).toBe(true)
    await expect(registry.save(client('e', 'second'))).rejects.toThrow(/full/)
  })

  it('counts a client until it is deleted, and once however often it is saved', async () => {
    const registry = memoryClientRegistry([client('a', 'first')], 4)
    expect(await registry.save({ ...client('a', 'first'), revision: 2 })).toBe(true)
    expect(await registry.save(client('b', 'first'))).toBe(true)
    await expect(registry.save(client('c', 'first'))).rejects.toThrow(/registered half/)
    expect(await registry.delete('a', 1)).toBe(false)
    expect(await registry.delete('a', 2)).toBe(true)
    expect(await registry.save(client('c', 'first'))).toBe(true)
  })
})
