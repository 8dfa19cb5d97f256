import { once } from 'node:events'
import { createServer, type RequestListener, type Server } from 'node:http'
import { type AddressInfo, createServer as createTcp, type Socket } from 'node:net'
import type { CheckResult } from '../../../lib/checks/check.js'
import { DEPLOYMENT_CHECKS } from '../../../lib/checks/deployment/checks.js'
import type { DeploymentSettings } from '../../../lib/checks/deployment/session.js'
import type { Claims } from '../../../lib/jose/jws.js'
import { decodeToken } from '../../../lib/testing/forged-token.js'
import { startLocalServer } from '../../support/local-server.js'
import { itInAll } from '../../support/scale.js'
import { CLIENT, closeServer, SECRET } from '../../support/server.js'
import { BREAKAGES } from './breakages.js'
import {
  type Breakage,
  type ProxyRequest,
  type RunningDeployment,
  SCOPES,
  startDeployment,
} from './broken-deployment.js'
import { check, idsWith } from './run.js'

/** docs/guides/staging.md names this number. */
const MOST_REQUESTS = 250

let running: RunningDeployment
const servers: Server[] = []

beforeAll(async () => {
  running = await startDeployment()
})

afterAll(async () => {
  for (const server of servers) await closeServer(server)
  await running.close()
})

describe('a deployment without faults', () => {
  let run: Awaited<ReturnType<typeof check>>

  beforeAll(async () => {
    run = await check(running.settings)
  })

  it('passes all checks', () => {
    const { results } = run
    expect(results).toHaveLength(DEPLOYMENT_CHECKS.length)
    expect(
      results.filter(({ outcome }) => outcome !== 'passed').map(({ id, reason }) => [id, reason]),
    ).toEqual([['expiry', 'the shortest key needs 7 seconds to expire; allow them with --wait']])
  })

  it('gets a bounded number of requests', () => {
    expect(run.deployment.exchanges.length).toBeLessThan(MOST_REQUESTS)
  })

  it('has no usable key of the checks afterwards', async () => {
    const { deployment, left } = run
    expect(left).toBe(0)
    const keys = deployment.exchanges
      .map(({ json }) => json['access_token'])
      .filter((key) => key !== undefined)
    const answers = await Promise.all(
      keys.map((key) => deployment.introspect(String(key), new AbortController().signal)),
    )
    expect(keys.length).toBeGreaterThan(20)
    expect(answers.map(({ json }) => json)).toEqual(keys.map(() => ({ active: false })))
  })
})

it('passes behind a proxy that answers a repeated header with a page of its own', async () => {
  const html = { status: 400, headers: { 'content-type': 'text/html' }, text: '<h1>400 Bad Request</h1>' }
  const behind = await startDeployment({
    request: ({ headers }) => (Array.isArray(headers['authorization']) ? { answer: html } : {}),
  })
  const only = ['forgery-duplicate', 'errors-markup']
  const { results } = await check(behind.settings, { only })
  await behind.close()
  expect(idsWith(results, 'passed')).toEqual(only)
})

it('passes behind a proxy that refuses plain HTTP with a page of its own', async () => {
  const html = { status: 403, headers: { 'content-type': 'text/html' }, text: '<h1>403 Forbidden</h1>' }
  const behind = await startDeployment({
    request: ({ headers }) => (headers['x-forwarded-proto'] === 'http' ? { answer: html } : {}),
  })
  const only = ['cleartext', 'errors-markup']
  const { results } = await check(behind.settings, { only })
  await behind.close()
  expect(idsWith(results, 'passed')).toEqual(only)
})

/** The client of a deployment that issues only bound keys. */
const BOUND: Breakage['options'] = {
  clients: [
    { clientId: 'tester', clientSecret: SECRET, policy: { defaultScopes: SCOPES, senderConstraint: 'dpop' } },
  ],
}

