import type { Test } from 'supertest'
import { memoryStore } from '../../../lib/index.js'
import { bindingBody } from '../../support/binding.js'
import { type CarelessLog, carelessLog, linesThatTell, mountCarelessly } from '../../support/careless-logs.js'
import {
  askForKey,
  EXCHANGE,
  exchangeKey,
  JWT_TYPE,
  obtainKey,
  postForm,
  send,
} from '../../support/requests.js'
import { ALL } from '../../support/scale.js'
import { CLIENT, type RunningServer, SECRET, startServer } from '../../support/server.js'

const SCOPE = {
  scope: 'provision:token provision:bind provision:register devices:create devices:read',
}

type Present = (server: RunningServer, key: string) => PromiseLike<unknown>

const bearer = (test: Test, key: string) => test.set('Authorization', `Bearer ${key}`)
/** The key with another first character of its signature. */
const withOtherSignature = (key: string) =>
  key.replace(/\.([^.])([^.]*)$/, (_, first, rest) => `.${first === 'A' ? 'B' : 'A'}${rest}`)
const basic = (id: string, secret: string) => `Basic ${Buffer.from(`${id}:${secret}`).toString('base64')}`

const GOOD: readonly (readonly [string, Present])[] = [
  ['at a guarded route', (server, key) => bearer(send(server, 'get', '/devices'), key).expect(200)],
  ['at the token endpoint', (server, key) => exchangeKey(server, key, { scope: 'devices:read' }).expect(200)],
  [
    'at bind',
    (server, key) =>
      bearer(send(server, 'post', '/oauth/bind'), key)
        .send(bindingBody(key))
        .expect(201),
  ],
  [
    'at register',
    (server, key) =>
      bearer(send(server, 'post', '/oauth/register'), key)
        .send({ client_name: 'a' })
        .expect(201),
  ],
  ['at a route that redeems', (server, key) => bearer(send(server, 'post', '/answers'), key).expect(201)],
  ['at a route that throws', (server, key) => bearer(send(server, 'post', '/fails'), key).expect(500)],
  [
    'at a route that passes an error on',
    (server, key) => bearer(send(server, 'post', '/fails-later'), key).expect(500),
  ],
  [
    'to introspection',
    (server, key) => postForm(server, '/oauth/introspect', { token: key }).auth(CLIENT, SECRET).expect(200),
  ],
  [
    'to revocation',
    (server, key) =>
      postForm(server, '/oauth/revoke', { token: key, client_id: CLIENT, client_secret: SECRET }).expect(200),
  ],
]

const BAD: readonly (readonly [string, Present])[] = [
  [
    'without its scheme',
    (server, key) => send(server, 'get', '/devices').set('Authorization', key).expect(401),
  ],
  [
    'with another scheme',
    (server, key) => send(server, 'get', '/devices').set('Authorization', `DPoP ${key}`).expect(401),
  ],
  [
    'twice in one header',
    (server, key) =>
      send(server, 'get', '/devices').set('Authorization', `Bearer ${key}, Bearer ${key}`).expect(400),
  ],
  ['in the query', (server, key) => send(server, 'get', `/devices?access_token=${key}`).expect(400)],
  [
    'in the query of the token endpoint',
    (server, key) => askForKey(server).query({ subject_token: key }).expect(400),
  ],
  [
    'in the query of metadata',
    (server, key) => send(server, 'get', `/.well-known/oauth-authorization-server?token=${key}`).expect(400),
  ],
  ['in the query under a name of its own', (server, key) => send(server, 'get', `/devices?key=${key}`)],
  [
    'in the query besides the header',
    (server, key) => bearer(send(server, 'post', `/answers?access_token=${key}`), key).expect(400),
  ],
  [
    'in JSON besides the header',
    (server, key) => bearer(send(server, 'post', '/answers'), key).send({ access_token: key }),
  ],
  [
    'in JSON instead of the header',
    (server, key) => send(server, 'post', '/answers').send({ access_token: key }).expect(401),
  ],
  [
    'in a form instead of the header',
    (server, key) => send(server, 'post', '/answers').type('form').send({ access_token: key }).expect(401),
  ],
  [
    'in JSON that cannot be parsed',
    (server, key) => send(server, 'post', '/oauth/register').type('json').send(`{"key":"${key}`).expect(400),
  ],
  [
    'as JSON that cannot be parsed',
    (server, key) => send(server, 'post', '/oauth/register').type('json').send(key).expect(400),
  ],
  [
    'as JSON where a form is expected',
    (server, key) => send(server, 'post', '/oauth/token').send({ subject_token: key }).expect(415),
  ],
  [
    'as a media type nobody knows',
    (server, key) => send(server, 'post', '/oauth/token').type('text/x-key').send(key).expect(415),
  ],
  [
    'as the name of a client',
    (server, key) => askForKey(server, {}, { id: key, secret: SECRET }).expect(401),
  ],
  [
    'as the secret of a client',
    (server, key) => askForKey(server, {}, { id: CLIENT, secret: key }).expect(401),
  ],
  [
    'as half of Basic credentials',
    (server, key) => send(server, 'get', '/devices').set('Authorization', basic('x', key)).expect(401),
  ],
  ['as a scope', (server, key) => askForKey(server, { scope: key }).expect(400)],
  [
    'as a resource',
    (server, key) => askForKey(server, { resource: `https://x.example.com/${key}` }).expect(400),
  ],
  ['as a subject', (server, key) => askForKey(server, { requested_subject: key.slice(-200) }).expect(400)],
  ['as a lifetime', (server, key) => askForKey(server, { requested_expiry: key }).expect(400)],
  ['as a grant', (server, key) => askForKey(server, { grant_type: key }).expect(400)],
  ['as a token type', (server, key) => exchangeKey(server, 'a.b.c', { subject_token_type: key }).expect(400)],
  ['with its signature changed', (server, key) => exchangeKey(server, withOtherSignature(key)).expect(400)],
  ['without its signature', (server, key) => exchangeKey(server, key.replace(/[^.]+$/, '')).expect(400)],
  [
    'as a parameter twice',
    (server, key) =>
      send(server, 'post', '/oauth/token')
        .type('form')
        .send(`grant_type=${EXCHANGE}&subject_token=${key}&subject_token=${key}`)
        .expect(400),
  ],
  ['by another client', (server, key) => exchangeKey(server, key).auth('bystander', SECRET).expect(400)],
  [
    'once more',
    async (server, key) => {
      await exchangeKey(server, key, { subject_token_type: JWT_TYPE }).expect(200)
      await bearer(send(server, 'post', '/answers'), key).expect(401)
    },
  ],
  [
    'as client metadata',
    (server, key) =>
      bearer(send(server, 'post', '/oauth/register'), key)
        .send({ client_uri: key, scope: key })
        .expect(400),
  ],
  [
    'as the proof of a binding',
    (server, key) =>
      bearer(send(server, 'post', '/oauth/bind'), key)
        .send({ ...bindingBody(key), proof: key })
        .expect(400),
  ],
]

