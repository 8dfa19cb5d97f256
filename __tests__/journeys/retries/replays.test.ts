import { bindingBody } from '../../support/binding.js'
import { makeCertificate } from '../../support/certificates.js'
import { exactly } from '../../support/exact.js'
import {
  askWith,
  PINNED,
  PINNED_CERTIFICATE,
  sendMutual,
  startMutualServer,
} from '../../support/mutual-tls.js'
import { EXCHANGE, JWT_TYPE } from '../../support/requests.js'
import {
  ACT,
  BIND,
  type Errand,
  lasting,
  REGISTER,
  requestFor,
  run,
  TOKEN,
  withRetrying,
} from '../../support/retrying.js'

/** Differences of a request from the first one. */
const CHANGES: [title: string, errand: Errand, change: (key: string) => Partial<Errand>][] = [
  ['another scope', TOKEN, () => ({ form: { scope: 'devices:create' } })],
  ['no scope', TOKEN, () => ({ form: {} })],
  [
    'another parameter',
    TOKEN,
    () => ({ form: { scope: 'devices:read', resource: 'https://api.example.com' } }),
  ],
  ['a parameter that is one letter', TOKEN, () => ({ form: { scope: 'devices:read', c: '1' } })],
  [
    'another requested type',
    TOKEN,
    () => ({ form: { scope: 'devices:read', requested_token_type: JWT_TYPE } }),
  ],
  [
    'another key to bind',
    BIND,
    (key) => ({ headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(bindingBody(key)) }),
  ],
  ['other metadata', REGISTER, () => ({ body: '{"client_name":"b","scope":"devices:read"}' })],
  ['more metadata', REGISTER, () => ({ body: '{"client_name":"a","scope":"devices:read","x":1}' })],
  ['another body', ACT, () => ({ body: '{"name":"b"}' })],
  ['the same in another spelling', ACT, () => ({ body: '{"name": "a"}' })],
  ['no body', ACT, () => ({ body: '' })],
  ['a query', ACT, () => ({ path: '/act?a=1' })],
  ['another path', ACT, () => ({ path: '/act/it' })],
  ['another method', ACT, () => ({ method: 'PUT' })],
  ['a slash behind the path', ACT, () => ({ path: '/act/' })],
]

describe('a redeemed key with which its holder asks for something else', () => {
  test.each(CHANGES)('is a replay: %s', (_title, errand, change) =>
    withRetrying({}, async (server) => {
      const key = await server.bound(errand)
      const first = await run(server, key, errand)
      expect(first.status).toBeLessThan(300)
      expect(lasting(await run(server, key, errand))).toEqual(lasting(first))
      const other = await run(server, key, { ...errand, ...change(key) })
      expect([other.status, server.refusal()]).toEqual([errand === TOKEN ? 400 : 401, 'key_redeemed'])
      expect(await server.standing(key)).toEqual(['redeemed', true])
      const replayed = server.events.find(({ type }) => type === 'key.replayed')
      expect(replayed).toMatchObject({ familyRevoked: true, severity: 'high' })
      const again = await run(server, key, errand)
      expect([again.status, server.refusal()]).toEqual([errand === TOKEN ? 400 : 401, 'key_redeemed'])
      expect(again.text).not.toContain('access_token')
      expect([server.countEvents('key.redeemed'), server.countEvents('redemption.repeated')]).toEqual([1, 1])
      expect(server.runs()).toBe(errand === ACT ? 1 : 0)
    }),
  )

  test('is a replay where it is presented to something else that redeems', () =>
    withRetrying({}, async (server) => {
      const both = { ...TOKEN, scope: `${TOKEN.scope} provision:register` }
      const key = await server.bound(both)
      expect((await run(server, key, both)).status).toBe(200)
      expect((await run(server, key, REGISTER)).status).toBe(401)
      expect(await server.standing(key)).toEqual(['redeemed', true])
      expect((await run(server, key, both)).status).toBe(400)
    }))

  test('revokes the result of the first', () =>
    withRetrying({}, async (server) => {
      const key = await server.bound(REGISTER)
      const { registration_client_uri: uri, registration_access_token: token } = JSON.parse(
        (await run(server, key, REGISTER)).text,
      )
      const read = () =>
        exactly(server, {
          method: 'GET',
          path: new URL(uri).pathname,
          headers: { Authorization: `Bearer ${token}` },
        })
      expect((await read()).status).toBe(200)
      await run(server, key, { ...REGISTER, body: '{"client_name":"b"}' })
      expect((await read()).status).toBe(401)
    }))

  test('is none when the client authenticates besides, in whatever way', () =>
    withRetrying({}, async (server) => {
      const key = await server.bound(TOKEN)
      const secret = 'correct-horse-battery-staple'
      const posting = { ...TOKEN, form: { ...TOKEN.form, client_id: 'ci-runner', client_secret: secret } }
      const basic = Buffer.from(`ci-runner:${secret}`).toString('base64')
      const naming = { ...TOKEN, form: { ...TOKEN.form, client_id: 'ci-runner' } }
      const first = await run(server, key, posting)
      expect(first.status).toBe(200)
      const { headers, ...wanted } = requestFor(key, naming)
      const second = await exactly(server, {
        ...wanted,
        headers: { ...headers, Authorization: `Basic ${basic}` },
      })
      expect(lasting(second)).toEqual(lasting(first))
      expect(server.countEvents('key.replayed')).toBe(0)
    }))
})

describe('a key that is bound to a certificate', () => {
  const OTHER = makeCertificate()
  const SITES = [
    ['token exchange', 'provision:token devices:read', 200],
    ['register', 'provision:register devices:read', 201],
  ] as const

  test.each(SITES)('is answered again over a connection with the same: %s', async (name, scope, status) => {
    const server = await startMutualServer()
    try {
      const asked = await askWith(server, PINNED_CERTIFICATE, { client_id: PINNED, scope })
      const key = String((asked.body as Record<string, unknown>).access_token)
      const headers = ['Authorization', `Bearer ${key}`, 'Content-Type', 'application/json']
      const exchange = { grant_type: EXCHANGE, subject_token: key, subject_token_type: JWT_TYPE }
      const redeem = (certificate?: typeof OTHER, changed = {}) =>
        name === 'register'
          ? sendMutual(server, {
              certificate,
              path: '/oauth/register',
              json: { scope: 'devices:read', ...changed },
              headers,
            })
          : sendMutual(server, { certificate, form: { ...exchange, ...changed } })
      const first = await redeem(PINNED_CERTIFICATE)
      expect(first.status).toBe(status)
      expect((await redeem(PINNED_CERTIFICATE)).body).toEqual(first.body)
      for (const stranger of [OTHER, undefined])
        expect((await redeem(stranger)).status).toBeGreaterThanOrEqual(400)
      expect((await redeem(PINNED_CERTIFICATE)).body).toEqual(first.body)
      const types = server.events.map(({ type }) => type)
      expect(types.filter((type) => type === 'redemption.repeated')).toHaveLength(2)
      expect(types.filter((type) => type === 'key.redeemed')).toHaveLength(1)
      expect(types).not.toContain('key.replayed')
      expect(
        (await redeem(PINNED_CERTIFICATE, { client_name: 'other', a: 'b' })).status,
      ).toBeGreaterThanOrEqual(400)
      expect((await redeem(PINNED_CERTIFICATE)).status).toBeGreaterThanOrEqual(400)
      expect(server.events.map(({ type }) => type)).toContain('key.replayed')
    } finally {
      await server.close()
    }
  })
})
