import type { Client } from '../../../lib/ports/client.js'
import type { ProvisioningStore } from '../../../lib/ports/store.js'
import { memoryStore } from '../../../lib/stores/memory/memory.js'
import { postSigned } from '../../support/bound-client.js'
import { clientKey } from '../../support/client-assertion.js'
import { type ConfirmingSite, newDeviceId, startConfirmingSite } from '../../support/confirming.js'
import { signProof } from '../../support/proof.js'
import { gate, keyRefOf, until } from '../../support/redeeming.js'
import { obtainKey, send } from '../../support/requests.js'
import { CLIENT, ISSUER, type RunningServer, SECRET, startServer } from '../../support/server.js'

/** A thief acts after a redemption has saved its result, and before the store has settled the key. */
interface Moment {
  act?: (server: RunningServer) => Promise<void>
}

async function withMoment(test: (server: RunningServer, moment: Moment) => Promise<void>): Promise<void> {
  const scopes = ['provision:bind', 'provision:register', 'devices:read']
  const policy = { scopes, subjects: ['device:*'], rebinding: 'replace' as const }
  const clients = [{ clientId: CLIENT, clientSecret: SECRET, policy }]
  const memory = memoryStore()
  const moment: Moment = {}
  const settle: ProvisioningStore['settle'] = async (...given) => {
    const { act } = moment
    delete moment.act
    await act?.(server)
    return memory.settle(...given)
  }
  const server = await startServer({ options: { clients, store: { ...memory, settle } } })
  await test(server, moment).finally(server.close)
}

const ASK = { grant_type: 'client_credentials', scope: 'devices:read' }

/** Sends a request with a bearer key. */
const post = (server: RunningServer, path: string, token: string) =>
  send(server, 'post', path).set('Authorization', `Bearer ${token}`)

const ASKERS: [whose: string, form: Record<string, string>, clientId: string][] = [
  ['the client that asked for the key', {}, CLIENT],
  ['a new identity', { requested_subject: 'device:7' }, 'device:7'],
]

describe('a thief gets no key by a binding that is not settled', () => {
  test.each(ASKERS)('to %s, and none after the binding was undone', (_whose, form, clientId) =>
    withMoment(async (server, moment) => {
      const key = clientKey()
      const stolen = await obtainKey(server, { scope: 'provision:bind devices:read', ...form })
      const statuses: number[] = []
      const ask = async () => {
        statuses.push((await postSigned(server, '/oauth/token', { key, clientId }, ASK)).status)
      }
      moment.act = async () => {
        await ask()
        await server.keys.revokeKey(keyRefOf(stolen))
      }
      const proof = signProof(key, { method: 'POST', url: `${ISSUER}/oauth/bind` }, { token: stolen })
      await post(server, '/oauth/bind', stolen).set('DPoP', proof).expect(401)
      await ask()
      expect(statuses).toEqual([401, 401])
      expect(await server.keys.listBindings(clientId)).toEqual([])
    }),
  )
})

test('a thief gets no key by a registration that is not settled', () =>
  withMoment(async (server, moment) => {
    const key = clientKey()
    const stolen = await obtainKey(server, {
      scope: 'provision:register devices:read',
      requested_subject: 'device:8',
    })
    const statuses: number[] = []
    moment.act = async () => {
      const by = { key, clientId: 'device:8' }
      statuses.push((await postSigned(server, '/oauth/token', by, ASK)).status)
    }
    const metadata = { token_endpoint_auth_method: 'private_key_jwt', jwks: { keys: [key.jwk] } }
    await post(server, '/oauth/register', stolen)
      .send({ ...metadata, scope: 'devices:read' })
      .expect(201)
    expect(statuses).toEqual([401])
    await postSigned(server, '/oauth/token', { key, clientId: 'device:8' }, ASK).expect(200)
  }))

test('a thief keeps no binding if two redemptions are undone that replaced each other', () =>
  withMoment(async (server, moment) => {
    const bind = (token: string) => {
      const proof = signProof(clientKey(), { method: 'POST', url: `${ISSUER}/oauth/bind` }, { token })
      return post(server, '/oauth/bind', token).set('DPoP', proof).expect(401)
    }
    const scope = { scope: 'provision:bind' }
    const [first, second] = [await obtainKey(server, scope), await obtainKey(server, scope)]
    const [isSaved, isOver] = [gate(), gate()]
    let later: Promise<unknown> = Promise.resolve()
    moment.act = async () => {
      moment.act = async () => {
        isSaved.open()
        await isOver.opened
      }
      later = bind(second).then(() => undefined)
      await isSaved.opened
      await server.keys.revokeKey(keyRefOf(first))
    }
    await bind(first)
    await server.keys.revokeKey(keyRefOf(second))
    isOver.open()
    await later
    await until(async () => (await server.keys.listBindings(CLIENT)).length === 0)
  }))

/** A process can stop for any time between reading and saving a client. */
describe('a stopped process cannot bring back a client that was undone', () => {
  const enroll = {
    bind: async (site: ConfirmingSite, clientId: string) => (await site.bind(clientKey(), clientId)).status,
    register: async ({ server }: ConfirmingSite, clientId: string) => {
      const form = { scope: 'provision:register devices:read', requested_subject: clientId }
      return (await post(server, '/oauth/register', await obtainKey(server, form)).send({})).status
    },
  }

  test.each(Object.entries(enroll))('after a %s that failed and another one', async (_, enrollAgain) => {
    const clock = { ahead: 0 }
    const memory = memoryStore({ now: () => Date.now() + clock.ahead * 1000 })
    const outcomes: ('revoked' | undefined)[] = [undefined, 'revoked']
    const settle: ProvisioningStore['settle'] = async (...given) =>
      outcomes.shift() ?? memory.settle(...given)
    const site = await startConfirmingSite({}, { store: { ...memory, settle } })
    try {
      const clientId = newDeviceId()
      const first = await enrollAgain(site, clientId)
      const read = await site.registry.find(clientId)
      site.passDeadline()
      clock.ahead = site.clock.ahead
      await site.server.keys.listBindings(clientId)
      expect([first, await enrollAgain(site, clientId), await enrollAgain(site, clientId)]).toEqual([
        201, 401, 201,
      ])
      expect(await site.registry.save({ ...(read as Client), revision: 2 })).toBe(false)
    } finally {
      await site.server.close()
    }
  })
})