it.each([
  ['client assertions, for which clients have a secret', 'token_endpoint_auth_signing_alg', 'passed'],
  ['DPoP proofs', 'dpop_signing_alg', 'failed'],
] as const)('HS256 in the metadata for %s has the right result', async (_, list, outcome) => {
  const other = await startDeployment({
    answer: ({ text }, { path }) =>
      path.startsWith('/.well-known/')
        ? { text: JSON.stringify({ ...JSON.parse(text), [`${list}_values_supported`]: ['HS256'] }) }
        : {},
  })
  const only = ['discovery-algorithms']
  const { results } = await check(other.settings, { only })
  await other.close()
  expect(idsWith(results, outcome)).toEqual(only)
})

describe('the scope of a key', () => {
  const only = ['claims-scope', 'redemption-scope', 'introspection-active']
  const changed = (of: string, change: (json: Claims) => object): Breakage => ({
    answer: ({ status, text }, { path }) =>
      path === of && status === 200 ? { text: JSON.stringify(change(JSON.parse(text))) } : {},
  })
  const reverse = ({ scope, ...json }: Claims) => ({
    ...json,
    ...(typeof scope === 'string' && { scope: scope.split(' ').reverse().join(' ') }),
  })

  it.each<[string, Breakage]>([
    ['missing in the answer', changed('/oauth/token', (json) => ({ ...json, scope: undefined }))],
    ['in another order in the answer', changed('/oauth/token', reverse)],
    ['in another order in the introspection', changed('/oauth/introspect', reverse)],
  ])('may be %s', async (_, breakage) => {
    const other = await startDeployment(breakage)
    const { results } = await check(other.settings, { only })
    await other.close()
    expect(idsWith(results, 'passed')).toEqual(only)
  })

  it('is read from the key if the answer does not tell that it is wider', async () => {
    const silent = changed('/oauth/token', (json) => ({ ...json, scope: undefined }))
    const other = await startDeployment({ ...BREAKAGES['issuance-scope'], ...silent })
    const { results } = await check(other.settings, { only: ['issuance-scope'] })
    await other.close()
    expect(idsWith(results, 'failed')).toEqual(['issuance-scope'])
  })
})

describe('a token endpoint that authenticates no client', () => {
  const only = [
    'auth-missing',
    'auth-secret-wrong',
    'auth-secret-empty',
    'auth-twice',
    'auth-assertion-forged',
    'auth-assertion-unsigned',
  ]
  const request: Breakage['request'] = ({ path, headers, form }) => {
    if (path !== '/oauth/token') return {}
    const parameters = [...form].filter(([name]) => !name.startsWith('client_'))
    const authorization = `Basic ${btoa(`tester:${SECRET}`)}`
    return { headers: { ...headers, authorization }, text: String(new URLSearchParams(parameters)) }
  }
  const refusal = { status: 400, text: '{"error":"invalid_request"}' }
  const subject = 'device:7'

  it.each<[string, Breakage]>([
    ['issues bearer keys', { request }],
    ['issues only bound keys', { request, options: BOUND }],
    [
      'requires a subject',
      {
        request,
        settings: { subject },
        answer: (_, { path, form }) =>
          path !== '/oauth/token' || form.has('requested_subject') ? {} : refusal,
      },
    ],
  ])('and %s fails all checks of the credentials', async (_, breakage) => {
    const open = await startDeployment(breakage)
    const { results } = await check(open.settings, { only })
    await open.close()
    expect(idsWith(results, 'failed')).toEqual(only)
  })
})

it('a refusal for another reason than the credentials does not pass', async () => {
  const other = await startDeployment({
    answer: (_, { form }) =>
      form.has('client_assertion') ? { status: 400, text: '{"error":"invalid_scope"}' } : {},
  })
  const only = ['auth-assertion-forged', 'auth-assertion-unsigned']
  const { results } = await check(other.settings, { only })
  await other.close()
  expect(idsWith(results, 'failed')).toEqual(only)
})

