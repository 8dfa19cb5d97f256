import type { ProvisioningOptions } from '../../lib/index.js'
import { type TestDpopKey, testClock, testKit } from '../../lib/testing/testing.js'
import { forgeKey } from '../support/forge.js'
import { exchangeKey, postForm, send } from '../support/requests.js'
import {
  AUDIENCE,
  CLIENT,
  ISSUER,
  OTHER_AUDIENCE,
  type RunningServer,
  SECRET,
  startServer,
} from '../support/server.js'

interface Check {
  readonly check: string
  readonly outcome: string
  readonly reason?: string
  readonly detail?: string
  readonly remedy?: string
}

interface Report {
  readonly passed: boolean
  readonly checks: readonly Check[]
}

const clock = testClock()
let server: RunningServer
let kit: ReturnType<typeof testKit>
let other: ReturnType<typeof testKit>

beforeAll(async () => {
  server = await start({})
  kit = kitOf(CLIENT)
  other = kitOf('bystander')
})

afterAll(() => server?.close())

const start = (options: Partial<ProvisioningOptions>) =>
  startServer({ options: { staging: true, now: clock.now, ...options } })

const kitOf = (clientId: string) =>
  testKit({ app: server.app, client: { clientId, clientSecret: SECRET }, clock })

async function ask(form: Record<string, string>, at = server): Promise<Report> {
  const { body } = await postForm(at, '/oauth/preflight', form).auth(CLIENT, SECRET).expect(200)
  return body
}

/** The reasons of the failed checks, by check. */
const failed = ({ checks }: Report) =>
  Object.fromEntries(
    checks.filter(({ outcome }) => outcome === 'failed').map(({ check, reason }) => [check, reason]),
  )

const outcomes = ({ checks }: Report) =>
  Object.fromEntries(checks.map(({ check, outcome }) => [check, outcome]))

const devices = { method: 'POST', url: '/devices', resource: AUDIENCE, scope: 'devices:create' }

/** A planned request with a proof. */
async function planned(dpop: TestDpopKey, token: string, target: { method: string; url: string }) {
  return { token, dpop_proof: await dpop.proof({ ...target, token }) }
}

