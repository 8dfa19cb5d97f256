import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { RequestHandler } from 'express'
import {
  ConfigurationError,
  ProvisionError,
  type ProvisionOptions,
  provision,
} from '../../lib/client/client.js'
import { fileState, pinnedFetch } from '../../lib/client/node.js'
import { SECRET } from '../support/server.js'
import { deviceOf, failureOf, memoryOf, startIssuer, type TestIssuer } from './issuer.js'

let issuer: TestIssuer
let misbehave: RequestHandler | undefined

beforeAll(async () => {
  issuer = await startIssuer({
    before: (req, res, next) => (misbehave === undefined ? next() : misbehave(req, res, next)),
  })
})

afterAll(() => issuer.close())

beforeEach(() => {
  misbehave = undefined
  issuer.requests.length = 0
})

/** One line, without a secret. */
function expectPlain({ message }: Error): void {
  expect(message).toMatch(/^[^\n]{20,400}$/)
  expect(message).not.toMatch(/eyJ|correct-horse/)
}

function forged(claims: object): string {
  const encode = (part: object) => Buffer.from(JSON.stringify(part)).toString('base64url')
  const all = { iss: issuer.origin, jti: 'j', sub: 'device:1', exp: 1e10, ...claims }
  return `${encode({ typ: 'provisioning-key+jwt', alg: 'ES256' })}.${encode(all)}.c2ln`
}

describe('the options', () => {
  it.each<[string, Partial<ProvisionOptions>, string]>([
    ['no key', { client: undefined as never }, 'key: expected either key or client, got neither'],
    ['two keys', { key: 'a' }, 'expected either key or client, got both'],
    ['an issuer without TLS', { issuer: 'http://auth.example.com' }, 'issuer: expected an https URL'],
    ['an unknown action', { action: 'enrol' as never }, 'action: expected token or bind or register'],
    ['no state to bind', { state: undefined as never }, 'state: expected a place for the private key'],
    ['a file name as state', { state: 'device.json' as never }, "such as fileState('device.json'), got "],
    [
      'the names of the server for a client',
      { client: { clientId: 'a', clientSecret: 'b' } as never },
      'client.clientId: expected a known option; did you mean id?',
    ],
    ['metadata to bind', { metadata: {} }, 'metadata: expected the action register, got bind'],
    ['a scope with two spaces', { scope: 'a  b' }, 'scope: expected scopes, separated by single spaces'],
    ['an unknown name', { scopes: 'a' } as never, 'scopes: expected a known option; did you mean scope?'],
    ['a deadline of zero', { deadlineSeconds: 0 }, 'deadlineSeconds: expected a number of seconds'],
  ])('name %s', async (_, wrong, message) => {
    const failure = await failureOf({ ...deviceOf(issuer), ...wrong })
    expect(failure).toBeInstanceOf(ConfigurationError)
    expect(failure.message).toContain(message)
    expect(issuer.requests).toEqual([])
  })
})

