import { generateKeyPairSync } from 'node:crypto'
import { calculateJwkThumbprint } from 'jose'
import type { Client, ClientOptions } from '../../../lib/index.js'
import { bindingBody, bindWithProof } from '../../support/binding.js'
import { refOf } from '../../support/redeeming.js'
import { askForKey, EXCHANGE, exchangeKey, obtainKey, postForm, send } from '../../support/requests.js'
import {
  AUDIENCE,
  CLIENT,
  ISSUER,
  type RunningServer,
  startServer,
  workingOptions,
} from '../../support/server.js'

async function withServer(test: (server: RunningServer) => Promise<void>): Promise<void> {
  const server = await startServer()
  try {
    await test(server)
  } finally {
    await server.close()
  }
}

const TIME = expect.any(Number)
const seconds = () => Math.floor(Date.now() / 1000)

async function register(server: RunningServer, metadata: object, form: Record<string, string> = {}) {
  const key = await obtainKey(server, { scope: 'provision:register provision:token devices:read', ...form })
  const answer = await send(server, 'post', '/oauth/register')
    .set('Authorization', `Bearer ${key}`)
    .send(metadata)
  return { key, answer }
}

describe('a registration', () => {
  const jwk = generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey.export({ format: 'jwk' })
  const METADATA = {
    token_endpoint_auth_method: 'client_secret_post',
    grant_types: ['client_credentials', EXCHANGE],
    response_types: [],
    client_name: 'Fühler 7 – Nordwand',
    client_uri: 'https://client.example.com/',
    logo_uri: 'https://client.example.com/logo.png',
    tos_uri: 'https://client.example.com/tos',
    policy_uri: 'https://client.example.com/policy',
    contacts: ['ops@client.example.com'],
    redirect_uris: ['https://client.example.com/cb', 'http://127.0.0.1:8000/cb', 'com.example.app:/cb'],
    scope: 'devices:read provision:token',
    software_id: '4NRB1-0XZABZI9E6-5SM3R',
    software_version: '2.1',
    jwks: { keys: [{ ...jwk, kid: 'sensor-7', use: 'sig' }] },
  }

  const LEFT_OUT = {
    unknown_member: 1,
    jwks: { keys: [{ ...METADATA.jwks.keys[0], unknown: 1 }] },
  }

  test('is answered with all that was registered, an identity and a secret, and nothing else', () =>
    withServer(async (server) => {
      const { key, answer } = await register(server, { ...METADATA, ...LEFT_OUT })
      expect(answer.status).toBe(201)
      expect(answer.body).toEqual({
        ...METADATA,
        client_id: expect.stringMatching(/^[\w-]{27}$/),
        client_secret: expect.stringMatching(/^[\w-]{43}$/),
        client_id_issued_at: TIME,
        client_secret_expires_at: 0,
        registration_access_token: expect.stringMatching(/^[\w-]+\.[\w-]{43}$/),
        registration_client_uri: `${ISSUER}/oauth/register/${answer.body.client_id}`,
      })
      expect(Math.abs(answer.body.client_id_issued_at - seconds())).toBeLessThan(5)
      expect(answer.headers).toMatchObject({ 'cache-control': 'no-store', pragma: 'no-cache' })
      expect(server.events.slice(-2)).toEqual([
        expect.objectContaining({ type: 'key.redeemed', action: 'register', keyId: refOf(key).jti }),
        expect.objectContaining({
          type: 'client.registered',
          clientId: CLIENT,
          registeredClientId: answer.body.client_id,
        }),
      ])
    }))

  test('has these defaults when nothing is said', () =>
    withServer(async (server) => {
      const { answer } = await register(server, {})
      expect(answer.body).toEqual({
        token_endpoint_auth_method: 'client_secret_basic',
        scope: 'provision:token devices:read',
        grant_types: ['client_credentials', EXCHANGE],
        client_id: expect.any(String),
        client_secret: expect.any(String),
        client_id_issued_at: TIME,
        client_secret_expires_at: 0,
        registration_access_token: expect.stringMatching(/^[\w-]+\.[\w-]{43}$/),
        registration_client_uri: `${ISSUER}/oauth/register/${answer.body.client_id}`,
      })
    }))

  test('makes a client that asks for keys as it has registered, and no further', () =>
    withServer(async (server) => {
      const { answer } = await register(server, METADATA)
      const { client_id, client_secret } = answer.body
      const ask = (form: Record<string, string>) =>
        postForm(server, '/oauth/token', {
          grant_type: 'client_credentials',
          client_id,
          client_secret,
          ...form,
        })
      const { body } = await ask({}).expect(200)
      expect(body.scope).toBe('devices:read provision:token')
      await exchangeKey(server, body.access_token, { client_id, client_secret }).expect(200)
      await ask({ scope: 'provision:register' }).expect(400, /invalid_scope/)
      await ask({ resource: 'https://other.example.com/things' }).expect(400, /invalid_target/)
      await ask({ resource: AUDIENCE }).expect(200)
      await ask({ requested_subject: CLIENT }).expect(400, /unauthorized_client/)
      await askForKey(server, {}, { id: client_id, secret: client_secret }).expect(401)
    }))

  test('gives a subject that was asked for its own name', () =>
    withServer(async (server) => {
      const { answer } = await register(server, { scope: 'devices:read' }, { requested_subject: 'device:7' })
      expect(answer.body.client_id).toBe('device:7')
      const client = { id: 'device:7', secret: answer.body.client_secret }
      await askForKey(server, {}, client).expect(200)
    }))
})