describe('a token endpoint that reads its parameters in the wrong way', () => {
  const inBody: Breakage['answer'] = ({ text }, { path }) =>
    path.startsWith('/.well-known/') ? { text: text.replaceAll('"client_secret_basic",', '') } : {}

  it.each<[string, string, Breakage]>([
    ['issuance-query', 'with bound keys', { options: BOUND }],
    ['issuance-duplicate', 'with bound keys', { options: BOUND }],
    ['issuance-method', 'with a secret in the body', { answer: inBody }],
    ['issuance-query', 'with a secret in the body', { answer: inBody }],
  ])('fails the check %s %s', async (id, _, breakage) => {
    const wrong = await startDeployment({ ...BREAKAGES[id], ...breakage })
    const { results, deployment } = await check(wrong.settings, { only: [id] })
    await wrong.close()
    expect(idsWith(results, 'failed')).toEqual([id])
    expect(deployment.exchanges.filter(({ request: { url } }) => url.includes(SECRET))).toEqual([])
  })
})

describe('the check of plain HTTP', () => {
  it.each<[string, (request: ProxyRequest) => boolean]>([
    ['the token endpoint of the metadata', ({ path }) => path === '/v1/token'],
    ['the metadata', ({ method, path }) => method === 'GET' && path.startsWith('/.well-known/')],
  ])('fails on a server that serves %s there', async (_, isServed) => {
    const notFound = { status: 404, text: '{"error":"not_found"}' }
    const served = await startDeployment({
      cleartext: isServed,
      request: ({ headers, path }) => {
        if (path === '/v1/token') return { path: '/oauth/token' }
        return headers['x-forwarded-proto'] === 'http' ? { answer: notFound } : {}
      },
      answer: ({ text }) => ({ text: text.replace(/\/oauth\/token(?=")/, '/v1/token') }),
    })
    const { results } = await check(served.settings, { only: ['cleartext'] })
    await served.close()
    expect(idsWith(results, 'failed')).toEqual(['cleartext'])
  })
})

it('warns if no key is redeemed, because then nothing shows that keys work only once', async () => {
  const deployed = await startDeployment({ settings: { scope: 'devices:read' } })
  const { results } = await check(deployed.settings, { only: ['redemption', 'replay'] })
  await deployed.close()
  const actual = expect.stringMatching(
    /^no key was redeemed: the key does not have the scope provision:token/,
  )
  expect(results[0]).toMatchObject({ id: 'redemption-works', outcome: 'warning', actual })
  expect(idsWith(results, 'passed')).toEqual([])
  expect(idsWith(results, 'skipped')).toHaveLength(results.length - 1)
})

describe('the check that a bound key needs its proof', () => {
  const bearerKeyOf = ({ headers: { authorization } }: ProxyRequest) =>
    decodeToken(/^Bearer (.+)$/.exec(String(authorization))?.[1] ?? '')

  it.each<[string, (request: ProxyRequest) => boolean, object]>([
    [
      'fails on a route that ignores the binding of bearer keys',
      (request) => bearerKeyOf(request) !== undefined,
      { outcome: 'failed', expected: 'status 400' },
    ],
    [
      'fails on a route that accepts no bound key',
      (request) => bearerKeyOf(request)?.claims['cnf'] === undefined && bearerKeyOf(request) !== undefined,
      { outcome: 'failed', expected: expect.stringMatching(/\/redeem accepts the key with its proof$/) },
    ],
    [
      'is skipped on a route that accepts no key',
      () => false,
      { outcome: 'skipped', reason: expect.stringMatching(/\/redeem accepts no key$/) },
    ],
  ])('%s', async (_, isAccepted, finding) => {
    const guarded = await startDeployment({
      request: (request) =>
        request.path === '/redeem' ? { answer: { status: isAccepted(request) ? 200 : 401 } } : {},
    })
    const settings = { ...guarded.settings, redeemUrl: `${guarded.settings.issuer}/redeem` }
    const { results } = await check(settings, { only: ['dpop-possession'] })
    await guarded.close()
    expect(results).toEqual([expect.objectContaining({ id: 'dpop-possession', ...finding })])
  })

  it('passes on a route that compares the proof with the key', async () => {
    const local = await startLocalServer()
    const client = { clientId: CLIENT, clientSecret: SECRET, waitSeconds: 0 }
    const settings = { issuer: local.origin, redeemUrl: `${local.origin}/devices`, ...client }
    const { results } = await check({ ...settings, scope: 'devices:create' }, { only: ['dpop-possession'] })
    await local.close()
    expect(idsWith(results, 'passed')).toEqual(['dpop-possession'])
  })
})

it('fails the checks of redeemed keys if a later key cannot be redeemed', async () => {
  let redemptions = 0
  const isLater = ({ form }: ProxyRequest) => form.has('subject_token') && redemptions++ > 0
  const failing = await startDeployment({
    request: (request) => (isLater(request) ? { answer: { status: 403 } } : {}),
  })
  const only = ['redemption-caching', 'redemption-scope', 'replay-refused']
  const { results } = await check(failing.settings, { only })
  await failing.close()
  expect(results.map(({ id, outcome, expected }) => [id, outcome, expected])).toEqual(
    only.map((id) => [id, 'failed', 'the token exchange accepts the key']),
  )
})

it('does not take a fault of the server for the refusal of a redeemed or revoked key', async () => {
  const ended = new Set<string>()
  const failing = await startDeployment({
    request: ({ form, path }) => {
      const token = form.get('subject_token') ?? form.get('token') ?? ''
      const isFault = path === '/oauth/token' && ended.has(token)
      if (path === '/oauth/token' || path === '/oauth/revoke') ended.add(token)
      return isFault && token !== '' ? { answer: { status: 500, text: '{"error":"server_error"}' } } : {}
    },
  })
  const only = ['replay-refused', 'revocation-works']
  const { protectedUrl: _, ...settings } = failing.settings
  const { results } = await check(settings, { only })
  await failing.close()
  const found = results.filter(({ id }) => only.includes(id))
  expect(found.map(({ id, outcome, expected }) => [id, outcome, expected])).toEqual([
    ['revocation-works', 'failed', 'a refusal'],
    ['replay-refused', 'failed', 'status 400 or 401'],
  ])
})

describe('two processes that count requests alone', () => {
  const remaining = [290, 280]
  const countedBy = (isNew: boolean) => {
    let sent = 0
    const left = (address: unknown) => {
      const index = sent++ % remaining.length
      if (isNew && address !== undefined) return 299
      remaining[index] = (remaining[index] ?? 0) - 1
      return remaining[index]
    }
    return startDeployment({
      answer: ({ headers }, { path, sent: { 'x-forwarded-for': address } }) =>
        path === '/oauth/token' ? { headers: { ...headers, ratelimit: `"a"; r=${left(address)}` } } : {},
    })
  }

  it.each([
    ['passed', false],
    ['failed', true],
  ] as const)(
    'the check of invented addresses has %s if such an address has a new limit: %s',
    async (outcome, isNew) => {
      const balanced = await countedBy(isNew)
      const { results } = await check(balanced.settings, { only: ['rate-limit-address'] })
      await balanced.close()
      expect(idsWith(results, outcome)).toContain('rate-limit-address')
    },
  )
})

itInAll(
  'does not pass a limit that an invented address evades, when the own address is refused already',
  async () => {
    const limited = await startDeployment({
      answer: ({ headers }, { path, sent: { 'x-forwarded-for': address } }) => {
        if (path !== '/oauth/token') return {}
        const isNew = address !== undefined
        return { headers: { ...headers, ratelimit: `"a"; r=${isNew ? 299 : 0}` }, status: isNew ? 400 : 429 }
      },
    })
    const { results } = await check(limited.settings, { only: ['rate-limit-address'] })
    await limited.close()
    expect(idsWith(results, 'failed')).toEqual(['rate-limit-address'])
  },
)

it('gets no secret if its metadata name another issuer', async () => {
  const foreign = await startDeployment(BREAKAGES['discovery-issuer'])
  const { results, deployment } = await check(foreign.settings)
  await foreign.close()
  expect(idsWith(results, 'failed')).toEqual(['discovery-issuer'])
  const sent = JSON.stringify(deployment.exchanges.map(({ request }) => request))
  for (const secret of [SECRET, btoa(`${CLIENT}:${SECRET}`)]) expect(sent).not.toContain(secret)
})

describe('a local deployment', () => {
  it('skips what needs TLS, and passes the other checks', async () => {
    const local = await startLocalServer()
    const settings = { issuer: local.origin, clientId: CLIENT, clientSecret: SECRET, waitSeconds: 0 }
    const { results } = await check({ ...settings, scope: 'provision:token devices:read' })
    await local.close()
    expect(idsWith(results, 'failed')).toEqual([])
    const skips = [
      'tls-certificate',
      'tls-version',
      'hsts',
      'cleartext',
      'auth-client-unknown',
      'wrong-audience',
    ]
    expect(idsWith(results, 'skipped')).toEqual(expect.arrayContaining(skips))
  })

  itInAll('that issues only bound keys passes with bound keys', async () => {
    const policy = {
      scopes: ['provision:token', 'devices:read', 'devices:create'],
      defaultScopes: ['provision:token', 'devices:read'],
      senderConstraint: 'dpop',
    } as const
    const local = await startLocalServer({ clients: [{ clientId: CLIENT, clientSecret: SECRET, policy }] })
    const settings = { issuer: local.origin, clientId: CLIENT, clientSecret: SECRET, waitSeconds: 0 }
    const { results } = await check(settings)
    await local.close()
    expect(idsWith(results, 'failed')).toEqual([])
    expect(idsWith(results, 'passed')).toEqual(expect.arrayContaining(['redemption-works', 'forgery-claims']))
  })
})

async function serve(listener: RequestListener): Promise<string> {
  const server = createServer(listener)
  servers.push(server)
  await once(server.listen(0, '127.0.0.1'), 'listening')
  return `http://localhost:${(server.address() as AddressInfo).port}`
}

const METADATA = ['reachable', 'discovery-metadata', 'jwks-served']

/** Checks the metadata of a server that is no deployment, and expects one fault. */
async function faultOf(settings: Partial<DeploymentSettings>): Promise<CheckResult | undefined> {
  const given = { clientId: 'a', clientSecret: SECRET, waitSeconds: 0, timeoutMilliseconds: 500 }
  const { results } = await check({ issuer: 'http://localhost:1', ...given, ...settings }, { only: METADATA })
  expect(idsWith(results, 'failed')).toHaveLength(1)
  return results.find(({ outcome }) => outcome === 'failed')
}

describe('a server that is no deployment', () => {
  it('that is down fails with the reason of the connection', async () => {
    const issuer = await serve(() => undefined)
    await closeServer(servers.pop() as Server)
    expect(await faultOf({ issuer })).toMatchObject({
      id: 'reachable',
      actual: expect.stringMatching(/^No answer from localhost:\d+: ECONNREFUSED( \([\d.:]+\))?\.$/),
    })
  })

  it('with a certificate of another authority fails with the code of OpenSSL', async () => {
    const { issuer } = running.settings
    expect(await faultOf({ issuer })).toMatchObject({
      id: 'reachable',
      actual: expect.stringMatching(
        /^The certificate of localhost:\d+ is from an unknown authority\. .*\(\w+\)\.$/,
      ),
    })
  })

  it.each<[string, RequestListener, string, RegExp]>([
    ['hangs', () => undefined, 'reachable', /^No complete answer from localhost:\d+ within 0\.5 seconds\.$/],
    [
      'never ends its answer',
      (_, res) => void res.write('{'),
      'reachable',
      /^No complete answer from localhost:\d+ within 0\.5 seconds\.$/,
    ],
    [
      'answers too much',
      (_, res) => void res.end('a'.repeat(300_000)),
      'reachable',
      /more than 262144 bytes/,
    ],
    [
      'hangs up',
      (req) => void req.socket.destroy(),
      'reachable',
      /^No answer from localhost:\d+: ECONNRESET\.$/,
    ],
    [
      'changes the protocol',
      ({ socket }) => void socket.write('HTTP/1.1 101 A\r\nUpgrade: a\r\nConnection: Upgrade\r\n\r\n'),
      'reachable',
      /^No answer from localhost:\d+: the connection ended before the answer\.$/,
    ],
    [
      'answers HTML',
      (_, res) => void res.setHeader('Content-Type', 'text/html').end('<h1>\u001b[2Jhi</h1>'),
      'discovery-metadata',
      /^the Content-Type text\/html$/,
    ],
    [
      'redirects to itself',
      ({ url }, res) => void res.writeHead(302, { Location: url }).end(),
      'discovery-metadata',
      /^status 302$/,
    ],
    [
      'answers control characters',
      (_, res) => void res.writeHead(404).end('\u001b[2J\n√ all checks passed'),
      'discovery-metadata',
      /^status 404, +\[2J √ all checks passed$/,
    ],
  ])('that %s fails with one line, in bounded time', async (_, listener, id, actual) => {
    expect(await faultOf({ issuer: await serve(listener) })).toMatchObject({
      id,
      actual: expect.stringMatching(actual),
    })
  })

  itInAll('that keeps half-open connections fails in bounded time', async () => {
    const sockets: Socket[] = []
    const server = createTcp({ allowHalfOpen: true }, (socket) => {
      sockets.push(socket.on('error', () => undefined).resume())
    })
    await once(server.listen(0, '127.0.0.1'), 'listening')
    const issuer = `http://localhost:${(server.address() as AddressInfo).port}`
    expect(await faultOf({ issuer })).toMatchObject({ id: 'reachable' })
    for (const socket of sockets) socket.destroy()
    server.close()
  })
})

describe('metadata that name an endpoint without TLS', () => {
  it('get no credentials', async () => {
    const received: string[] = []
    const cleartext = await serve(({ headers }, res) => {
      received.push(String(headers.authorization))
      res.end()
    })
    const hostile = await startDeployment()
    hostile.breakWith({
      answer: ({ text }, { path }) =>
        path.startsWith('/.well-known/')
          ? { text: text.replace(/https:[^"]*\/oauth\/token(?=")/, cleartext) }
          : {},
    })
    const { results } = await check(hostile.settings, { only: ['issuance-key', 'discovery-endpoints'] })
    await hostile.close()
    expect(received).toEqual([])
    expect(results.find(({ id }) => id === 'issuance-key')?.reason).toBe(
      'the token_endpoint of the metadata has no TLS, so it gets no credentials',
    )
  })
})

describe('metadata with an endpoint for revocation that gets no credentials', () => {
  it.each(['http://other.example/revoke', 'no URL'])(
    'leave the keys, and lose no result: %s',
    async (url) => {
      const deployed = await startDeployment({
        answer: ({ text }, { path }) =>
          path.startsWith('/.well-known/')
            ? { text: JSON.stringify({ ...JSON.parse(text), revocation_endpoint: url }) }
            : {},
      })
      const { results, left } = await check(deployed.settings, { only: ['issuance-key'] })
      await deployed.close()
      expect(idsWith(results, 'passed')).toEqual(['issuance-key'])
      expect(left).toBe(1)
    },
  )
})

describe('a limit of requests', () => {
  it('skips the rest, with the pause that the deployment wants', async () => {
    const limited = await startDeployment({ options: { rateLimit: { token: { limit: 12 } } } })
    const { results } = await check(limited.settings)
    await limited.close()
    expect(idsWith(results, 'failed')).toEqual([])
    expect(results.find(({ outcome }) => outcome === 'skipped')?.reason).toMatch(
      /^the rate limit of the deployment wants a pause of \d+ seconds; allow it with --wait$/,
    )
  })

  // Each waits for a second, so they run together.
  it.concurrent.each([
    ['zero', '0', '1', 2],
    ['a negative number', '-100', '1', 2],
    ['a date', () => new Date(Date.now() + 20_000).toUTCString(), '(19|20|21)', 1],
  ] as const)(
    'with %s in Retry-After has a pause of at least a second',
    async (_, value, seconds, requests) => {
      const limited = await startDeployment({
        answer: ({ headers }, { path }) => {
          const retryAfter = typeof value === 'string' ? value : value()
          return path === '/oauth/token'
            ? { status: 429, headers: { ...headers, 'retry-after': retryAfter } }
            : {}
        },
      })
      const { results, deployment } = await check(
        { ...limited.settings, waitSeconds: 1 },
        { only: ['issuance-key'] },
      )
      await limited.close()
      const reason = expect.stringMatching(`a pause of ${seconds} seconds`)
      expect(results).toEqual([expect.objectContaining({ id: 'issuance-key', outcome: 'skipped', reason })])
      const limits = deployment.exchanges.filter(({ status }) => status === 429)
      expect(limits).toHaveLength(requests)
    },
  )
})

describe('the report of a fault', () => {
  it('contains the request as a curl command without secrets', async () => {
    const broken = await startDeployment()
    const isGuarded = (path: string, key: unknown) => path === '/devices' && key !== undefined
    broken.breakWith({
      request: ({ path, headers }) =>
        isGuarded(path, headers['authorization']) ? { answer: { text: '[]' } } : {},
    })
    const { results, deployment } = await check(broken.settings, { only: ['forgery-alg-none', 'auth-twice'] })
    await broken.close()
    const fault = results.find(({ outcome }) => outcome === 'failed')
    expect(fault).toMatchObject({ id: 'forgery-alg-none', outcome: 'failed' })
    expect(fault?.request).toMatch(
      /^curl -i -X GET "https:\/\/localhost:\d+\/devices" -H "Authorization: Bearer \$KEY"$/,
    )
    expect(fault?.secrets).toBe('$KEY is a key or a token of this run.')
    for (const secret of deployment.secrets) expect(JSON.stringify(results)).not.toContain(secret)
  })

  it('explains the secrets of the client in the request', async () => {
    const broken = await startDeployment({
      request: ({ path }) => (path === '/oauth/token' ? { answer: { status: 500, text: '{}' } } : {}),
    })
    const { results } = await check(broken.settings, { only: ['issuance-key'] })
    await broken.close()
    const [fault] = results.filter(({ request }) => request?.includes('$BASIC'))
    expect(fault?.secrets).toBe(
      '$BASIC is the base64 of ID:SECRET, the id and the secret of the test client.',
    )
  })

  it('contains no secret that the deployment escapes in its JSON', async () => {
    const clientSecret = 'Zm9v/YmFy/Zm9v/YmFy/Zm9v/YmFy'
    const quoted = JSON.stringify({ message: `wrong login ${clientSecret}` }).replaceAll('/', '\\/')
    const quoting = await startDeployment({
      request: ({ path }) => (path === '/oauth/token' ? { answer: { status: 400, text: quoted } } : {}),
      settings: { clientSecret },
    })
    const { results } = await check(quoting.settings, { only: ['issuance-key', 'errors-secrets'] })
    await quoting.close()
    expect(idsWith(results, 'failed')).toEqual(['issuance-key', 'errors-secrets'])
    expect(results[0]?.actual).toBe('status 400, {"message":"wrong login $CLIENT_SECRET"}')
    expect(JSON.stringify(results)).not.toContain('YmFy')
  })

  it('has the name of each secret as a variable of the shell', async () => {
    const broken = await startDeployment({
      request: ({ path, form }) =>
        path === '/oauth/introspect' && decodeToken(form.get('token') ?? '')?.header['typ'] === 'at+jwt'
          ? { answer: { text: '{"active":true}' } }
          : {},
    })
    const { results } = await check(broken.settings, { only: ['replay-containment'] })
    await broken.close()
    expect(results.find(({ outcome }) => outcome === 'failed')?.request).toMatch(
      / -H "Authorization: Basic \$BASIC" --data-urlencode "token=\$TOKEN"$/,
    )
  })
})