describe('a saved state', () => {
  const good = {
    format: 'express-provisioning-keys/client',
    version: 1,
    action: 'bind',
    result: { thumbprint: 'a', clientId: 'a', keyId: 'a', answer: '{}', completedAt: 1 },
  }
  it.each<[string, () => string, string]>([
    ['that is damaged', () => JSON.stringify(good).slice(0, 40), 'it is damaged: expected JSON'],
    ['that is empty', () => '', 'it is damaged: expected JSON'],
    ['of another program', () => '{"token":"a"}', 'another program wrote it'],
    ['of a newer version', () => JSON.stringify({ ...good, version: 2 }), 'a newer version of this package'],
    ['with a part missing', () => JSON.stringify({ ...good, issuer: issuer.origin, result: {} }), 'result.'],
    [
      'for another issuer',
      () => JSON.stringify({ ...good, issuer: 'https://a.example' }),
      'https://a.example',
    ],
    [
      'for another action',
      () => JSON.stringify({ ...good, issuer: issuer.origin, action: 'token' }),
      'it is for the action token, and you asked for bind',
    ],
    [
      'with a damaged private key',
      () => {
        const privateKey = { kty: 'EC', crv: 'P-256', x: 'a', y: 'a', d: 'a' }
        const url = `${issuer.origin}/oauth/bind`
        const attempt = { privateKey, thumbprint: 'a', key: forged({}), url }
        return JSON.stringify({ ...good, issuer: issuer.origin, result: undefined, attempt })
      },
      'its private key is wrong',
    ],
    [
      'with a result whose private key is damaged',
      () => {
        const [x, y] = ['2RbtwQvmYKyHb-0sOXA1SbQ6Z4nn0Vb6CaMEXdnqk-w', 'AAAA']
        const result = { ...good.result, privateKey: { kty: 'EC', crv: 'P-256', x, y, d: x } }
        return JSON.stringify({ ...good, issuer: issuer.origin, result })
      },
      'its private key is wrong. Correct this, or delete the state and get a new key.',
    ],
    [
      'with a damaged key',
      () => {
        const attempt = { thumbprint: 'a', key: 'a', url: 'https://a.example' }
        return JSON.stringify({ ...good, issuer: issuer.origin, attempt })
      },
      'attempt.key: expected a provisioning key, got a string of 1 characters',
    ],
    [
      'without its private key',
      () => JSON.stringify({ ...good, issuer: issuer.origin }),
      'the private key is not',
    ],
  ])('%s ends the call, and stays as it is', async (_, text, message) => {
    const state = memoryOf(text())
    const failure = await failureOf(deviceOf(issuer, { state }))
    expect(failure).toMatchObject({ code: 'state_unusable', blame: 'you', isTransient: false })
    expect(failure.message).toContain(message)
    expectPlain(failure)
    expect(issuer.requests.filter((one) => one.startsWith('POST'))).toEqual([])
    expect(state.text).toBe(text())
  })

  it('that cannot be written ends the call before the key is redeemed', async () => {
    const full = Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' })
    const state = { ...memoryOf(), save: () => Promise.reject(full) }
    const failure = await failureOf(deviceOf(issuer, { state }))
    expect(failure).toMatchObject({ code: 'state_not_saved', isTransient: true })
    expectPlain(failure)
    expect(issuer.requests).not.toContain('POST /oauth/bind')
  })

  it('in a folder that does not exist ends the call before the device asks for a key', async () => {
    const failure = await failureOf(deviceOf(issuer, { state: fileState('/does/not/exist.json') }))
    expect(failure).toMatchObject({ code: 'state_not_saved', isTransient: true })
    expectPlain(failure)
    expect(issuer.requests).not.toContain('POST /oauth/token')
  })

  it('that is damaged is named by its place', async () => {
    const state = { ...memoryOf('{'), location: '/var/lib/agent/identity.json' }
    const failure = await failureOf(deviceOf(issuer, { state }))
    expect(failure.message).toMatch(/^The saved state \/var\/lib\/agent\/identity\.json cannot be used: /)
  })
})

describe('a request without an answer', () => {
  const failed = (cause: object) => new TypeError('fetch failed', { cause })
  const refused = { code: 'ECONNREFUSED', address: '10.0.0.1', port: 3128 }
  const cancelled = new Error('cancelled', { cause: new Error('Proxy response (407) !== 200') })

  it.each<[string, Error, string]>([
    ['a proxy that refuses the request', failed(cancelled), 'auth.example.com: Proxy response (407) !== 200'],
    [
      'the address that refused the connection',
      failed(Object.assign(new Error(), refused)),
      'auth.example.com: ECONNREFUSED (10.0.0.1:3128)',
    ],
    [
      'the name that nobody knows',
      failed(Object.assign(new Error(), { code: 'ENOTFOUND', hostname: 'proxy.internal' })),
      'auth.example.com: ENOTFOUND (proxy.internal)',
    ],
  ])('names %s', async (_, error, message) => {
    const options = { issuer: 'https://auth.example.com', fetch: () => Promise.reject(error) }
    const failure = await failureOf(deviceOf(issuer, { ...options, deadlineSeconds: 1 }))
    expect(failure).toMatchObject({ code: 'issuer_unreachable', blame: 'network', isTransient: true })
    expect(failure.message).toContain(message)
    expectPlain(failure)
  })

  it.each<[string, string, string]>([
    ['name', 'ERR_TLS_CERT_ALTNAME_INVALID', 'is for another name. If the URL is wrong, correct it'],
    ['date', 'CERT_HAS_EXPIRED', 'If this machine has a wrong clock (20'],
    ['authority', 'UNABLE_TO_VERIFY_LEAF_SIGNATURE', 'or your proxy, set NODE_EXTRA_CA_CERTS'],
    ['list of revoked certificates', 'CERT_REVOKED', 'cannot be trusted (CERT_REVOKED).'],
  ])('because of the %s of a certificate says what to do', async (_, code, message) => {
    const error = failed(Object.assign(new Error(), { code }))
    const failure = await failureOf(deviceOf(issuer, { fetch: () => Promise.reject(error) }))
    expect(failure).toMatchObject({ code: 'issuer_untrusted', blame: 'issuer', isTransient: true })
    expect(failure.message).toContain(message)
    expectPlain(failure)
  })
})

