import { hashSecret, memoryStore } from '../../../lib/index.js'
import { callApi } from '../../support/access-tokens.js'
import {
  EVERYTHING,
  eventsOf,
  PLACES,
  redeemed,
  switchedRegistry,
  typesSince,
  withFamilies,
} from '../../support/families.js'
import { manage, type Registered } from '../../support/registering.js'
import { askForKey, send } from '../../support/requests.js'
import { AUDIENCE, CLIENT, ISSUER, type RunningServer, SECRET } from '../../support/server.js'
import { startApi } from '../../support/split.js'
import { trustingFetch } from '../../support/trusting-fetch.js'

const FORM = { requested_subject: 'device:7' }
const POLICY = { scopes: EVERYTHING.split(' '), subjects: ['device:*'] }

function replay(server: RunningServer, { key }: { readonly key: string }) {
  return PLACES['a route that redeems'](server, key)
}

function asker(onReplay: 'revoke' | 'flag' = 'revoke') {
  return {
    clientId: CLIENT,
    revision: 1,
    secretHash: hashSecret(SECRET),
    authenticationMethods: ['client_secret_basic'],
    policy: { ...POLICY, onReplay },
  } as const
}

describe('where policy only flags', () => {
  const clients = [
    { clientId: CLIENT, clientSecret: SECRET, policy: { ...POLICY, onReplay: 'flag' as const } },
  ]

  test('an access token of the family ends all the same', () =>
    withFamilies(
      async (server) => {
        const family = await redeemed(server, 'token')
        await replay(server, family).expect(401)
        expect(await family.alive()).toEqual([false, false])
        expect(eventsOf(server, 'key.replayed')[0]).not.toHaveProperty('family')
      },
      { clients },
    ))

  test('a registered client is left, flagged once, and manages itself no more', () =>
    withFamilies(
      async (server) => {
        const family = await redeemed(server, 'registration')
        const since = server.events.length
        for (let i = 0; i < 2; i++) await replay(server, family).expect(401)
        expect(typesSince(server, since)).toEqual(['client.flagged', 'key.replayed', 'key.replayed'])
        const { clientId, keyId } = family
        expect(eventsOf(server, 'client.flagged')).toMatchObject([{ clientId, keyId, severity: 'high' }])
        for (const { family: end } of eventsOf(server, 'key.replayed'))
          expect(end).toEqual({ clientId, fate: 'flagged' })
        // The token no longer works, the secret does.
        expect(await family.alive()).toEqual([false, true])
        await manage(server, 'delete', family.answer.body).expect(401)
      },
      { clients },
    ))

  test('a binding is left, flagged once, and the operator sees it', () =>
    withFamilies(
      async (server) => {
        const family = await redeemed(server, 'binding', FORM)
        const since = server.events.length
        for (let i = 0; i < 2; i++) await replay(server, family).expect(401)
        expect(typesSince(server, since)).toEqual(['client.flagged', 'key.replayed', 'key.replayed'])
        const bindingId = family.answer.body.binding_id
        expect(eventsOf(server, 'client.flagged')).toMatchObject([{ clientId: 'device:7', bindingId }])
        expect(await server.keys.listBindings('device:7')).toMatchObject([
          { bindingId, flaggedAt: expect.any(Number) },
        ])
        expect(await family.alive()).toEqual([true])
        // The answer gives no details, because its recipient may be the thief.
        expect(JSON.stringify(family.answer.body)).not.toContain('flag')
      },
      { clients },
    ))

  test.each(['registration', 'binding'] as const)('the operator revokes a %s that is flagged', (kind) =>
    withFamilies(
      async (server) => {
        const family = await redeemed(server, kind, FORM)
        const { keyId } = family
        await replay(server, family).expect(401)
        const since = server.events.length
        expect(await server.keys.revokeFamily({ clientId: CLIENT, keyId })).toBe('revoked')
        expect(typesSince(server, since)).toEqual(['keys.revoked', 'client.deleted', 'family.revoked'])
        expect(eventsOf(server, 'client.deleted')).toMatchObject([{ clientId: 'device:7', by: 'operator' }])
        expect(eventsOf(server, 'family.revoked')).toMatchObject([
          {
            keyId,
            clientId: CLIENT,
            familyRevoked: false,
            family: { clientId: 'device:7', fate: 'revoked' },
          },
        ])
        expect(await family.alive()).not.toContain(true)
        expect(await server.keys.revokeFamily({ clientId: CLIENT, keyId })).toBe('unchanged')
        expect(eventsOf(server, 'family.revoked')).toHaveLength(1)
      },
      { clients },
    ),
  )

  test('the deployment decides, where it says to revoke', () => {
    const policy = { onReplay: 'revoke' as const }
    return withFamilies(
      async (server) => {
        const family = await redeemed(server, 'registration')
        await replay(server, family).expect(401)
        expect(await family.alive()).toEqual([false, false])
      },
      { policy, clients: switchedRegistry([asker('flag')]) },
    )
  })
})

