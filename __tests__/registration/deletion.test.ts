import { findClient } from '../../lib/clients/registry.js'
import { deleteClient } from '../../lib/registration/deletion.js'
import { deployed, refusalOf, START, storeBut } from '../support/deployed.js'

const CLIENT = { clientId: 'device:7', revision: 1, authenticationMethods: [] }

describe('a deletion', () => {
  it('that comes late spares a new client with the same identity', async () => {
    let release = () => {}
    const held = new Promise<void>((resolve) => {
      release = resolve
    })
    const waits = [held, undefined]
    const store = storeBut({
      revokeIssuedBefore: async () => {
        await waits.shift()
        return 'revoked'
      },
    })
    const { deployment, events } = deployed({ store })
    const { registry } = deployment
    await registry.save(CLIENT)
    const late = deleteClient(deployment, 'device:7')
    await new Promise((resolve) => setImmediate(resolve))
    expect(await deleteClient(deployment, 'device:7')).toBe('deleted')
    await registry.save(CLIENT)
    release()
    await late
    expect(await registry.find('device:7')).toEqual(CLIENT)
    expect(events.filter(({ type }) => type === 'client.deleted')).toHaveLength(1)
  })

  it('leaves nothing but a mark when the store fails, and can be repeated', async () => {
    const verbs = { revokeIssuedBefore: () => Promise.reject(new Error('down')) }
    const { deployment } = deployed({ store: storeBut(verbs) })
    expect(await refusalOf(() => deleteClient(deployment, 'ci-runner'))).toMatchObject({
      reason: 'store_unavailable',
    })
    const left = await deployment.registry.find('ci-runner')
    expect(Object.keys(left ?? {}).sort()).toEqual([
      'authenticationMethods',
      'clientId',
      'deletedAt',
      'revision',
    ])
    expect(left?.authenticationMethods).toEqual([])
  })

  it('that fails halfway can be repeated after the deadline of an unused registration', async () => {
    const outcomes = [Promise.reject(new Error('down')), Promise.resolve('revoked' as const)]
    for (const outcome of outcomes) outcome.catch(() => undefined)
    const revokeIssuedBefore = () => outcomes.shift() ?? Promise.reject(new Error('called too often'))
    const { deployment, clock } = deployed({ store: storeBut({ revokeIssuedBefore }) })
    const registration = { issuedAt: START, scopes: [], tokens: [], confirmBy: START + 10 }
    await deployment.registry.save({ ...CLIENT, registration })
    expect(await refusalOf(() => deleteClient(deployment, 'device:7'))).toMatchObject({
      reason: 'store_unavailable',
    })
    clock.seconds = START + 10
    expect(await findClient(deployment, 'device:7')).toBeUndefined()
    expect(await deleteClient(deployment, 'device:7')).toBe('deleted')
    expect(outcomes).toEqual([])
  })
})
