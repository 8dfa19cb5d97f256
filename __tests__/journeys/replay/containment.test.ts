import { askSigned } from '../../support/bound-client.js'
import { clientKey } from '../../support/client-assertion.js'
import {
  bindKey,
  EVERYTHING,
  eventsOf,
  KINDS,
  type Kind,
  PLACES,
  type Place,
  redeemed,
  typesSince,
  withFamilies,
} from '../../support/families.js'
import { signProof } from '../../support/proof.js'
import { exchangeKey, obtainKey, postForm, send } from '../../support/requests.js'
import { AUDIENCE, CLIENT, ISSUER, SECRET, WITH_ADMIN } from '../../support/server.js'

const places = Object.keys(PLACES) as Place[]
const kinds = Object.keys(KINDS) as Kind[]

/** The other events of a replay. */
const TOLD: Record<Kind, readonly string[]> = {
  token: [],
  registration: ['keys.revoked', 'client.deleted'],
  binding: ['keys.revoked', 'client.deleted'],
}

describe.each(kinds)('a key that was redeemed for a %s', (kind) => {
  // A key for a device. If the key binds or registers, this creates the device.
  const form = { requested_subject: 'device:7' }

  test.each(places)('and is replayed at %s ends its result', (place) =>
    withFamilies(async (server) => {
      const family = await redeemed(server, kind, form)
      const others = [await redeemed(server, 'token'), await redeemed(server, 'registration')]
      expect(await family.alive()).not.toContain(false)
      const since = server.events.length
      const { status } = await PLACES[place](server, family.key)
      expect(status).toBe(place === 'the token endpoint' ? 400 : 401)
      expect(typesSince(server, since)).toEqual([...TOLD[kind], 'key.replayed'])
      const { clientId } = family
      const [replay] = eventsOf(server, 'key.replayed')
      expect(replay).toMatchObject({
        keyId: family.keyId,
        clientId: CLIENT,
        address: expect.stringContaining('127.0.0.1'),
        severity: 'high',
        familyRevoked: true,
      })
      expect(replay?.family).toEqual(clientId && { clientId, fate: 'revoked' })
      expect(eventsOf(server, 'request.refused').at(-1)).toMatchObject({ reason: 'key_redeemed' })
      expect(await family.alive()).not.toContain(true)
      for (const other of others) expect(await other.alive()).not.toContain(false)
    }),
  )

  test('and is replayed over and over changes nothing more', () =>
    withFamilies(async (server) => {
      const family = await redeemed(server, kind, form)
      await PLACES['a route that redeems'](server, family.key).expect(401)
      const since = server.events.length
      for (const place of places) await PLACES[place](server, family.key)
      expect(typesSince(server, since)).toEqual(places.map(() => 'key.replayed'))
      const { clientId } = family
      for (const replay of eventsOf(server, 'key.replayed').slice(1)) {
        expect(replay.familyRevoked).toBe(false)
        expect(replay.family).toEqual(clientId && { clientId, fate: 'gone' })
      }
    }))

  test('is refused as one that was revoked is', () =>
    withFamilies(async (server) => {
      const family = await redeemed(server, kind, form)
      const revoked = await obtainKey(server, { scope: EVERYTHING })
      await postForm(server, '/oauth/revoke', { token: revoked }).auth(CLIENT, SECRET).expect(200)
      for (const place of places) {
        const [one, other] = [await PLACES[place](server, family.key), await PLACES[place](server, revoked)]
        expect(one.text).toBe(other.text)
        const same = (given: typeof one) => [
          given.status,
          { ...given.headers, date: undefined, etag: undefined },
        ]
        expect(same(one)).toEqual(same(other))
      }
    }))
})