describe('a request that takes too long', () => {
  it('names the server that does not answer', async () => {
    const options = { issuer: 'https://auth.example.com:8443', fetch: () => new Promise<never>(() => {}) }
    const failure = await failureOf(deviceOf(issuer, { ...options, deadlineSeconds: 1 }))
    expect(failure).toMatchObject({ code: 'issuer_unreachable', blame: 'network', isTransient: true })
    const message = 'No answer from auth.example.com:8443 within 1 second (gave up after 1 second).'
    expect(failure.message).toBe(message)
  })
})

describe('a server that is no issuer', () => {
  it('and speaks plain HTTP at an https URL: the error says so', async () => {
    const server = createServer((_, res) => res.end()).listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { port } = server.address() as AddressInfo
    const url = `https://127.0.0.1:${port}`
    const failure = await failureOf(deviceOf(issuer, { issuer: url, fetch }))
    const pinned = pinnedFetch({ sha256: '0'.repeat(64) })
    const same = await failureOf(deviceOf(issuer, { issuer: url, fetch: pinned }))
    server.close()
    for (const one of [failure, same]) {
      expect(one).toMatchObject({ code: 'issuer_invalid', blame: 'issuer', isTransient: true })
      expect(one.message).toContain(`127.0.0.1:${port} speaks no TLS (ERR_SSL_`)
      expect(one.message).toContain('If the port in the URL is wrong, correct it')
      expectPlain(one)
    }
  })

  it.each([
    ['without the router', 404],
    ['with a login before the router', 401],
  ])('%s: the error says where to mount the router', async (_, status) => {
    const fetch = async () => new Response('Not here', { status, headers: { 'Content-Type': 'text/plain' } })
    const failure = await failureOf(deviceOf(issuer, { fetch }))
    expect(failure).toMatchObject({ code: 'issuer_invalid', blame: 'issuer', status })
    expect(failure.message).toContain('put app.use(keys.router()) at the root, before any login')
    expectPlain(failure)
  })
})

describe('a hostile answer', () => {
  it.each(['a\n\u001b[31m\u009b2J\u0000b', '\u202eEVIL\u2066', 'x'.repeat(10_000)])(
    'cannot add lines or control a terminal: case %#',
    async (text) => {
      const answer = { error: text, error_description: text }
      const fetch = async () => Response.json(answer, { status: 400 })
      const failure = await failureOf(deviceOf(issuer, { fetch }))
      for (const said of [failure.message, failure.oauthError]) {
        expect(said).not.toMatch(/[\p{Cc}\p{Bidi_Control}]/u)
        expect(said?.length).toBeLessThan(1_000)
      }
    },
  )
})

describe('a key', () => {
  const withKey = (key: ProvisionOptions['key']) => {
    const { client: _, subject: __, ...options } = deviceOf(issuer)
    return failureOf({ ...options, key: key ?? '' })
  }
  it.each<[string, () => ProvisionOptions['key'], string, string]>([
    ['that is empty', () => ' \n', 'key_unavailable', 'key: expected a text that is not empty'],
    ['that is no JWT', () => 'hunter2', 'key_malformed', 'got 7 other characters'],
    [
      'of another issuer',
      () => forged({ iss: 'https://b.example' }),
      'key_of_other_issuer',
      'https://b.example',
    ],
    [
      'that has expired',
      () => forged({ exp: 1000 }),
      'key_expired',
      'seconds ago, by the clock of the issuer',
    ],
    [
      'that cannot be read',
      () => () => Promise.reject(new Error('ENOENT: no such file')),
      'key_unavailable',
      'key could not be read: ENOENT',
    ],
  ])('%s is never sent', async (_, key, code, message) => {
    const failure = await withKey(key())
    expect(failure).toMatchObject({ code, blame: 'you', isTransient: false })
    expect(failure.message).toContain(message)
    expectPlain(failure)
    expect(issuer.requests.filter((one) => one.startsWith('POST'))).toEqual([])
  })

  it('that is forged is refused once', async () => {
    const failure = await withKey(forged({}))
    expect(failure).toMatchObject({ code: 'refused', status: 401, oauthError: 'invalid_token' })
    expectPlain(failure)
    expect(issuer.requests.filter((one) => one === 'POST /oauth/bind')).toHaveLength(1)
  })

  it('without the scope of the action can be used later, for another action', async () => {
    const state = memoryOf()
    const key = await issuer.keyFor('device:scope', 'provision:token telemetry:write')
    const { client: _, subject: __, ...options } = deviceOf(issuer, { state })
    expect(await failureOf({ ...options, key })).toMatchObject({
      status: 403,
      oauthError: 'insufficient_scope',
    })
    expect(state.text).toBeUndefined()
    expect((await provision({ ...options, key, action: 'token' })).clientId).toBe('device:scope')
  })
})