describe('where the registry is away', () => {
  test.each([
    ['registration', 'find'],
    ['registration', 'save'],
    ['registration', 'delete'],
    ['binding', 'find'],
    ['binding', 'save'],
    ['binding', 'delete'],
  ] as const)('a replay of the key of a %s waits for %s, and the next one completes it', (kind, verb) => {
    const clients = switchedRegistry([asker()])
    return withFamilies(
      async (server) => {
        const family = await redeemed(server, kind, FORM)
        clients.down.add(verb)
        const { status, headers, body } = await replay(server, family)
        expect([status, body.error]).toEqual([503, 'temporarily_unavailable'])
        expect(Number(headers['retry-after'])).toBeGreaterThan(0)
        const unreached = { clientId: 'device:7', fate: 'unreached' }
        expect(eventsOf(server, 'key.replayed')).toMatchObject([{ familyRevoked: true, family: unreached }])
        clients.down.clear()
        await replay(server, family).expect(401)
        const revoked = { clientId: 'device:7', fate: 'revoked' }
        expect(eventsOf(server, 'key.replayed')[1]).toMatchObject({ familyRevoked: false, family: revoked })
        expect(await family.alive()).not.toContain(true)
        expect(await clients.kept.find('device:7')).toBeUndefined()
      },
      { clients },
    )
  })

  test('a replay of the key of a token does not need it', () => {
    const clients = switchedRegistry([asker()])
    return withFamilies(
      async (server) => {
        const family = await redeemed(server, 'token')
        clients.down.add('find')
        await replay(server, family).expect(401)
        await callApi(server, family.answer.body.access_token).expect(401)
      },
      { clients },
    )
  })
})

test('where the store is away a replay is a 503, and told of by nobody', () => {
  const memory = memoryStore()
  let isDown = false
  const revokeFamily: typeof memory.revokeFamily = async (ref) => {
    if (isDown) throw new Error('down')
    return memory.revokeFamily(ref)
  }
  return withFamilies(
    async (server) => {
      const family = await redeemed(server, 'registration')
      isDown = true
      await replay(server, family).expect(503)
      expect(eventsOf(server, 'key.replayed')).toMatchObject([
        { familyRevoked: false, family: { fate: 'unreached' } },
      ])
      expect(await family.alive()).toEqual([true, true])
      isDown = false
      await replay(server, family).expect(401)
      expect(await family.alive()).toEqual([false, false])
    },
    { store: { ...memory, revokeFamily } },
  )
})

test('an API with a store and no registry reports the rest, and the operator revokes it', () => {
  const store = memoryStore()
  return withFamilies(
    async (server) => {
      const jwks = `${server.origin}/oauth/jwks`
      const fetch = await trustingFetch(server.cert)
      const api = await startApi({ issuer: ISSUER, audience: AUDIENCE, jwks, fetch, store, rateLimit: false })
      try {
        const family = await redeemed(server, 'registration')
        for (const [method, path] of [
          ['get', '/devices'],
          ['post', '/devices'],
        ] as const)
          await send(api, method, path).auth(family.key, { type: 'bearer' }).expect(401)
        const [replayed] = eventsOf(api, 'key.replayed')
        const { clientId, keyId } = family
        expect(replayed).toMatchObject({
          keyId,
          clientId: CLIENT,
          familyRevoked: true,
          family: { clientId, fate: 'unreached' },
        })
        const { client_id: id, client_secret: secret }: Registered = family.answer.body
        await askForKey(server, {}, { id, secret }).expect(200)
        // As an observer of events would do.
        expect(await server.keys.revokeFamily({ clientId: CLIENT, keyId })).toBe('revoked')
        await askForKey(server, {}, { id, secret }).expect(401)
        await send(api, 'post', '/devices').auth(family.key, { type: 'bearer' }).expect(401)
      } finally {
        await api.close()
      }
    },
    { store },
  )
})
