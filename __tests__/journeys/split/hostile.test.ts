import { generateKeyPairSync } from 'node:crypto'
import { Agent } from 'node:https'
import type { Test } from 'supertest'
import { memoryStore, type ProvisioningStore, type VerifierOptions } from '../../../lib/index.js'
import { exactly } from '../../support/exact.js'
import { decodeJwt, forgeKey, signBare, signWith } from '../../support/forge.js'
import { obtainKey, send } from '../../support/requests.js'
import {
  CLIENT,
  ISSUER,
  OTHER_AUDIENCE,
  type RunningServer,
  SECRET,
  startServer,
} from '../../support/server.js'
import {
  type Answering,
  API,
  askingOptions,
  type Impostor,
  type RunningApi,
  startApi,
  startImpostor,
  startIssuer,
} from '../../support/split.js'
import { trustingFetch } from '../../support/trusting-fetch.js'

const READ = { scope: 'devices:read' }

function present(api: RunningApi, key: string): Test {
  return send(api, 'get', '/devices').set('Authorization', `Bearer ${key}`)
}

interface Scene {
  readonly issuer: RunningServer
  readonly impostor: Impostor
  /** A genuine key. */
  readonly key: string
  readonly api: RunningApi
}

/** An issuer, and an attacker who answers in its place at one endpoint. */
async function withImpostor(
  endpoint: 'jwks' | 'introspect',
  answering: (genuine: RunningServer) => Answering,
  test: (scene: Scene) => Promise<void>,
  overrides: Partial<VerifierOptions> = {},
): Promise<void> {
  const issuer = await startIssuer()
  const impostor = await startImpostor(answering(issuer))
  const options = await askingOptions(issuer, { timeoutSeconds: 60 })
  const introspection = { endpoint: `${impostor.origin}/i`, clientId: API, clientSecret: SECRET }
  const replaced = endpoint === 'jwks' ? { jwks: `${impostor.origin}/j` } : { introspection }
  const api = await startApi({ ...options, ...replaced, ...overrides })
  try {
    await test({ issuer, impostor, api, key: await obtainKey(issuer, READ) })
  } finally {
    await Promise.all([api.close(), impostor.close(), issuer.close()])
  }
}

const json =
  (body: unknown): Answering =>
  (_req, res) =>
    void res.writeHead(200, { 'Content-Type': 'application/json' }).end(JSON.stringify(body))

/** Never answers. */
const silent: Answering = () => undefined
/** The API waits at most one second, so that tests without an answer are short. */
const patienceWith = (answering: Answering) => (answering === silent ? { timeoutSeconds: 1 } : {})

const UNAVAILABLE = { error: 'temporarily_unavailable' }

async function expectUnavailable(api: RunningApi, key: string, reason: string): Promise<void> {
  const { body, headers } = await present(api, key).expect(503)
  expect(body).toMatchObject(UNAVAILABLE)
  expect(headers['retry-after']).toMatch(/^\d+$/)
  expect(headers['www-authenticate']).toBeUndefined()
  expect(api.events.at(-1)).toMatchObject({ type: 'request.refused', reason, status: 503 })
}

const stranger = generateKeyPairSync('ec', { namedCurve: 'P-256' })

