import crypto from 'node:crypto'
import { hashSecret } from '../../lib/base/secret.js'
import type { Client, ClientRegistry } from '../../lib/ports/client.js'
import { memoryClientRegistry } from '../../lib/stores/memory/memory-clients.js'
import { reasonOf, refusalOf } from '../support/deployed.js'
import { faultsOf, parse } from './faults-of.js'

const SECRET = 'correct-horse-battery-staple'
const policy = { scopes: ['read'] }
const ci = { clientId: 'ci', clientSecret: SECRET, policy }

const deploymentOf = (clients: unknown) => parse({ clients, policy }).deployment

describe('clients as a list', () => {
  it('are found by their ids, and can be saved and deleted', async () => {
    const { registry, registryWritable } = deploymentOf([ci, { clientId: 'other', clientSecret: SECRET }])
    expect(registryWritable).toBe(true)
    const found = (await registry.find('ci')) as Client
    expect(found).toMatchObject({ clientId: 'ci', revision: 1 })
    expect(await registry.find('unknown')).toBeUndefined()
    expect(await registry.save({ ...found, revision: 2 })).toBe(true)
    expect(await registry.save({ ...found, revision: 2 })).toBe(false)
    expect([await registry.delete('ci'), await registry.delete('ci')]).toEqual([true, false])
  })

  it('are not affected by what becomes of the list', async () => {
    const list = [ci]
    const { registry } = deploymentOf(list)
    list.push({ ...ci, clientId: 'intruder' })
    expect(await registry.find('intruder')).toBeUndefined()
  })

  it('are none when the list is empty', async () => {
    expect(await deploymentOf([]).registry.find('ci')).toBeUndefined()
  })

  it('have ids of their own', () => {
    expect(faultsOf({ clients: [ci, { ...ci, clientId: 'CI' }, ci, ci], policy })).toEqual([
      'clients[2].clientId: expected an id that no other client has, got "ci"',
      'clients[3].clientId: expected an id that no other client has, got "ci"',
    ])
  })

  it('are refused with a secret of 8 characters, which a stranger can guess', () => {
    expect(faultsOf({ clients: [{ ...ci, clientSecret: 'hunter22' }], policy })).toEqual([
      'clients[0].clientSecret: expected at least 24 characters (generate one: openssl rand -hex 32), got a string of 8 characters',
    ])
  })

  it('are judged one and all', () => {
    const clients = [
      { ...ci, clientSecret: 'short' },
      'other',
      { clientId: 'x' },
      { ...ci, clientId: 'y', scopes: [] },
    ]
    expect(faultsOf({ clients, policy }).map((fault) => fault.split(': ')[0])).toEqual([
      'clients[0].clientSecret',
      'clients[1]',
      'clients[2].clientSecret',
      'clients[3].scopes',
    ])
  })
})

describe('clients as a function', () => {
  const entries = {
    plain: { ...ci, clientId: 'plain' },
    hashed: { clientId: 'hashed', secretHash: hashSecret(SECRET) },
  }
  const lookup = (id: string) => entries[id as keyof typeof entries]

  it.each([
    ['answers immediately', lookup],
    ['answers later', async (id: string) => lookup(id)],
    ['answers null for none', (id: string) => lookup(id) ?? null],
  ])('are found when it %s', async (_, clients) => {
    const { registry, registryWritable } = deploymentOf(clients)
    expect(await registry.find('plain')).toMatchObject({ clientId: 'plain', policy, revision: 1 })
    expect(await registry.find('hashed')).toMatchObject({ secretHash: entries.hashed.secretHash })
    expect(await registry.find('unknown')).toBeUndefined()
    expect(registryWritable).toBe(false)
  })

  it('take as much reading when there is none, so that time does not tell who exists', async () => {
    const { registry } = deploymentOf(lookup)
    const copies: number[] = []
    for (const id of ['hashed', 'unknown']) {
      const copy = jest.spyOn(globalThis, 'structuredClone')
      await registry.find(id)
      copies.push(copy.mock.calls.length)
      copy.mockRestore()
    }
    expect(copies).toEqual([1, 1])
  })

  it('cannot be saved or deleted', async () => {
    const { registry } = deploymentOf(lookup)
    const client = (await registry.find('plain')) as Client
    await expect(registry.save({ ...client, revision: 2 })).rejects.toThrow(/lookup function/)
    await expect(registry.delete('plain')).rejects.toThrow(/lookup function/)
  })

  it('are never asked for while the options are parsed', () => {
    const clients = () => {
      throw new Error('asked')
    }
    expect(faultsOf({ clients })).toEqual([])
  })
})

