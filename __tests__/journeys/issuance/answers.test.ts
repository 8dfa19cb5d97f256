import { decodeJwt } from '../../support/forge.js'
import { refOf } from '../../support/redeeming.js'
import { askForKey, exchangeKey, JWT_TYPE, obtainKey, postForm, send } from '../../support/requests.js'
import {
  AUDIENCE,
  CLIENT,
  ISSUER,
  OTHER_AUDIENCE,
  type RunningServer,
  SECRET,
  startServer,
} from '../../support/server.js'

async function withServer(test: (server: RunningServer) => Promise<void>): Promise<void> {
  const server = await startServer()
  try {
    await test(server)
  } finally {
    await server.close()
  }
}

const ID = expect.stringMatching(/^[\w-]{27}$/)
const TIME = expect.any(Number)
const JWS = expect.stringMatching(/^eyJ[\w-]+\.eyJ[\w-]+\.[\w-]{86}$/)
const NOT_CACHED = {
  'cache-control': 'no-store',
  pragma: 'no-cache',
  'content-type': expect.stringMatching(/^application\/json/),
}

const introspect = (server: RunningServer, token: string, client = CLIENT) =>
  postForm(server, '/oauth/introspect', { token }).auth(client, SECRET)
const revoke = (server: RunningServer, token: string, client = CLIENT) =>
  postForm(server, '/oauth/revoke', { token }).auth(client, SECRET)

describe('an issued key', () => {
  test('comes with these members, and no others', () =>
    withServer(async (server) => {
      const { body, headers } = await askForKey(server, { scope: 'devices:read provision:token' }).expect(200)
      expect(body).toEqual({
        access_token: JWS,
        issued_token_type: JWT_TYPE,
        token_type: 'Bearer',
        expires_in: 300,
        scope: 'devices:read provision:token',
        key_id: ID,
      })
      expect(headers).toMatchObject(NOT_CACHED)
    }))

  test('says this of itself, and nothing else', () =>
    withServer(async (server) => {
      const asked = {
        scope: 'devices:read',
        resource: OTHER_AUDIENCE,
        requested_expiry: '60',
        requested_subject: 'device:7',
      }
      const { body } = await askForKey(server, asked).expect(200)
      const { header, payload } = decodeJwt(body.access_token)
      const { body: jwks } = await send(server, 'get', '/oauth/jwks').expect(200)
      expect(header).toEqual({ alg: 'ES256', typ: 'provisioning-key+jwt', kid: jwks.keys[0].kid })
      expect(payload).toEqual({
        iss: ISSUER,
        aud: OTHER_AUDIENCE,
        sub: 'device:7',
        client_id: CLIENT,
        scope: 'devices:read',
        iat: TIME,
        nbf: payload.iat,
        exp: Number(payload.iat) + 60,
        jti: body.key_id,
      })
    }))

  test('can be verified with the published keys, which have no private part', () =>
    withServer(async (server) => {
      const { body, headers } = await send(server, 'get', '/oauth/jwks').expect(200)
      expect(body).toEqual({
        keys: [
          {
            kty: 'EC',
            crv: 'P-256',
            x: expect.any(String),
            y: expect.any(String),
            kid: expect.any(String),
            alg: 'ES256',
            use: 'sig',
          },
        ],
      })
      expect(headers['cache-control']).toBe('public, max-age=300')
      const { createLocalJWKSet, jwtVerify } = await import('jose')
      const expected = { issuer: ISSUER, audience: AUDIENCE, typ: 'provisioning-key+jwt' }
      await jwtVerify(await obtainKey(server), createLocalJWKSet(body), expected)
    }))
})

describe('an exchanged key', () => {
  test.each([
    [undefined, 'urn:ietf:params:oauth:token-type:access_token'],
    ['urn:ietf:params:oauth:token-type:access_token', 'urn:ietf:params:oauth:token-type:access_token'],
    [JWT_TYPE, JWT_TYPE],
  ])('has exactly these members (requested_token_type %s)', (requested, issued) =>
    withServer(async (server) => {
      const key = await obtainKey(server, { scope: 'devices:read provision:token' })
      const form = {
        scope: 'devices:read',
        ...(requested !== undefined && { requested_token_type: requested }),
      }
      const { body, headers } = await exchangeKey(server, key, form).expect(200)
      expect(body).toEqual({
        access_token: JWS,
        issued_token_type: issued,
        token_type: 'Bearer',
        expires_in: 600,
        scope: 'devices:read',
      })
      expect(headers).toMatchObject(NOT_CACHED)
    }),
  )

  test('brings an access token of RFC 9068', () =>
    withServer(async (server) => {
      const key = await obtainKey(server, {
        scope: 'devices:read provision:token',
        requested_subject: 'device:7',
        resource: OTHER_AUDIENCE,
      })
      await exchangeKey(server, key, { resource: AUDIENCE }).expect(400, /invalid_target/)
      const { body } = await exchangeKey(server, key, { resource: OTHER_AUDIENCE }).expect(200)
      const { header, payload } = decodeJwt(body.access_token)
      expect(header).toEqual({ alg: 'ES256', typ: 'at+jwt', kid: expect.any(String) })
      expect(payload).toEqual({
        iss: ISSUER,
        aud: OTHER_AUDIENCE,
        sub: 'device:7',
        client_id: 'device:7',
        scope: 'devices:read',
        iat: TIME,
        exp: Number(payload.iat) + 600,
        jti: ID,
        key_id: refOf(key).jti,
        key_client_id: CLIENT,
      })
    }))

  test('is exchanged by its client with whichever credentials it has', () =>
    withServer(async (server) => {
      const scope = { scope: 'provision:token devices:read' }
      await exchangeKey(server, await obtainKey(server, scope))
        .auth(CLIENT, SECRET)
        .expect(200)
      await exchangeKey(server, await obtainKey(server, scope), {
        client_id: CLIENT,
        client_secret: SECRET,
      }).expect(200)
      await exchangeKey(server, await obtainKey(server, scope), { client_id: CLIENT }).expect(200)
    }))
})

