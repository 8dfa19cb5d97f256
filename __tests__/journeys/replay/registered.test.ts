import type { ProvisioningOptions } from '../../../lib/index.js'
import { memoryStore } from '../../../lib/index.js'
import { callApi } from '../../support/access-tokens.js'
import { askSigned } from '../../support/bound-client.js'
import { clientKey } from '../../support/client-assertion.js'
import {
  bindKey,
  EVERYTHING,
  eventsOf,
  PLACES,
  redeemed,
  typesSince,
  withFamilies,
} from '../../support/families.js'
import { manage, type Registered, update } from '../../support/registering.js'
import { askForKey, exchangeKey, obtainKey } from '../../support/requests.js'
import type { RunningServer } from '../../support/server.js'

const FORM = { requested_subject: 'device:7' }

function replay(server: RunningServer, { key }: { readonly key: string }) {
  return PLACES['a route that redeems'](server, key).expect(401)
}

describe('a client whose key is replayed', () => {
  test('loses its own keys and tokens, and nobody else does', () =>
    withFamilies(async (server) => {
      const families = [await redeemed(server, 'registration'), await redeemed(server, 'registration', FORM)]
      for (const family of families) {
        const { client_id: id, client_secret: secret }: Registered = family.answer.body
        const credentials = { id, secret }
        const wider = { scope: 'provision:token devices:read' }
        await update(server, family.answer.body, wider).expect(200)
        const ask = async () => (await askForKey(server, wider, credentials).expect(200)).body.access_token
        const [own, spent] = [await ask(), await ask()]
        const { access_token: token } = (await exchangeKey(server, spent).expect(200)).body
        const bystander = await redeemed(server, 'token')
        const live = await obtainKey(server, { scope: 'devices:read' })
        await callApi(server, token).expect(200)
        await replay(server, family)
        await callApi(server, token).expect(401)
        await PLACES['a route that leaves the key as it is'](server, own).expect(401)
        await askForKey(server, {}, credentials).expect(401)
        expect(await bystander.alive()).toEqual([true, true])
        await PLACES['a route that leaves the key as it is'](server, live).expect(200)
      }
    }))

  test('loses its later bindings together with the identity', () =>
    withFamilies(async (server) => {
      const family = await redeemed(server, 'registration', FORM)
      const bound = clientKey()
      await bindKey(server, await obtainKey(server, { scope: EVERYTHING, ...FORM }), bound).expect(201)
      await replay(server, family)
      expect((await askSigned(server, bound, 'device:7')).status).toBe(401)
    }))

  test('ends though it has updated itself and has another token', () =>
    withFamilies(
      async (server) => {
        const family = await redeemed(server, 'registration')
        const { body } = await update(server, family.answer.body, { client_name: 'other' }).expect(200)
        expect(body.registration_access_token).not.toBe(family.answer.body.registration_access_token)
        await replay(server, family)
        await manage(server, 'get', body).expect(401)
        expect(await family.alive()).toEqual([false, false])
      },
      { registration: { rotateAccessToken: true } },
    ))

  test('is gone where it has deleted itself', () =>
    withFamilies(async (server) => {
      const family = await redeemed(server, 'registration')
      await manage(server, 'delete', family.answer.body).expect(204)
      const since = server.events.length
      await replay(server, family)
      expect(typesSince(server, since)).toEqual(['key.replayed'])
      expect(eventsOf(server, 'key.replayed')[0]?.family).toEqual({ clientId: family.clientId, fate: 'gone' })
    }))
})

describe('an identity that came back by another key', () => {
  function turning(): { options: Partial<ProvisioningOptions>; pass: (seconds: number) => void } {
    let ahead = 0
    const now = () => Date.now() + ahead
    const pass = (seconds: number) => {
      ahead += seconds * 1000
    }
    return { options: { now, store: memoryStore({ now }) }, pass }
  }

  test('is not touched', () => {
    const { options, pass } = turning()
    return withFamilies(async (server) => {
      const first = await redeemed(server, 'registration', FORM)
      await manage(server, 'delete', first.answer.body).expect(204)
      // The deletion covers keys that are issued within the clock tolerance.
      pass(10)
      const second = await redeemed(server, 'registration', FORM)
      const since = server.events.length
      await replay(server, first)
      expect(typesSince(server, since)).toEqual(['key.replayed'])
      expect(eventsOf(server, 'key.replayed')[0]?.family).toEqual({ clientId: 'device:7', fate: 'gone' })
      expect(await second.alive()).toEqual([true, true])
    }, options)
  })
})

describe('what a client does with a key of its own', () => {
  const clients = [
    {
      clientId: 'ci-runner',
      clientSecret: 'correct-horse-battery-staple',
      policy: { scopes: EVERYTHING.split(' '), subjects: ['device:*'], rebinding: 'add' as const },
    },
    {
      clientId: 'rival',
      clientSecret: 'battery-horse-staple-correct',
      policy: { scopes: EVERYTHING.split(' '), subjects: ['device:*'], rebinding: 'add' as const },
    },
  ]

  test('deletes and unbinds only its own results', () =>
    withFamilies(
      async (server) => {
        const registered = await redeemed(server, 'registration', FORM)
        const bound = await redeemed(server, 'binding', { requested_subject: 'device:8' })
        for (const [subject, family] of [
          ['device:7', registered],
          ['device:8', bound],
        ] as const) {
          // The rival has all permissions of the identity, so it may bind a key to it. It replays this key.
          const asked = { scope: EVERYTHING, requested_subject: subject }
          const rival = { id: 'rival', secret: 'battery-horse-staple-correct' }
          const { body } = await askForKey(server, asked, rival).expect(200)
          const key = clientKey()
          await bindKey(server, body.access_token, key).expect(201)
          await replay(server, { key: body.access_token })
          expect((await askSigned(server, key, subject)).status).toBe(401)
          expect(await family.alive()).not.toContain(false)
        }
        expect(eventsOf(server, 'client.deleted')).toEqual([])
        expect(eventsOf(server, 'client.unbound')).toHaveLength(2)
      },
      { clients },
    ))
})