describe('an issuer', () => {
  const answering =
    (status: number, headers: Record<string, string>, body: string): RequestHandler =>
    (_req, res) =>
      void res.status(status).set(headers).send(body)

  it.each<[string, RequestHandler, string, string]>([
    [
      'that redirects',
      answering(302, { Location: 'https://evil.example/login?token=secret' }, ''),
      'issuer_invalid',
      'with a redirect to https://evil.example, which the client does not follow. If this is the login',
    ],
    [
      'that redirects nowhere',
      answering(302, { Location: 'https://' }, ''),
      'issuer_invalid',
      'with a redirect, which the client does not follow. If this is the login',
    ],
    [
      'that answers HTML',
      answering(200, { 'Content-Type': 'text/html; charset=utf-8' }, '<h1>'),
      'issuer_invalid',
      'with an HTML page. If this is the login page of a network or a proxy, log in there.',
    ],
    [
      'behind a network with a login',
      answering(511, { 'Content-Type': 'text/html' }, '<h1>'),
      'issuer_invalid',
      'with an HTML page. If this is the login page of a network or a proxy, log in there.',
    ],
    [
      'that has no metadata',
      answering(404, { 'Content-Type': 'text/html' }, ''),
      'issuer_invalid',
      '404 (text/html',
    ],
    [
      'that is another one',
      answering(200, { 'Content-Type': 'application/json' }, '{"issuer":"https://evil.example"}'),
      'issuer_invalid',
      'another issuer: https://evil.example. Pass the URL of your issuer exactly',
    ],
    [
      'whose answer has no end',
      answering(200, { 'Content-Type': 'application/json' }, `"${'a'.repeat(300_000)}"`),
      'issuer_invalid',
      'with more than 262144 bytes',
    ],
  ])('%s ends the call after one request', async (_, handler, code, message) => {
    misbehave = handler
    const failure = await failureOf(deviceOf(issuer))
    expect(failure).toMatchObject({ code, blame: 'issuer', isTransient: true })
    expect(failure.message).toContain(message)
    expectPlain(failure)
    expect(issuer.requests).toHaveLength(1)
  })

  it('with an unknown certificate ends the call, and gets nothing', async () => {
    const failure = await failureOf(deviceOf(issuer, { fetch }))
    expect(failure).toMatchObject({ code: 'issuer_untrusted', blame: 'issuer', isTransient: true })
    expectPlain(failure)
    expect(issuer.requests).toEqual([])
  })

  it('that issues keys without the DPoP binding ends the call', async () => {
    const key = await issuer.keyFor('device:bearer', 'provision:bind')
    misbehave = (req, res, next) => {
      if (req.method === 'GET') return next()
      return void res.json({ access_token: key, token_type: 'Bearer', expires_in: 60 })
    }
    const failure = await failureOf(deviceOf(issuer))
    expect(failure).toMatchObject({ code: 'issuer_invalid', blame: 'issuer' })
    expect(failure.message).toContain('not bound to the DPoP key')
  })

  it('refuses a wrong secret once, and the error says so', async () => {
    const failure = await failureOf(deviceOf(issuer, { client: { id: 'fleet', secret: `${SECRET}!` } }))
    expect(failure).toMatchObject({ code: 'refused', status: 401, oauthError: 'invalid_client' })
    expectPlain(failure)
    expect(issuer.requests.filter((one) => one === 'POST /oauth/token')).toHaveLength(1)
  })
})

describe('a signer', () => {
  it.each<[string, () => Promise<Uint8Array>]>([
    ['fails', () => Promise.reject(new Error('the TPM is locked'))],
    ['returns nothing', async () => undefined as never],
  ])('that %s ends the call', async (_, sign) => {
    const publicJwk = { kty: 'EC', crv: 'P-256', x: 'a', y: 'b' }
    const failure = await failureOf(deviceOf(issuer, { signer: { algorithm: 'ES256', publicJwk, sign } }))
    expect(failure).toBeInstanceOf(ProvisionError)
    expect(failure).toMatchObject({ code: 'signer_failed', isTransient: false })
  })
})
