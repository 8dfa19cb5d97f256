import type { Test } from 'supertest'
import { memoryStore } from '../../../lib/index.js'
import { makeCertificate } from '../../support/certificates.js'
import { clientKey } from '../../support/client-assertion.js'
import {
  bindKey,
  eventsOf,
  KINDS,
  type Kind,
  PLACES,
  type Place,
  redeemed,
  withFamilies,
} from '../../support/families.js'
import { forgeKey, signedAs, signWith } from '../../support/forge.js'
import {
  askWith,
  PINNED,
  PINNED_CERTIFICATE,
  sendMutual,
  startMutualServer,
} from '../../support/mutual-tls.js'
import { signProof } from '../../support/proof.js'
import {
  askForKey,
  EXCHANGE,
  exchangeKey,
  JWT_TYPE,
  obtainKey,
  postForm,
  send,
} from '../../support/requests.js'
import { AUDIENCE, CLIENT, ISSUER, OTHER_AUDIENCE, type RunningServer, SECRET } from '../../support/server.js'

const places = Object.keys(PLACES) as Place[]
const kinds = Object.keys(KINDS) as Kind[]

function unsignedEnd(key: string): string {
  return `${key.slice(0, key.lastIndexOf('.'))}.${Buffer.alloc(64, 1).toString('base64url')}`
}

/** Invalid uses of a redeemed key, which are no replays: they do not show that the sender had the key. */
const FORGERIES: Readonly<Record<string, (key: string) => string>> = {
  'a signature that is none': unsignedEnd,
  'no signature': (key) => forgeKey(key, { sign: signedAs('') }),
  'a signature of somebody else': (key) => forgeKey(key, { sign: signWith(clientKey().privateKey, 'ES256') }),
  'another subject, signed with the stolen signing key': (key) => forgeKey(key, { claims: { sub: CLIENT } }),
  'a longer life, signed with the stolen signing key': (key) => forgeKey(key, { claims: { nbf: 1, iat: 1 } }),
  'no binding, another scope, signed with the stolen signing key': (key) =>
    forgeKey(key, { claims: { scope: 'provision:token devices:read devices:create provision:bind x' } }),
  'another audience': (key) => forgeKey(key, { claims: { aud: OTHER_AUDIENCE } }),
  'another client': (key) => forgeKey(key, { claims: { client_id: 'bystander' } }),
  'the name of another key': (key) => forgeKey(key, { claims: { jti: 'A'.repeat(22) } }),
  'another type': (key) => forgeKey(key, { header: { typ: 'JWT' } }),
}

async function expectNothingContained(server: RunningServer, since: number): Promise<void> {
  const types = new Set(server.events.slice(since).map(({ type }) => type))
  for (const type of ['key.replayed', 'client.deleted', 'client.unbound', 'keys.revoked', 'client.flagged'])
    expect(types).not.toContain(type)
}

describe.each(kinds)('what a key was redeemed for, a %s, survives', (kind) => {
  test.each(Object.entries(FORGERIES))('%s', (_, forge) =>
    withFamilies(async (server) => {
      const family = await redeemed(server, kind, { requested_subject: 'device:7' })
      const since = server.events.length
      for (const place of places) {
        const { status } = await PLACES[place](server, forge(family.key))
        expect([400, 401, 403]).toContain(status)
      }
      await expectNothingContained(server, since)
      expect(await family.alive()).not.toContain(false)
    }),
  )

  test('its key in a query, in two headers, and over cleartext', () =>
    withFamilies(async (server) => {
      const family = await redeemed(server, kind, { requested_subject: 'device:7' })
      const since = server.events.length
      const { key } = family
      await send(server, 'get', `/devices?access_token=${key}`).expect(400)
      await send(server, 'post', `/oauth/token?subject_token=${key}`)
        .type('form')
        .send('grant_type=x')
        .expect(400)
      const basic = `Basic ${Buffer.from('a:b').toString('base64')}`
      await send(server, 'get', '/devices').set('Authorization', `${basic}, Bearer ${key}`).expect(401)
      const port = await server.openHttp()
      const answer = await fetch(`http://127.0.0.1:${port}/devices`, {
        headers: { Authorization: `Bearer ${key}` },
      })
      expect(answer.status).toBe(403)
      await expectNothingContained(server, since)
      expect(await family.alive()).not.toContain(false)
      // Another rule applies here: an invalid key cannot be revoked.
      expect(eventsOf(server, 'key.exposed')).toMatchObject([{ keyId: family.keyId, revoked: false }])
    }))

  test('its key when that has expired', () => {
    let ahead = 0
    const now = () => Date.now() + ahead
    const store = memoryStore({ now })
    return withFamilies(
      async (server) => {
        const family = await redeemed(server, kind, { requested_subject: 'device:7', requested_expiry: '20' })
        ahead = 26_000
        const since = server.events.length
        for (const place of places) await PLACES[place](server, family.key)
        await expectNothingContained(server, since)
        expect(server.events.slice(since)).toMatchObject(places.map(() => ({ reason: 'key_expired' })))
        ahead = 0
        expect(await family.alive()).not.toContain(false)
      },
      { now, store },
    )
  })
})

