import type { Test } from 'supertest'
import { bindingBody } from '../../support/binding.js'
import { clientKey } from '../../support/client-assertion.js'
import {
  EVERYTHING,
  eventsOf,
  PLACES,
  type Place,
  redeemed,
  typesSince,
  withFamilies,
} from '../../support/families.js'
import { signProof } from '../../support/proof.js'
import { refOf } from '../../support/redeeming.js'
import { exchangeKey, JWT_TYPE, obtainKey, send } from '../../support/requests.js'
import { AUDIENCE, CLIENT, ISSUER, type RunningServer } from '../../support/server.js'

type Present = (server: RunningServer, key: string) => Test
type Case = [title: string, present: Present]

const places = Object.keys(PLACES) as Place[]

const HOLDER = clientKey()

const TARGETS: Record<Place, { method: string; url: string }> = {
  'the token endpoint': { method: 'POST', url: `${ISSUER}/oauth/token` },
  'the bind endpoint': { method: 'POST', url: `${ISSUER}/oauth/bind` },
  'the register endpoint': { method: 'POST', url: `${ISSUER}/oauth/register` },
  'a route that redeems': { method: 'POST', url: `${AUDIENCE}/devices` },
  'a route that leaves the key as it is': { method: 'GET', url: `${AUDIENCE}/devices` },
}

const post = (server: RunningServer, path: string, key: string) =>
  send(server, 'post', path).set('Authorization', `Bearer ${key}`)

const withBody = (path: string, body: string, type = 'application/json'): Present => {
  return (server, key) => post(server, path, key).type(type).send(body)
}

const withForm = (form: Record<string, string>): Present => {
  return (server, key) => exchangeKey(server, key, form)
}

/** The server refuses these requests before it looks at their key. */
const MALFORMED: Case[] = [
  ['broken JSON to bind', withBody('/oauth/bind', '{')],
  ['a list to bind', withBody('/oauth/bind', '[]')],
  ['a form to bind', withBody('/oauth/bind', 'a=b', 'application/x-www-form-urlencoded')],
  ['broken JSON to register', withBody('/oauth/register', '{')],
  ['a member twice to register', withBody('/oauth/register', '{"scope":"a","scope":"a"}')],
  ['no grant type', withForm({ grant_type: '' })],
  ['another grant type', withForm({ grant_type: 'authorization_code' })],
  ['no subject token type', withForm({ subject_token_type: '' })],
  ['another subject token type', withForm({ subject_token_type: `${JWT_TYPE}:x` })],
  ['another requested token type', withForm({ requested_token_type: `${JWT_TYPE}:x` })],
  ['an actor token', withForm({ actor_token: 'x' })],
  ['a parameter twice', (server, key) => withForm({})(server, key).send('&scope=a&scope=a')],
  ['the key in the query too', (server, key) => post(server, `/devices?access_token=${key}`, key)],
  ['two words as the key', (server, key) => post(server, '/devices', `${key} ${key}`)],
]

/** The server refuses these requests before it looks at the state of their key. */
const INVALID_PROOFS: Case[] = places.flatMap((place): Case[] => {
  const elsewhere = { ...TARGETS[place], url: `${ISSUER}/elsewhere` }
  return [
    [`a proof that is none, at ${place}`, (server, key) => PLACES[place](server, key).set('DPoP', 'x')],
    [
      `a proof for another URL, at ${place}`,
      (server, key) => PLACES[place](server, key).set('DPoP', signProof(HOLDER, elsewhere, { token: key })),
    ],
  ]
})

describe('what a bearer key was redeemed for survives', () => {
  test.each([...MALFORMED, ...INVALID_PROOFS])('%s, with the answer for an unused key', (_, present) =>
    withFamilies(async (server) => {
      const [family, unused] = [
        await redeemed(server, 'token'),
        await obtainKey(server, { scope: EVERYTHING }),
      ]
      const since = server.events.length
      const [refused, other] = [await present(server, family.key), await present(server, unused)]
      expect([400, 401, 415]).toContain(refused.status)
      expect([refused.status, refused.text]).toEqual([other.status, other.text])
      expect(typesSince(server, since)).toEqual([])
      expect(await family.alive()).not.toContain(false)
      await PLACES['a route that redeems'](server, unused).expect(201)
    }),
  )
})

/** Requests that a client could send by mistake, or a thief to find out what the key is good for. */
const FAULTS: Case[] = [
  ['a scope that the key lacks', withForm({ scope: 'admin' })],
  ['another resource', withForm({ resource: 'https://elsewhere.example' })],
  ['another audience', withForm({ audience: 'https://elsewhere.example' })],
  ['a wrong client secret', withForm({ client_id: CLIENT, client_secret: 'wrong' })],
  ['an unknown client', withForm({ client_id: 'nobody', client_secret: 'wrong' })],
  ['the name of another client', withForm({ client_id: 'bystander' })],
  ['nothing to bind', withBody('/oauth/bind', '{}')],
  ['no public key to bind', withBody('/oauth/bind', '{"jwk":{}}')],
  [
    'a public key without its proof',
    (server, key) => {
      const { jwk } = bindingBody(key)
      return post(server, '/oauth/bind', key).send({ jwk })
    },
  ],
  [
    'a proof of another key pair',
    (server, key) => {
      const [{ jwk }, { proof }] = [bindingBody(key), bindingBody(key)]
      return post(server, '/oauth/bind', key).send({ jwk, proof })
    },
  ],
  ['metadata of the wrong type', withBody('/oauth/register', '{"redirect_uris":7}')],
  ['a scope that it may not register', withBody('/oauth/register', '{"scope":"admin"}')],
]

/** A valid proof is no fault, and makes nobody the owner of a key that is redeemed already. */
const VALID_PROOFS: Case[] = places.map((place) => [
  `a valid proof at ${place}`,
  (server, key) => PLACES[place](server, key).set('DPoP', signProof(HOLDER, TARGETS[place], { token: key })),
])

describe('a redeemed bearer key is replayed', () => {
  test.each([...FAULTS, ...VALID_PROOFS])('with %s', (_, present) =>
    withFamilies(async (server) => {
      const family = await redeemed(server, 'token')
      const { status } = await present(server, family.key)
      expect([400, 401]).toContain(status)
      expect(eventsOf(server, 'key.replayed')).toMatchObject([{ keyId: family.keyId, familyRevoked: true }])
      expect(await family.alive()).not.toContain(true)
    }),
  )

  test.each(places)('at %s, though it lacks the scope', (place) =>
    withFamilies(async (server) => {
      const isRegister = place === 'the register endpoint'
      const key = await obtainKey(server, { scope: isRegister ? 'devices:create' : 'provision:register' })
      const first = isRegister ? 'a route that redeems' : 'the register endpoint'
      await PLACES[first](server, key).expect(201)
      const { status } = await PLACES[place](server, key)
      expect([400, 401]).toContain(status)
      expect(eventsOf(server, 'key.replayed')).toMatchObject([{ keyId: refOf(key).jti }])
    }),
  )
})