/** The requests with a body. For all others, a parser of the host makes no difference. */
const WITH_BODY = BAD.filter(([where]) => ALL || /JSON|form|media|metadata|proof of|parameter/.test(where))

async function watch(act: (log: CarelessLog) => Promise<{ secrets: string[]; server: RunningServer }>) {
  const log = carelessLog()
  const { secrets, server } = await act(log).finally(() => log.release())
  log.note(server.events, JSON.stringify(server.events), server.keys)
  expect(log.lines.join('').length).toBeGreaterThan(5000)
  expect(linesThatTell([...secrets, SECRET], log.lines).slice(0, 3)).toEqual([])
}

describe.each([
  ['no parser', false],
  ['parsers of the host', true],
])('behind %s, a key is told to no log', (_title, parses) => {
  test.each(parses ? WITH_BODY : [...GOOD, ...BAD])('when it is presented %s', (_where, presentIt) =>
    watch(async (log) => {
      const server = await startServer({ mount: mountCarelessly(log, { parses }) })
      try {
        const key = await obtainKey(server, SCOPE)
        await presentIt(server, key)
        await new Promise((resolve) => setTimeout(resolve, 20))
        return { secrets: [key], server }
      } finally {
        await server.close()
      }
    }),
  )
})

describe('nothing that is secret is told to any log', () => {
  test('when answers bring forth tokens and secrets', () =>
    watch(async (log) => {
      const server = await startServer({ mount: mountCarelessly(log) })
      try {
        const { body: exchanged } = await exchangeKey(server, await obtainKey(server, SCOPE)).expect(200)
        const registering = bearer(send(server, 'post', '/oauth/register'), await obtainKey(server, SCOPE))
        const { body: registered } = await registering.send({ scope: 'devices:read' }).expect(201)
        const client = { id: registered.client_id, secret: registered.client_secret }
        const { body: issued } = await askForKey(server, {}, client).expect(200)
        await askForKey(server, {}, { ...client, secret: `${client.secret}x` }).expect(401)
        return { secrets: [exchanged.access_token, registered.client_secret, issued.access_token], server }
      } finally {
        await server.close()
      }
    }))

  test.each(['find', 'redeem', 'settle', 'release', 'revokeFamily'] as const)(
    'when %s of the store throws something that quotes the key',
    (verb) =>
      watch(async (log) => {
        const secrets: string[] = []
        const memory = memoryStore()
        const fault = () =>
          Object.assign(new Error(`lost ${secrets[0]}`), { args: secrets, cause: secrets[0] })
        const store = { ...memory, [verb]: () => Promise.reject(fault()) }
        const server = await startServer({ mount: mountCarelessly(log), options: { store } })
        try {
          secrets.push(await obtainKey(server, SCOPE))
          for (const [, presentIt] of GOOD)
            await Promise.resolve(presentIt(server, secrets[0] ?? '')).catch(() => undefined)
          return { secrets, server }
        } finally {
          await server.close()
        }
      }),
  )

  test('when an observer throws its event and a secret', () =>
    watch(async (log) => {
      const secrets: string[] = []
      const observer = (event: object) => {
        throw new Error(`cannot ship ${JSON.stringify(event)} of ${secrets[0]}`)
      }
      const server = await startServer({ mount: mountCarelessly(log), options: { observer } })
      try {
        secrets.push(await obtainKey(server, SCOPE))
        await exchangeKey(server, secrets[0] ?? '').expect(200)
        return { secrets, server }
      } finally {
        await server.close()
      }
    }))
})