test('what a key was redeemed for survives its replay at a route for another audience', () =>
  withFamilies(async (server) => {
    const family = await redeemed(server, 'binding', { resource: OTHER_AUDIENCE })
    const since = server.events.length
    await PLACES['a route that redeems'](server, family.key).expect(401)
    await PLACES['a route that leaves the key as it is'](server, family.key).expect(401)
    expect(server.events.slice(since)).toMatchObject([
      { reason: 'audience_wrong' },
      { reason: 'audience_wrong' },
    ])
    expect(await server.keys.listBindings(CLIENT)).toHaveLength(1)
  }))

test('what a key that is bound to a certificate was redeemed for survives another certificate, and none', async () => {
  const server = await startMutualServer()
  try {
    const scope = 'provision:token devices:read'
    const { body } = await askWith(server, PINNED_CERTIFICATE, { client_id: PINNED, scope })
    const tokenIn = (answer: object) => (answer as { access_token: string }).access_token
    const form = {
      grant_type: EXCHANGE,
      subject_token: tokenIn(body),
      subject_token_type: JWT_TYPE,
    }
    expect((await sendMutual(server, { certificate: PINNED_CERTIFICATE, form })).status).toBe(200)
    const since = server.events.length
    for (const certificate of [undefined, makeCertificate()])
      expect((await sendMutual(server, { certificate, form })).status).toBe(400)
    await expectNothingContained(server, since)
    const other = { ...form, scope: 'devices:read' }
    expect((await sendMutual(server, { certificate: PINNED_CERTIFICATE, form: other })).status).toBe(400)
    expect(eventsOf(server, 'key.replayed')).toMatchObject([{ familyRevoked: true }])
  } finally {
    await server.close()
  }
})

describe('what a bound key was redeemed for', () => {
  const holder = clientKey()
  const at = (path: string, method = 'POST') => ({ method, url: `${ISSUER}${path}` })

  async function boundFamily(server: RunningServer) {
    const form = { grant_type: 'client_credentials', scope: 'provision:token provision:bind devices:create' }
    const proof = signProof(holder, at('/oauth/token'))
    const { body } = await postForm(server, '/oauth/token', form).auth(CLIENT, SECRET).set('DPoP', proof)
    const used = signProof(holder, at('/oauth/token'))
    const answer = await exchangeKey(server, body.access_token).set('DPoP', used).expect(200)
    const token = String(answer.body.access_token)
    const isAlive = async () =>
      (await postForm(server, '/oauth/introspect', { token }).auth(CLIENT, SECRET)).body.active
    return { key: String(body.access_token), used, isAlive }
  }

  type Replay = (server: RunningServer, given: { key: string; used: string }) => Test
  const thief = clientKey()
  test.each<[string, Replay]>([
    ['without a proof', (server, { key }) => exchangeKey(server, key)],
    [
      'with a proof of another key',
      (server, { key }) => exchangeKey(server, key).set('DPoP', signProof(thief, at('/oauth/token'))),
    ],
    [
      'with the proof that was used',
      (server, { key, used }) => exchangeKey(server, key, { scope: 'devices:create' }).set('DPoP', used),
    ],
    [
      'with a proof for another place',
      (server, { key }) => exchangeKey(server, key).set('DPoP', signProof(holder, at('/oauth/bind'))),
    ],
    ['as a bearer', (server, { key }) => send(server, 'post', '/devices').auth(key, { type: 'bearer' })],
    ['as a bearer, to bind a key of the thief', (server, { key }) => bindKey(server, key, thief)],
  ])('survives that it is presented %s', (_, replay) =>
    withFamilies(async (server) => {
      const family = await boundFamily(server)
      const since = server.events.length
      const { status } = await replay(server, family)
      expect([400, 401]).toContain(status)
      await expectNothingContained(server, since)
      expect(await family.isAlive()).toBe(true)
    }),
  )

  test('survives that a request from before is repeated whole', () =>
    withFamilies(async (server) => {
      const form = { grant_type: 'client_credentials', scope: 'provision:token devices:read' }
      const asked = signProof(holder, at('/oauth/token'))
      const { body } = await postForm(server, '/oauth/token', form).auth(CLIENT, SECRET).set('DPoP', asked)
      const key = String(body.access_token)
      const proof = signProof(holder, { method: 'GET', url: `${AUDIENCE}/devices` }, { token: key })
      const read = () => send(server, 'get', '/devices').set({ Authorization: `DPoP ${key}`, DPoP: proof })
      await read().expect(200)
      await exchangeKey(server, key)
        .set('DPoP', signProof(holder, at('/oauth/token')))
        .expect(200)
      const since = server.events.length
      await read().expect(401)
      expect(server.events.slice(since)).toMatchObject([{ reason: 'dpop_replayed' }])
      await expectNothingContained(server, since)
    }))

  test('survives the key of another client, and of another family of its own', () =>
    withFamilies(async (server) => {
      const family = await boundFamily(server)
      const bystander = { id: 'bystander', secret: SECRET }
      const scope = 'provision:token devices:read'
      const foreign = (await askForKey(server, { scope }, bystander)).body.access_token
      for (const key of [foreign, await obtainKey(server, { scope })]) {
        await exchangeKey(server, key).expect(200)
        await exchangeKey(server, key).expect(400)
      }
      expect(eventsOf(server, 'key.replayed')).toHaveLength(2)
      expect(await family.isAlive()).toBe(true)
    }))
})