describe('a preflight', () => {
  it('reports that everything is right, and leaves the key usable', async () => {
    const token = await kit.testKey({ scope: 'devices:create' })
    const report = await ask({ token, ...devices })
    expect(report.passed).toBe(true)
    expect(outcomes(report)).toMatchObject({
      key: 'passed',
      record: 'passed',
      state: 'passed',
      proof: 'not_run',
    })
    await send(server, 'post', '/devices').set('Authorization', `Bearer ${token}`).expect(201)
  })

  it('reports all faults together, each with its reason, what was expected, and the remedy', async () => {
    const dpop = await kit.dpopKey()
    const thief = await kit.dpopKey()
    const terms = { scope: 'devices:read', resource: OTHER_AUDIENCE, dpop, expired: true, revoked: true }
    const token = await kit.testKey(terms)
    clock.advance(-600)
    const wrong = await planned(thief, token, { method: 'GET', url: 'https://evil.example/devices' })
    clock.advance(600)
    const report = await ask({ ...wrong, ...devices })
    expect(failed(report)).toEqual({
      audience: 'audience_wrong',
      times: 'key_expired',
      proof_method: 'dpop_method_wrong',
      proof_url: 'dpop_target_wrong',
      proof_time: 'dpop_stale',
      possession: 'possession_unproven',
      record: 'key_unknown',
      scope: 'scope_insufficient',
    })
    const audience = report.checks.find(({ check }) => check === 'audience')
    expect(audience).toEqual({
      check: 'audience',
      outcome: 'failed',
      reason: 'audience_wrong',
      detail: `The key is for ${OTHER_AUDIENCE}; expected ${AUDIENCE}.`,
      remedy:
        'Ask for a key with resource=<audience of this API>, or correct the option audience of the route.',
    })
  })

  it('uses no proof, so the planned request still works', async () => {
    const dpop = await kit.dpopKey()
    const token = await kit.testKey({ scope: 'devices:create', dpop })
    const form = await planned(dpop, token, { method: 'POST', url: `${AUDIENCE}/devices` })
    for (const _time of ['first', 'again']) {
      const report = await ask({ ...form, ...devices })
      expect(failed(report)).toEqual({})
      expect(outcomes(report)).toMatchObject({
        proof: 'passed',
        proof_token_hash: 'passed',
        proof_unused: 'not_run',
      })
    }
    const headers = { Authorization: `DPoP ${token}`, DPoP: form.dpop_proof }
    await send(server, 'post', '/devices').set(headers).expect(201)
  })

  it('is no replay of a redeemed key', async () => {
    const token = await kit.testKey({ scope: 'provision:token devices:read' })
    const exchanged = await exchangeKey(server, token).expect(200)
    const before = server.events.length
    expect(failed(await ask({ token, action: 'token' }))).toEqual({ state: 'key_redeemed' })
    const form = { token: exchanged.body.access_token }
    const { body } = await postForm(server, '/oauth/introspect', form).auth(CLIENT, SECRET)
    expect(body.active).toBe(true)
    expect(server.events.slice(before).map(({ type }) => type)).toEqual([])
  })

  it.each([
    ['bind', 'provision:bind'],
    ['register', 'provision:register'],
    ['token', 'provision:token'],
  ])('knows the URL and the scope of the action %s', async (action, scope) => {
    const dpop = await kit.dpopKey()
    const url = `${ISSUER}/oauth/${action}`
    const good = await kit.testKey({ scope, dpop })
    expect(failed(await ask({ action, ...(await planned(dpop, good, { method: 'POST', url })) }))).toEqual({})
    const bad = await kit.testKey({ scope: 'devices:read', dpop })
    const report = await ask({ action, ...(await planned(dpop, bad, { method: 'POST', url: AUDIENCE })) })
    expect(failed(report)).toEqual({ proof_url: 'dpop_target_wrong', scope: 'scope_insufficient' })
  })

  it.each([
    ['revoked', { state: 'key_revoked' }],
    ['locked', { lock: 'client_locked' }],
  ])('reports a key that is %s', async (state, expected) => {
    const token = await kit.testKey({
      scope: 'devices:create',
      subject: 'device:9',
      revoked: state === 'revoked',
    })
    if (state === 'locked')
      await server.keys.lockClient({ clientId: 'device:9', reason: 'a test', author: 'operator' })
    expect(failed(await ask({ token, ...devices }))).toEqual(expected)
  })

  it('reports a DPoP proof that nobody can read, and the scheme that does not fit the key', async () => {
    const token = await kit.testKey({ scope: 'devices:create' })
    const report = await ask({ token, dpop_proof: 'nonsense', ...devices })
    expect(failed(report)).toEqual({ proof: 'dpop_malformed', possession: 'key_unbound' })
    const dpop = await kit.dpopKey()
    const bound = await kit.testKey({ scope: 'devices:create', dpop })
    expect(failed(await ask({ token: bound, scheme: 'Bearer', ...devices }))).toEqual({
      possession: 'possession_unproven',
    })
  })

  it('reports the key of another signer of ours as forged, and emits the event', async () => {
    const token = forgeKey(await kit.testKey({ scope: 'devices:create' }), { claims: { sub: 'somebody' } })
    const before = server.events.length
    expect(failed(await ask({ token, ...devices }))).toEqual({ record: 'key_forged' })
    expect(server.events.slice(before).map(({ type }) => type)).toEqual(['key.forged'])
  })

  it('checks the network of the planned request, and the environment and the nonce of the server', async () => {
    const policy = { scopes: ['devices:create'], networks: ['10.0.0.0/8'] }
    const strict = await start({
      clients: [{ clientId: CLIENT, clientSecret: SECRET, policy }],
      dpop: { nonceSecret: 'n'.repeat(64) },
    })
    try {
      const client = { clientId: CLIENT, clientSecret: SECRET }
      const strictKit = testKit({ app: strict.app, client, clock })
      const dpop = await strictKit.dpopKey()
      const token = await strictKit.testKey({ scope: 'devices:create', dpop })
      const form = {
        ...(await planned(dpop, token, { method: 'POST', url: `${AUDIENCE}/devices` })),
        ...devices,
      }
      expect(failed(await ask(form, strict))).toEqual({
        network: 'network_wrong',
        proof_nonce: 'dpop_nonce_wanted',
      })
      const inside = await ask({ ...form, address: '10.1.2.3' }, strict)
      expect(failed(inside)).toEqual({ proof_nonce: 'dpop_nonce_wanted' })
    } finally {
      await strict.close()
    }
  })
})