describe('a binding whose key is replayed', () => {
  const policy = { scopes: EVERYTHING.split(' '), subjects: ['device:*'] }
  const withRebinding = (rebinding: 'add' | 'replace') => ({
    clients: [{ clientId: CLIENT, clientSecret: SECRET, policy: { ...policy, rebinding, maxBindings: 3 } }],
  })

  test('is taken from an identity that has another, which stays', () =>
    withFamilies(async (server) => {
      for (const form of [{}, { requested_subject: 'device:7' }]) {
        const [first, second] = [
          await redeemed(server, 'binding', form),
          await redeemed(server, 'binding', form),
        ]
        const { binding_id: bindingId, cnf: confirmation } = second.answer.body
        const since = server.events.length
        await PLACES['the bind endpoint'](server, second.key).expect(401)
        expect(typesSince(server, since)).toEqual(['client.unbound', 'key.replayed'])
        expect(eventsOf(server, 'client.unbound').at(-1)).toMatchObject({
          clientId: second.clientId,
          keyId: second.keyId,
          bindingId,
          confirmation,
          by: 'replay',
        })
        expect([await first.alive(), await second.alive()]).toEqual([[true], [false]])
        // Also when another key has bound to the same client since then.
        const third = await redeemed(server, 'binding', form)
        await PLACES['the bind endpoint'](server, first.key).expect(401)
        expect([await first.alive(), await third.alive()]).toEqual([[false], [true]])
      }
    }, withRebinding('add')))

  test('is taken from a client that has a secret, which stays', () =>
    withFamilies(async (server) => {
      const family = await redeemed(server, 'binding')
      await PLACES['the bind endpoint'](server, family.key).expect(401)
      expect(await family.alive()).toEqual([false])
      expect(await server.keys.listBindings(CLIENT)).toEqual([])
      await obtainKey(server, { scope: 'devices:read' })
    }))

  test('is not there any more where another replaced it, which stays', () =>
    withFamilies(async (server) => {
      const form = { requested_subject: 'device:7' }
      const [first, second] = [
        await redeemed(server, 'binding', form),
        await redeemed(server, 'binding', form),
      ]
      await PLACES['a route that redeems'](server, first.key).expect(401)
      expect(eventsOf(server, 'key.replayed')[0]?.family).toEqual({ clientId: 'device:7', fate: 'gone' })
      expect(await second.alive()).toEqual([true])
      // The current binding stays and does not return to the one before.
      await PLACES['a route that redeems'](server, second.key).expect(401)
      expect([await first.alive(), await second.alive()]).toEqual([[false], [false]])
    }, withRebinding('replace')))

  test('of an identity that comes into being by it takes along what that was issued', () =>
    withFamilies(async (server) => {
      const key = await obtainKey(server, { scope: EVERYTHING, requested_subject: 'device:7' })
      const bound = clientKey()
      await bindKey(server, key, bound).expect(201)
      const own = (await askSigned(server, bound, 'device:7')).body.access_token
      await PLACES['a route that redeems'](server, key).expect(401)
      await send(server, 'post', '/oauth/bind').auth(own, { type: 'bearer' }).expect(401)
      expect(eventsOf(server, 'request.refused').at(-1)).toMatchObject({ reason: 'key_revoked' })
    }))
})

describe('a replay with something else wrong with it', () => {
  test.each([
    ['a scope beyond', (server, key) => exchangeKey(server, key, { scope: 'elsewhere' })],
    [
      'an audience beyond',
      (server, key) => exchangeKey(server, key, { resource: 'https://elsewhere.example' }),
    ],
    ['the name of another client', (server, key) => exchangeKey(server, key, { client_id: 'bystander' })],
    ['nothing to bind', (server, key) => send(server, 'post', '/oauth/bind').auth(key, { type: 'bearer' })],
    [
      'metadata that nobody registers',
      (server, key) =>
        send(server, 'post', '/oauth/register').auth(key, { type: 'bearer' }).send({ redirect_uris: 7 }),
    ],
  ] as [string, (typeof PLACES)[Place]][])('is one all the same: %s', (_, replay) =>
    withFamilies(async (server) => {
      const family = await redeemed(server, 'token')
      expect([400, 401]).toContain((await replay(server, family.key)).status)
      expect(eventsOf(server, 'key.replayed')).toHaveLength(1)
      expect(eventsOf(server, 'request.refused')[0]?.reason).toBe('key_redeemed')
      expect(await family.alive()).toEqual([false, false])
    }),
  )

  test.each(places)('is one all the same: no scope for %s', (place) =>
    withFamilies(
      async (server) => {
        const family = await redeemed(server, 'token', { scope: 'provision:token admin' })
        expect([400, 401]).toContain((await PLACES[place](server, family.key)).status)
        expect(eventsOf(server, 'key.replayed')).toHaveLength(1)
        expect((await family.alive())[1]).toBe(false)
      },
      { policy: WITH_ADMIN },
    ),
  )

  test('of one that is bound by its holder is one as well', () =>
    withFamilies(async (server) => {
      const holder = clientKey()
      const url = `${ISSUER}/oauth/token`
      const proof = () => signProof(holder, { method: 'POST', url })
      const form = { grant_type: 'client_credentials', scope: EVERYTHING }
      const { body } = await postForm(server, '/oauth/token', form).auth(CLIENT, SECRET).set('DPoP', proof())
      await exchangeKey(server, body.access_token).set('DPoP', proof()).expect(200)
      const { body: refusal } = await exchangeKey(server, body.access_token, {
        resource: AUDIENCE,
        scope: 'x',
      })
        .set('DPoP', proof())
        .expect(400)
      // The owner gets the reason.
      expect(refusal).toEqual({
        error: 'invalid_request',
        error_description: 'The key has been redeemed; a key is good for one redemption.',
      })
      expect(eventsOf(server, 'key.replayed')).toHaveLength(1)
    }))
})