describe('a binding', () => {
  test('is answered with these members, and no others', () =>
    withServer(async (server) => {
      const key = await obtainKey(server, { scope: 'provision:bind', requested_subject: 'device:8' })
      const body = bindingBody(key)
      const answer = await send(server, 'post', '/oauth/bind')
        .set('Authorization', `Bearer ${key}`)
        .send(body)
      expect(answer.status).toBe(201)
      const jkt = await calculateJwkThumbprint(body.jwk as never)
      expect(answer.body).toEqual({
        client_id: 'device:8',
        binding_id: expect.stringMatching(/^[\w-]{27}$/),
        cnf: { jkt },
        bound_at: TIME,
      })
      expect(Math.abs(answer.body.bound_at - seconds())).toBeLessThan(5)
      expect(answer.headers).toMatchObject({ 'cache-control': 'no-store', pragma: 'no-cache' })
      expect(server.events.slice(-2)).toEqual([
        expect.objectContaining({ type: 'key.redeemed', action: 'bind', subject: 'device:8' }),
        expect.objectContaining({
          type: 'client.bound',
          subject: 'device:8',
          confirmation: { jkt },
          bindingId: answer.body.binding_id,
        }),
      ])
    }))

  test.each<[string, Parameters<typeof bindWithProof>[1]]>([
    ['names another endpoint', { claims: { aud: 'https://auth.example.com/oauth/token' } }],
    ['names several endpoints', { claims: { aud: ['https://auth.example.com/oauth/bind'] } }],
    ['names another key', { claims: { key_id: 'another' } }],
    ['is old', { claims: { iat: seconds() - 1000 } }],
    ['is of the future', { claims: { iat: seconds() + 1000 } }],
    ['is of another type', { typ: 'JWT' }],
    [
      'is signed with another key',
      { publicKey: generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey },
    ],
    ['is for a weak key', { publicKey: generateKeyPairSync('rsa', { modulusLength: 1024 }).publicKey }],
  ])('is refused when the proof %s, and the key is not spent', (_title, parts) =>
    withServer(async (server) => {
      const refused = await bindWithProof(server, parts)
      expect(refused).toMatchObject({ status: 400, body: { error: 'invalid_request' } })
      expect(server.events.filter(({ type }) => type.startsWith('key.') && type !== 'key.issued')).toEqual([])
    }),
  )

  test('leaves a client that has a secret its secret', () =>
    withServer(async (server) => {
      expect(await bindWithProof(server)).toMatchObject({ status: 201, body: { client_id: CLIENT } })
      await askForKey(server).expect(200)
    }))
})

test('a registry that cannot save is a 503, and the key is good for the same another time', async () => {
  const { clients } = workingOptions()
  const known = new Map(
    (clients as readonly ClientOptions[]).map((client) => [client.clientId, { revision: 1, ...client }]),
  )
  let isBroken = true
  const registry = {
    find: async (id: string) => known.get(id) as Client | undefined,
    save: async (client: Client) => {
      if (isBroken) throw new Error('connection lost')
      return known.set(client.clientId, client) !== undefined
    },
    delete: async (id: string) => known.delete(id),
  }
  const server = await startServer({ options: { clients: registry } })
  try {
    const key = await obtainKey(server, {
      scope: 'provision:register provision:bind',
      requested_subject: 'device:7',
    })
    const post = (path: string) => send(server, 'post', path).set('Authorization', `Bearer ${key}`)
    const binding = bindingBody(key)
    const answers = [await post('/oauth/register').send({}), await post('/oauth/bind').send(binding)]
    for (const { status, body, headers } of answers) {
      expect({ status, error: body.error }).toEqual({ status: 503, error: 'temporarily_unavailable' })
      expect(headers['retry-after']).toMatch(/^\d+$/)
    }
    isBroken = false
    // Nobody knows whether the binding was saved.
    await post('/oauth/register').send({}).expect(401)
    await post('/oauth/bind').send(binding).expect(201)
  } finally {
    await server.close()
  }
})
