import { callRegistry, changeClient } from '../../lib/clients/registry.js'
import type { Client, ClientRegistry } from '../../lib/ports/client.js'
import { memoryClientRegistry } from '../../lib/stores/memory/memory-clients.js'
import { deployed, reasonOf, refusalOf } from '../support/deployed.js'

const CLIENT: Client = { clientId: 'ci', revision: 1, authenticationMethods: [] }

/** A deployment with a registry in memory in which some verbs are replaced. */
function withRegistry(verbs: (kept: ClientRegistry) => Partial<ClientRegistry> = () => ({})) {
  const kept = memoryClientRegistry([CLIENT])
  const clients = { ...kept, ...verbs(kept) }
  return { kept, deployment: deployed({ clients, policy: { scopes: ['read'] } }).deployment }
}

describe('changeClient', () => {
  it('saves the change as the next revision, and returns both', async () => {
    const { kept, deployment } = withRegistry()
    const changed = await changeClient(deployment, 'ci', () => ({ ...CLIENT, metadata: { a: 1 } }))
    expect(changed).toMatchObject({ before: { revision: 1 }, after: { revision: 2, metadata: { a: 1 } } })
    expect(await kept.find('ci')).toEqual(changed?.after)
  })

  it('makes a client where there is none', async () => {
    const { kept, deployment } = withRegistry()
    const changed = await changeClient(deployment, 'new', () => ({ ...CLIENT, clientId: 'new' }))
    expect(changed).toMatchObject({ before: undefined, after: { revision: 1 } })
    expect(await kept.find('new')).toBeDefined()
  })

  it('saves nothing where nothing is wanted', async () => {
    const { deployment } = withRegistry(() => ({ save: () => Promise.reject(new Error('asked')) }))
    expect(await changeClient(deployment, 'ci', () => undefined)).toBeUndefined()
  })

  it('repeats the change on the new client when another change was first', async () => {
    const { kept, deployment } = withRegistry()
    const seen: unknown[] = []
    await changeClient(deployment, 'ci', async (before) => {
      seen.push(before?.revision)
      if (seen.length < 3) await kept.save({ ...CLIENT, revision: (before?.revision ?? 0) + 1 })
      return { ...CLIENT }
    })
    expect(seen).toEqual([1, 2, 3])
    expect(await kept.find('ci')).toMatchObject({ revision: 4 })
  })

  it('gives up with 503 when others are always first', async () => {
    let asked = 0
    const { deployment } = withRegistry(() => ({ save: async () => ++asked < 0 }))
    const refused = await refusalOf(() => changeClient(deployment, 'ci', () => CLIENT))
    expect(refused).toMatchObject({ reason: 'client_contended', code: 'temporarily_unavailable' })
    expect(asked).toBeLessThan(30)
  })

  it.each<[string, Partial<ClientRegistry>]>([
    ['find', { find: () => Promise.reject(new Error('down')) }],
    ['save', { save: () => Promise.reject(new Error('down')) }],
  ])('refuses with 503 when %s does not answer', async (_, verbs) => {
    const { deployment } = withRegistry(() => verbs)
    expect(await reasonOf(() => changeClient(deployment, 'ci', () => CLIENT))).toBe('registry_unavailable')
  })

  it('passes on a refusal of the change, and saves nothing', async () => {
    const { kept, deployment } = withRegistry()
    const refuse = () => callRegistry(() => Promise.reject(new Error('no')))
    expect(await reasonOf(() => changeClient(deployment, 'ci', refuse))).toBe('registry_unavailable')
    expect(await kept.find('ci')).toEqual(CLIENT)
  })
})

describe('the registry in memory', () => {
  it('forgets a client of a revision only if nobody has changed it since', async () => {
    const { kept } = withRegistry()
    await kept.save({ ...CLIENT, revision: 2 })
    expect([await kept.delete('ci', 1), await kept.delete('ci', 3)]).toEqual([false, false])
    expect(await kept.find('ci')).toBeDefined()
    expect([await kept.delete('ci', 2), await kept.delete('ci', 2)]).toEqual([true, false])
  })
})