describe('clients in a registry', () => {
  const client: Client = {
    ...ci,
    secretHash: hashSecret(SECRET),
    revision: 1,
    authenticationMethods: ['client_secret_post'],
  }
  const { clientSecret: _, ...kept } = client as Client & { clientSecret?: string }

  it('are found, saved and deleted by it', async () => {
    const inner = memoryClientRegistry([kept])
    const { registry, registryWritable } = deploymentOf(inner)
    expect(registryWritable).toBe(true)
    expect(await registry.find('ci')).toEqual(kept)
    expect(await registry.save({ ...kept, revision: 2 })).toBe(true)
    expect(await inner.find('ci')).toMatchObject({ revision: 2 })
    expect([await registry.delete('ci'), await inner.find('ci')]).toEqual([true, undefined])
  })

  it('may be one with methods of a class', async () => {
    class Registry implements ClientRegistry {
      readonly #client = kept
      async find(clientId: string) {
        return clientId === this.#client.clientId ? this.#client : undefined
      }
      async save() {
        return true
      }
      async delete() {
        return true
      }
    }
    const { registry } = deploymentOf(new Registry())
    expect(await registry.find('ci')).toMatchObject({ clientId: 'ci' })
    expect([await registry.save({ ...kept, revision: 2 }), await registry.delete('ci')]).toEqual([true, true])
  })
})

describe('a client that was found', () => {
  const FAULTY: [string, unknown, RegExp][] = [
    ['is another', { ...ci, clientId: 'other' }, /client\.clientId: expected the requested id, got another/],
    ['has no id', { clientSecret: SECRET }, /client\.clientId: expected 1 to 255 printable/],
    ['has no secret', { clientId: 'ci' }, /client\.clientSecret: expected a clientSecret or a secretHash/],
    [
      'has a hash of another kind',
      { clientId: 'ci', secretHash: '$2b$10$abcdefgh' },
      /client\.secretHash: expected the result/,
    ],
    [
      'has an expiry in milliseconds',
      { ...ci, secretExpiresAt: 1.7e12 },
      /client\.secretExpiresAt: expected a NumericDate/,
    ],
    [
      'has a wildcard',
      { ...ci, policy: { scopes: ['*'] } },
      /client\.policy\.scopes\[0\]: expected a scope token/,
    ],
    ['has a member we do not know', { ...ci, role: 'admin' }, /client\.role: expected one of clientId/],
    ['is no object', 'ci', /client: expected an object with a clientId, got a string of 2 characters/],
    ['is false', false, /client: expected an object/],
  ]
  it.each(FAULTY)('and %s lets nobody in, and is no secret to the event', async (_, found, detail) => {
    for (const clients of [
      () => found,
      { find: async () => found, save: async () => true, delete: async () => true },
    ]) {
      const refusal = await refusalOf(() => deploymentOf(clients).registry.find('ci'))
      expect(refusal).toMatchObject({ reason: 'server_fault', code: 'server_error', disclosed: false })
      expect(refusal.message).toMatch(detail)
      expect(refusal.message).not.toMatch(/correct-horse|\$2b\$/)
    }
  })

  it('costs a hash for a missing client too, if the clients have plain secrets', async () => {
    const hashed = jest.spyOn(crypto, 'createHmac')
    const { registry } = deploymentOf((id: string) => (id === 'ci' ? ci : undefined))
    const hashesFor = async (id: string) => {
      hashed.mockClear()
      await registry.find(id)
      return hashed.mock.calls.length
    }
    try {
      expect(await hashesFor('ci')).toBe(1)
      expect(await hashesFor('nobody')).toBe(1)
    } finally {
      hashed.mockRestore()
    }
  })

  it('is checked each time', async () => {
    const answers: unknown[] = [ci, { ...ci, clientSecret: 'short' }, ci]
    const { registry } = deploymentOf(() => answers.shift())
    const reasons = []
    for (let i = 0; i < 3; i += 1) reasons.push(await reasonOf(() => registry.find('ci')))
    expect(reasons).toEqual([undefined, 'server_fault', undefined])
  })
})

describe('clients are refused', () => {
  const SHAPES = 'a list of clients, a function that looks one up, or a ClientRegistry'
  it.each([
    [undefined, 'undefined'],
    [null, 'null'],
    ['[{"clientId":"ci","secret":"my-secret"}]', 'a string of 40 characters'],
    [{}, 'an object'],
    [{ find: () => undefined }, 'an object'],
    [{ ci: SECRET }, 'an object'],
    [7, expect.anything()],
  ])('when they are %j', (clients, got) => {
    const [fault, ...others] = faultsOf({ clients })
    expect(others).toEqual([])
    if (typeof got === 'string') expect(fault).toBe(`clients: expected ${SHAPES}, got ${got}`)
    else expect(fault).toContain(`clients: expected ${SHAPES}, got `)
  })
})