describe('a faulty JWK Set', () => {
  const jwksOf = (issuer: RunningServer) => send(issuer, 'get', '/oauth/jwks')
  const own = { ...stranger.privateKey.export({ format: 'jwk' }), kid: 'k', alg: 'ES256', use: 'sig' }
  const ANSWERS: [string, Answering][] = [
    [
      'a page of HTML',
      (_req, res) => void res.writeHead(200, { 'Content-Type': 'text/html' }).end('<html></html>'),
    ],
    [
      'a redirect',
      ({ url }, res) => void res.writeHead(302, { Location: `https://evil.example.com${url}` }).end(),
    ],
    ['a list', json([])],
    ['an object without keys', json({})],
    ['a key that is private', json({ keys: [own] })],
    ['a symmetric key', json({ keys: [{ kty: 'oct', k: 'c2VjcmV0', kid: 'k', alg: 'HS256' }] })],
    ['too many keys', json({ keys: Array.from({ length: 33 }, (_, i) => ({ kty: 'EC', kid: String(i) })) })],
    ['1 MB', json({ keys: [], padding: 'x'.repeat(1_000_000) })],
    ['nothing', silent],
    ['an error', (_req, res) => void res.writeHead(500).end()],
  ]
  it.each(ANSWERS)('refuses every request for %s', (_, answering) =>
    withImpostor(
      'jwks',
      () => answering,
      async ({ api, key }) => {
        await expectUnavailable(api, key, 'signing_keys_unavailable')
        expect(api.events).toContainEqual(
          expect.objectContaining({
            type: 'signing_keys.unavailable',
            usable: false,
            detail: expect.any(String),
          }),
        )
      },
      patienceWith(answering),
    ),
  )

  it('refuses an HMAC over a public key of the set, by whatever kid', () =>
    withImpostor(
      'jwks',
      (issuer) => async (_req, res) => json((await jwksOf(issuer)).body)({} as never, res),
      async ({ api, key, issuer }) => {
        const [jwk] = (await jwksOf(issuer)).body.keys
        for (const secret of [JSON.stringify(jwk), String(jwk.x)])
          await present(api, forgeKey(key, { sign: signWith(secret, 'HS256') })).expect(401)
        await present(api, key).expect(200)
      },
    ))

  it('finds keys by the kid that the set gives them, which need not be a thumbprint', () =>
    withImpostor(
      'jwks',
      (issuer) => async (_req, res) => {
        const [jwk] = (await jwksOf(issuer)).body.keys
        json({
          keys: [
            { kty: 'RSA', kid: 'of-no-use' },
            { ...jwk, kid: '2026-10' },
          ],
        })({} as never, res)
      },
      async ({ api, key }) => {
        await present(api, key).expect(401)
        expect(api.events.at(-1)).toMatchObject({ reason: 'signing_key_unknown' })
        await present(api, forgeKey(key, { header: { kid: '2026-10' }, sign: signBare })).expect(401)
        // The signature is correct, but the issuer does not know this kid.
        expect(api.events.at(-1)).toMatchObject({ reason: 'inactive_at_issuer' })
      },
    ))
})

describe('an API whose issuer cannot be reached', () => {
  it('refuses until it can, and then passes', async () => {
    let isUp = false
    const clock = { ahead: 0 }
    await withImpostor(
      'jwks',
      (issuer) => async (_req, res) => {
        if (!isUp) return void res.socket?.destroy()
        json((await send(issuer, 'get', '/oauth/jwks')).body)({} as never, res)
      },
      async ({ api, key, impostor }) => {
        await expectUnavailable(api, key, 'signing_keys_unavailable')
        await expectUnavailable(api, key, 'signing_keys_unavailable')
        expect(impostor.asked()).toBe(1)
        isUp = true
        clock.ahead = 1_050
        await present(api, key).expect(200)
      },
      { now: () => Date.now() + clock.ahead },
    )
  })

  it('continues with its signing keys when the issuer is down, and refuses keys that it cannot introspect', async () => {
    const issuer = await startIssuer()
    const api = await startApi(await askingOptions(issuer))
    try {
      const key = await obtainKey(issuer, READ)
      await present(api, key).expect(200)
      await issuer.close()
      await expectUnavailable(api, key, 'introspection_unavailable')
      await present(api, forgeKey(key, { claims: { iss: 'https://evil.example.com' } })).expect(401)
    } finally {
      await api.close()
    }
  })
})