describe('a preflight tells nothing about the keys of others', () => {
  it('has one answer for keys of others, forged keys, access tokens and garbage', async () => {
    const own = await kit.testKey({ scope: 'devices:create' })
    const tokens = [
      'nonsense',
      await other.testKey({ scope: 'devices:read' }),
      await other.testKey({ scope: 'devices:read', revoked: true }),
      `${own.slice(0, -10)}AAAAAAAAAA`,
      await kit.testAccessToken({ scope: 'devices:read' }),
      SECRET,
    ]
    const answers = await Promise.all(tokens.map((token) => ask({ token, ...devices })))
    const [first] = answers
    for (const answer of answers) expect(answer).toEqual(first)
    expect(first?.passed).toBe(false)
    expect(failed(first as Report)).toEqual({ key: undefined })
    expect(outcomes(first as Report)).toMatchObject({
      audience: 'not_run',
      state: 'not_run',
      scope: 'not_run',
    })
  })

  it('is only for clients that authenticate', async () => {
    const token = await kit.testKey({ scope: 'devices:create' })
    const { body } = await postForm(server, '/oauth/preflight', { token, ...devices }).expect(401)
    expect(body.error).toBe('invalid_client')
  })

  it('contains no key and no proof, in answers and events', async () => {
    const dpop = await kit.dpopKey()
    const token = await kit.testKey({ scope: 'devices:create', dpop })
    const form = await planned(dpop, token, { method: 'PUT', url: '/' })
    const answers = [
      await ask({ ...form, ...devices }),
      await ask({ ...form, token: `${token}x`, ...devices }),
    ]
    kit.expectNoKeyIn([answers, server.events])
  })

  it('counts with the introspection endpoint', async () => {
    const limited = await start({ rateLimit: { introspect: { limit: 2 } } })
    try {
      for (const status of [200, 200, 429])
        await postForm(limited, '/oauth/preflight', { token: 'x' }).auth(CLIENT, SECRET).expect(status)
    } finally {
      await limited.close()
    }
  })
})

describe('the form of a preflight', () => {
  it.each([
    ['a form without a key', {}, 'token is missing.'],
    [
      'an unknown action',
      { token: 'x', action: 'drop' },
      'action: expected bind or register or token or route.',
    ],
    ['an unknown scheme', { token: 'x', scheme: 'Basic' }, 'scheme: expected Bearer or DPoP.'],
    ['an address that is none', { token: 'x', address: 'here' }, 'address: expected an IP address.'],
    [
      'a proof without a URL',
      { token: 'x', dpop_proof: 'y' },
      'url is missing: it is what the DPoP proof is for.',
    ],
    ['a URL that is none', { token: 'x', url: 'http://[' }, 'url: expected the URL of the planned request.'],
    // Its path would become a part of the host: https://api.example.com.evil.example/
    [
      'a URL without a path',
      { token: 'x', url: 'x:.evil.example/' },
      'url: expected the URL of the planned request.',
    ],
    [
      'another audience',
      { token: 'x', resource: 'https://nowhere.example' },
      `resource: expected ${AUDIENCE} or ${OTHER_AUDIENCE}.`,
    ],
  ])('is refused with one clear line: %s', async (_, form: Record<string, string>, line) => {
    const asking = postForm(server, '/oauth/preflight', form).auth(CLIENT, SECRET)
    await asking.expect(400, { error: 'invalid_request', error_description: line })
  })
})

test('a proof is refused in a query, where it would be logged', async () => {
  const asking = postForm(server, '/oauth/preflight?dpop_proof=x.y.z', { token: 'x' }).auth(CLIENT, SECRET)
  expect((await asking.expect(400)).body.error_description).toMatch(/never accepted in the query/)
})

describe('the option staging', () => {
  const memberOf = async (at: RunningServer) => {
    const { body } = await send(at, 'get', '/.well-known/oauth-authorization-server').expect(200)
    return body.provisioning_preflight_endpoint
  }

  it('announces the endpoint in the metadata, and advises to remove the option in production', async () => {
    expect(await memberOf(server)).toBe(`${ISSUER}/oauth/preflight`)
    expect(server.events).toContainEqual(
      expect.objectContaining({
        type: 'configuration.advised',
        advice: expect.stringContaining('staging is true'),
      }),
    )
  })

  it('is off by default: there is no endpoint, and the metadata name none', async () => {
    const production = await startServer()
    try {
      await postForm(production, '/oauth/preflight', { token: 'x' }).auth(CLIENT, SECRET).expect(404)
      expect(await memberOf(production)).toBeUndefined()
    } finally {
      await production.close()
    }
  })
})