describe('introspection', () => {
  test.each<[string, (server: RunningServer) => Promise<string>]>([
    ['a key', (server) => obtainKey(server, { scope: 'devices:read' })],
    ['a key by its jti', async (server) => refOf(await obtainKey(server, { scope: 'devices:read' })).jti],
    [
      'an access token',
      async (server) => {
        const key = await obtainKey(server, { scope: 'devices:read provision:token' })
        return (await exchangeKey(server, key, { scope: 'devices:read' }).expect(200)).body.access_token
      },
    ],
  ])('tells these members of %s, and no others', (_title, obtain) =>
    withServer(async (server) => {
      const { body, headers } = await introspect(server, await obtain(server)).expect(200)
      expect(body).toEqual({
        active: true,
        iss: ISSUER,
        aud: AUDIENCE,
        sub: CLIENT,
        client_id: CLIENT,
        scope: 'devices:read',
        token_type: 'Bearer',
        iat: TIME,
        nbf: body.iat,
        exp: TIME,
        jti: ID,
      })
      expect(headers).toMatchObject(NOT_CACHED)
    }),
  )

  test('says nothing about keys that are unknown, redeemed, revoked or of another client', () =>
    withServer(async (server) => {
      const scope = { scope: 'provision:token devices:read' }
      const [spent, revoked, foreign] = [
        await obtainKey(server, scope),
        await obtainKey(server, scope),
        await obtainKey(server, scope),
      ]
      const { access_token: token } = (await exchangeKey(server, spent).expect(200)).body
      await revoke(server, revoked).expect(200)
      for (const one of ['unknown', 'a.b.c', '..', spent, refOf(spent).jti, revoked, refOf(revoked).jti])
        await introspect(server, one).expect(200, { active: false })
      for (const one of [foreign, refOf(foreign).jti, token])
        await introspect(server, one, 'bystander').expect(200, { active: false })
    }))
})

describe('revocation', () => {
  test.each<[string, (key: string) => string]>([
    ['by itself', (key) => key],
    ['by its jti', (key) => refOf(key).jti],
  ])('ends a key that is named %s', (_title, name) =>
    withServer(async (server) => {
      const key = await obtainKey(server, { scope: 'provision:token devices:read' })
      const { text, headers } = await revoke(server, name(key)).expect(200)
      expect(text).toBe('')
      expect(headers['cache-control']).toBe('no-store')
      await exchangeKey(server, key).expect(400)
      await send(server, 'get', '/devices').set('Authorization', `Bearer ${key}`).expect(401)
      await introspect(server, key).expect(200, { active: false })
      await revoke(server, name(key)).expect(200)
      expect(server.events.filter(({ type }) => type === 'key.revoked')).toHaveLength(1)
    }),
  )

  test('ends an access token', () =>
    withServer(async (server) => {
      const { body } = await exchangeKey(
        server,
        await obtainKey(server, { scope: 'provision:token devices:read' }),
      ).expect(200)
      await revoke(server, body.access_token).expect(200)
      await introspect(server, body.access_token).expect(200, { active: false })
      expect(server.events.at(-1)).toMatchObject({ type: 'token.revoked', clientId: CLIENT })
    }))

  test('does not revoke an unknown key or one of another client, and does not say so', () =>
    withServer(async (server) => {
      const key = await obtainKey(server, { scope: 'provision:token devices:read' })
      for (const one of ['unknown', 'a.b.c', key, refOf(key).jti])
        await revoke(server, one, 'bystander').expect(200)
      await introspect(server, key).expect(200)
      await exchangeKey(server, key).expect(200)
      expect(server.events.filter(({ type }) => type === 'key.revoked')).toEqual([])
    }))
})