describe('a storm of unknown kids', () => {
  it('causes one fetch', () =>
    withImpostor(
      'jwks',
      (issuer) => async (_req, res) =>
        json((await send(issuer, 'get', '/oauth/jwks')).body)({} as never, res),
      async ({ api, key, impostor }) => {
        const storm = Array.from({ length: 1000 }, (_, i) =>
          forgeKey(key, { header: { kid: `random-${i}` } }),
        )
        const agent = new Agent({ keepAlive: true, maxSockets: 10 })
        const quickly = (forged: string) =>
          exactly(api, {
            method: 'GET',
            path: '/devices',
            headers: { Authorization: `Bearer ${forged}` },
            agent,
          })
        const statuses = new Set<number>()
        for (let i = 0; i < storm.length; i += 50) {
          const answers = await Promise.all(storm.slice(i, i + 50).map(quickly))
          for (const { status } of answers) statuses.add(status)
        }
        agent.destroy()
        expect([[...statuses], impostor.asked()]).toEqual([[401], 1])
        await present(api, key).expect(200)
        expect(impostor.asked()).toBe(1)
      },
    ))

  it('by cleartext causes no more', () =>
    withImpostor(
      'jwks',
      (issuer) => async (_req, res) =>
        json((await send(issuer, 'get', '/oauth/jwks')).body)({} as never, res),
      async ({ api, key, impostor }) => {
        api.app.set('trust proxy', 'loopback')
        for (let i = 0; i < 20; i += 1) {
          const forged = forgeKey(key, { header: { kid: `random-${i}` } })
          await present(api, forged).set('X-Forwarded-Proto', 'http').expect(403)
        }
        await present(api, key).set('X-Forwarded-Proto', 'http').expect(403)
        while (!api.events.some(({ type }) => type === 'key.exposed')) await new Promise(setImmediate)
        const { jti } = decodeJwt(key).payload
        expect(api.events).toContainEqual(
          expect.objectContaining({ type: 'key.exposed', keyId: jti, clientId: CLIENT, revoked: false }),
        )
        expect(impostor.asked()).toBe(1)
      },
    ))
})

describe('an answer of introspection that is none, or about another', () => {
  const LIES: [string, unknown][] = [
    ['another jti', { jti: 'other' }],
    ['another aud', { aud: OTHER_AUDIENCE }],
    ['a list of aud', { aud: ['https://api.example.com'] }],
    ['another iss', { iss: 'https://evil.example.com' }],
    ['another client_id', { client_id: 'bystander' }],
    ['another sub', { sub: 'bystander' }],
    ['a cnf the key does not have', { cnf: { jkt: 'x' } }],
    ['no jti', { jti: undefined }],
    ['"true" for active', { active: 'true' }],
    ['1 for active', { active: 1 }],
  ]

  it.each(LIES)('refuses with 503: %s', (_, lie) =>
    withImpostor(
      'introspect',
      (issuer) => async (_req, res) => {
        const [issued] = issuer.events.filter(({ type }) => type === 'key.issued')
        const { keyId } = issued as unknown as { keyId: string }
        const truth = {
          iss: ISSUER,
          aud: 'https://api.example.com',
          sub: CLIENT,
          client_id: CLIENT,
          jti: keyId,
        }
        json({ active: true, ...truth, ...(lie as object) })({} as never, res)
      },
      ({ api, key }) => expectUnavailable(api, key, 'introspection_unavailable'),
    ),
  )

  const ANSWERS: [string, Answering][] = [
    ['nothing', silent],
    ['a broken connection', (_req, res) => void res.socket?.destroy()],
    ['null', json(null)],
    ['a list', json([{ active: true }])],
    ['an empty object', json({})],
    ['text', json('active')],
    ['a page of HTML', (_req, res) => void res.writeHead(200, { 'Content-Type': 'text/html' }).end('<p>')],
    ['401, since the API is not known', (_req, res) => void res.writeHead(401).end('{"active":true}')],
    ['429', (_req, res) => void res.writeHead(429).end()],
    ['a redirect', (_req, res) => void res.writeHead(307, { Location: 'https://evil.example.com/' }).end()],
    ['1 MB', json({ active: false, padding: 'x'.repeat(1_000_000) })],
  ]
  it.each(ANSWERS)('refuses with 503: %s', (_, answering) =>
    withImpostor(
      'introspect',
      () => answering,
      ({ api, key }) => expectUnavailable(api, key, 'introspection_unavailable'),
      patienceWith(answering),
    ),
  )

  it('is told of without any part of the key or the secret', () =>
    withImpostor(
      'introspect',
      () => (_req, res) => void res.socket?.destroy(),
      async ({ api, key }) => {
        await present(api, key).expect(503)
        const told = JSON.stringify(api.events)
        for (const part of [...key.split('.'), SECRET, Buffer.from(`${API}:${SECRET}`).toString('base64')])
          expect(told).not.toContain(part)
        expect(api.events.at(-1)).toMatchObject({ detail: expect.stringContaining('UND_ERR_SOCKET') })
      },
    ))

  it('refuses what the API may not ask about', async () => {
    const issuer = await startServer()
    const introspection = {
      endpoint: `${issuer.origin}/oauth/introspect`,
      clientId: 'bystander',
      clientSecret: SECRET,
    }
    const api = await startApi(await askingOptions(issuer, { introspection }))
    try {
      await present(api, await obtainKey(issuer, READ)).expect(401)
      expect(api.events.at(-1)).toMatchObject({ reason: 'inactive_at_issuer' })
    } finally {
      await Promise.all([api.close(), issuer.close()])
    }
  })
})

describe('an API with the store of its issuer', () => {
  async function withCommon(
    test: (scene: { issuer: RunningServer; api: RunningApi }) => Promise<void>,
    store: ProvisioningStore = memoryStore(),
    seen: ProvisioningStore = store,
  ) {
    const issuer = await startIssuer({ store })
    const { introspection: _, ...options } = await askingOptions(issuer, {
      fetch: await trustingFetch(issuer.cert),
    })
    const api = await startApi({ ...options, store: seen })
    await test({ issuer, api }).finally(() => Promise.all([api.close(), issuer.close()]))
  }
  const create = (api: RunningApi, key: string) =>
    send(api, 'post', '/devices').set('Authorization', `Bearer ${key}`)

  it('redeems each key once, among as many requests as like, and tells of replay', () =>
    withCommon(async ({ issuer, api }) => {
      const key = await obtainKey(issuer, { scope: 'devices:create devices:read' })
      await present(api, key).expect(200)
      const answers = await Promise.all(Array.from({ length: 10 }, () => create(api, key)))
      expect(answers.filter(({ status }) => status === 201)).toHaveLength(1)
      await create(api, key).expect(401)
      expect(api.events).toContainEqual(
        expect.objectContaining({ type: 'key.replayed', familyRevoked: true }),
      )
    }))

  it('refuses a revoked key immediately, and revokes a key that came in cleartext', () =>
    withCommon(async ({ issuer, api }) => {
      const key = await obtainKey(issuer, READ)
      await present(api, key).expect(200)
      const { jti } = decodeJwt(key).payload
      await issuer.keys.revokeKey({ clientId: CLIENT, keyId: String(jti) })
      await present(api, key).expect(401)
      expect(api.events.at(-1)).toMatchObject({ reason: 'key_revoked' })
      const other = await obtainKey(issuer, READ)
      api.app.set('trust proxy', 'loopback')
      await present(api, other).set('X-Forwarded-Proto', 'http').expect(403)
      while (!api.events.some(({ type }) => type === 'key.exposed')) await new Promise(setImmediate)
      expect(api.events).toContainEqual(expect.objectContaining({ type: 'key.exposed', revoked: true }))
    }))

  it('refuses while the store does not answer', () => {
    const store = memoryStore()
    const down = { ...store, find: () => Promise.reject(new Error('down')) }
    return withCommon(
      async ({ issuer, api }) => expectUnavailable(api, await obtainKey(issuer, READ), 'store_unavailable'),
      store,
      down,
    )
  })

  it('knows no key when its store is another', () =>
    withCommon(
      async ({ issuer, api }) => {
        await present(api, await obtainKey(issuer, READ)).expect(401)
        expect(api.events.at(-1)).toMatchObject({ reason: 'key_unknown' })
      },
      memoryStore(),
      memoryStore(),
    ))
})
