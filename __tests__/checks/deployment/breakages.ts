import { generateKeyPairSync } from 'node:crypto'
import type { Claims } from '../../../lib/jose/jws.js'
import { decodeToken, isSignedByOne } from '../../../lib/testing/forged-token.js'
import { forgeKey } from '../../support/forge.js'
import { SECRET } from '../../support/server.js'
import type { Breakage, ProxyAnswer, ProxyRequest } from './broken-deployment.js'

type Test = (request: ProxyRequest) => boolean

const METADATA = '/.well-known/oauth-authorization-server'
const at =
  (path: string): Test =>
  (request) =>
    request.path.split('?')[0] === path
const grantOf = ({ form }: ProxyRequest) => form.get('grant_type') ?? ''
const isIssuance: Test = (request) => at('/oauth/token')(request) && grantOf(request) === 'client_credentials'
const isExchange: Test = (request) => at('/oauth/token')(request) && /token-exchange$/.test(grantOf(request))
const isGuarded = at('/devices')
const all =
  (...tests: Test[]): Test =>
  (request) =>
    tests.every((test) => test(request))
const has =
  (name: string, value: string | RegExp = /./): Test =>
  ({ form }) =>
    RegExp(value).test(form.get(name) ?? '')
const isAnonymous: Test = ({ headers, form }) =>
  headers['authorization'] === undefined && !form.has('client_secret') && !form.has('client_assertion')
const isBroken: Test = ({ method }) => method === 'PUT'

/** Lets through what must be refused. */
function accept(test: Test, json: object = FAKE_KEY): Breakage {
  return { request: (request) => (test(request) ? { answer: { text: JSON.stringify(json) } } : {}) }
}

const FAKE_KEY = { access_token: 'invented-token', token_type: 'Bearer', expires_in: 300 }

/** Changes the answers to some requests. */
function answering(test: Test, change: (answer: ProxyAnswer) => Partial<ProxyAnswer>): Breakage {
  return { answer: (answer, request) => (test(request) ? change(answer) : {}) }
}

function withJson(test: Test, change: (json: Claims) => object): Breakage {
  return answering(test, ({ text }) => ({ text: JSON.stringify(change(JSON.parse(text))) }))
}

function withHeaders(test: Test, changes: ProxyAnswer['headers']): Breakage {
  return answering(test, ({ headers }) => ({ headers: defined({ ...headers, ...changes }) }))
}

function refuse(test: Test, status = 400, error = 'invalid_request'): Breakage {
  return answering(test, () => ({ status, text: JSON.stringify({ error }) }))
}

function defined(headers: ProxyAnswer['headers']): ProxyAnswer['headers'] {
  return Object.fromEntries(Object.entries(headers).filter(([, value]) => value !== undefined))
}

/** A token endpoint that also reads its parameters from the query. */
function readQuery(of: string): Breakage {
  return {
    request({ method, path, headers, text }) {
      const [pathname = '', query] = path.split('?')
      if (method !== of || pathname !== '/oauth/token' || query === undefined) return {}
      const fields = { ...headers, 'content-type': 'application/x-www-form-urlencoded' }
      return { method: 'POST', path: pathname, headers: fields, text: `${query}&${text}` }
    },
  }
}

/** Only the first request of these. */
function first(test: Test): Test {
  let isDone = false
  return (request) => {
    const isFirst = !isDone && test(request)
    isDone ||= isFirst
    return isFirst
  }
}

/** Signs keys with other claims. The deployment behind gets the genuine ones. */
function resigned(change: (claims: Claims) => object, header: Claims = {}): Breakage {
  const genuine = new Map<string, string>()
  const restore = (text: string) => {
    for (const [changed, original] of genuine) text = text.replaceAll(changed, original)
    return text
  }
  return {
    request: ({ text, headers }) => {
      const { authorization } = headers
      const isOne = typeof authorization === 'string'
      return {
        text: restore(text),
        headers: { ...headers, ...(isOne && { authorization: restore(authorization) }) },
      }
    },
    answer: ({ status, text }, request) => {
      if (!isIssuance(request) || status !== 200) return {}
      const json = JSON.parse(text)
      const claims = decodeToken(json.access_token)?.claims ?? {}
      // A proof contains the hash of the key that the client has.
      if (claims['cnf'] !== undefined) return {}
      const changed = forgeKey(json.access_token, {
        header,
        claims: change(claims) as Record<string, unknown>,
      })
      genuine.set(changed, json.access_token)
      return { text: JSON.stringify({ ...json, access_token: changed }) }
    },
  }
}

/** Ignores wrong DPoP proofs. */
function ignoreProofs(isIgnored: (header: Claims, claims: Claims, proof: string) => boolean): Breakage {
  return {
    request: ({ headers }) => {
      const { dpop } = headers
      if (typeof dpop !== 'string') return {}
      const [head = '', payload = ''] = dpop.split('.').map((part) => String(Buffer.from(part, 'base64url')))
      return isIgnored(JSON.parse(head), JSON.parse(payload), dpop)
        ? { headers: { ...headers, dpop: undefined } }
        : {}
    },
  }
}

/** A guard that accepts some forged keys. */
function acceptForged(isAccepted: (header: Claims, claims: Claims, token: string) => boolean): Breakage {
  return accept(({ path, headers: { authorization } }) => {
    if (path !== '/devices' || authorization === undefined) return false
    const token = String(authorization).replace(/^\S+ /, '')
    const [head = '', payload = ''] = token.split('.').map((part) => String(Buffer.from(part, 'base64url')))
    return isAccepted(JSON.parse(head), JSON.parse(payload), token)
  })
}

const hour = () => Date.now() / 1000
const isBasic =
  (credentials: RegExp): Test =>
  ({ headers: { authorization } }) =>
    credentials.test(String(Buffer.from(String(authorization).replace(/^Basic /, ''), 'base64')))
const assertionWith =
  (alg: string): Test =>
  ({ form }) => {
    const [header = ''] = (form.get('client_assertion') ?? '').split('.')
    return header !== '' && JSON.parse(String(Buffer.from(header, 'base64url'))).alg === alg
  }
const typeOf = (token: string | null) => decodeToken(token ?? '')?.header['typ']

function weakKey(): object {
  const { publicKey } = generateKeyPairSync('rsa', { modulusLength: 1024 })
  return { ...publicKey.export({ format: 'jwk' }), kid: 'weak' }
}

function otherKey(): object {
  return generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey.export({ format: 'jwk' })
}

/** Accepts the n-th redemption of a key, from 2 on, once some key was sent five times. */
function acceptRepeated({
  from,
  afterRace,
}: {
  readonly from: number
  readonly afterRace: boolean
}): Breakage {
  const counts = new Map<string, number>()
  let hasRaced = false
  return accept((request) => {
    if (!isExchange(request)) return false
    const token = request.form.get('subject_token') ?? ''
    const count = (counts.get(token) ?? 0) + 1
    counts.set(token, count)
    const isAccepted = count >= from && hasRaced === afterRace && (afterRace || count === from)
    hasRaced ||= count >= 20
    return isAccepted
  })
}

/** A route that verifies keys, but does not look up whether they were redeemed. */
function acceptRedeemed(): Breakage {
  const redeemed = new Set<string>()
  return accept((request) => {
    if (isExchange(request)) redeemed.add(request.form.get('subject_token') ?? '')
    return isGuarded(request) && redeemed.has(String(request.headers['authorization']).replace('Bearer ', ''))
  })
}

const CONNECTION: Readonly<Record<string, Breakage>> = {
  reachable: { settings: { trusted: undefined } },
  'tls-certificate': { certificateDays: 3 },
  'tls-version': { tls: { minVersion: 'TLSv1', ciphers: 'DEFAULT@SECLEVEL=0' } },
  hsts: withHeaders(() => true, { 'strict-transport-security': undefined }),
  cleartext: { cleartext: ({ method }) => method === 'POST' },
}

const DISCOVERY: Readonly<Record<string, Breakage>> = {
  'discovery-metadata': withHeaders(at(METADATA), { 'content-type': 'text/plain' }),
  'discovery-issuer': withJson(at(METADATA), (json) => ({ ...json, issuer: 'https://other.example' })),
  'discovery-endpoints': withJson(at(METADATA), (json) => ({
    ...json,
    registration_endpoint: 'http://a.example',
  })),
  'discovery-algorithms': withJson(at(METADATA), (json) => ({
    ...json,
    dpop_signing_alg_values_supported: ['ES256', 'none'],
  })),
  'discovery-parts': withJson(at(METADATA), (json) => ({
    ...json,
    dpop_signing_alg_values_supported: undefined,
  })),
  'jwks-served': refuse(at('/oauth/jwks'), 404),
  'jwks-public': withJson(at('/oauth/jwks'), ({ keys }) => ({
    keys: [{ ...(keys as object[])[0], k: 'c2VjcmV0' }],
  })),
  'jwks-strength': withJson(at('/oauth/jwks'), ({ keys }) => ({ keys: [...(keys as object[]), weakKey()] })),
}

const ISSUANCE: Readonly<Record<string, Breakage>> = {
  'issuance-key': refuse(isIssuance, 400, 'unauthorized_client'),
  'issuance-caching': withHeaders(isIssuance, { 'cache-control': 'public, max-age=60' }),
  'issuance-lifetime': {
    options: {
      policy: {
        scopes: ['provision:token', 'devices:create', 'devices:read'],
        lifetimeSeconds: 1800,
        maxLifetimeSeconds: 1800,
      },
    },
  },
  'issuance-scope': {
    request: ({ form, text }) =>
      form.get('scope') === 'provision:token' ? { text: text.replace(/scope=[^&]*/, '') } : {},
  },
  'issuance-scope-unknown': accept(has('scope', 'no-such-scope'), {
    ...FAKE_KEY,
    scope: 'check:no-such-scope',
  }),
  'issuance-audience-unknown': accept(has('resource', 'check.invalid')),
  'issuance-subject-unknown': accept(has('requested_subject'), {
    ...FAKE_KEY,
    access_token: 'eyJhbGciOiJub25lIn0.eyJzdWIiOiJjaGVjay5pbnZhbGlkLXN0cmFuZ2VyIn0.AAAA',
  }),
  'issuance-method': readQuery('GET'),
  'issuance-query': readQuery('POST'),
  'issuance-duplicate': {
    request: ({ form, text }) =>
      form.getAll('grant_type').length > 1 ? { text: text.replace(/&?grant_type=[^&]*/, '') } : {},
  },
}

/** Ids that are long and different, but counted. */
function countedIds(): Breakage {
  let last = 0
  return resigned(() => {
    last += 1
    return { jti: `key-${String(last).padStart(20, '0')}` }
  })
}

const CLAIMS: Readonly<Record<string, Breakage>> = {
  'claims-signature': withJson(at('/oauth/jwks'), ({ keys }) => ({
    keys: (keys as Claims[]).map(({ kid }) => ({ ...otherKey(), kid })),
  })),
  'claims-type': resigned(() => ({}), { typ: 'JWT' }),
  'claims-issuer': resigned(() => ({ iss: 'https://other.example' })),
  'claims-audience': resigned(() => ({ aud: '' })),
  'claims-times': resigned(({ exp }) => ({ exp: Number(exp) + 100 })),
  'claims-client': resigned(() => ({ client_id: 'somebody' })),
  'claims-scope': resigned(() => ({ scope: 'devices:read' })),
  'claims-jti': countedIds(),
  'clock-iat': resigned(({ iat, exp }) => ({
    iat: Number(iat) - 90,
    nbf: Number(iat) - 90,
    exp: Number(exp) - 90,
  })),
  'clock-date': answering(at(METADATA), ({ headers }) => ({
    headers: { ...headers, date: new Date(Date.now() + 3_600_000).toUTCString() },
  })),
}

const AUTHENTICATION: Readonly<Record<string, Breakage>> = {
  'auth-missing': accept(all(isIssuance, isAnonymous, has('client_id'))),
  'auth-secret-wrong': accept(first(all(isIssuance, isBasic(new RegExp(`^tester:(?!${SECRET}$).`))))),
  'auth-secret-empty': accept(all(isIssuance, isBasic(/^tester:$/))),
  'auth-twice': accept(all(isIssuance, has('client_secret'))),
  'auth-assertion-forged': accept(assertionWith('ES256')),
  'auth-assertion-unsigned': accept(assertionWith('none')),
  'auth-challenge': withHeaders(at('/oauth/token'), { 'www-authenticate': undefined }),
  'auth-client-unknown': answering(isBasic(/^tester-check/), () => ({
    text: '{"error":"invalid_client","error_description":"no such client"}',
  })),
}

const seenProofs = () => {
  const seen = new Set<string>()
  return (proof: string) => seen.size === seen.add(proof).size
}
const isSeen = seenProofs()

const DPOP: Readonly<Record<string, Breakage>> = {
  'dpop-bound': ignoreProofs(() => true),
  'dpop-method': ignoreProofs((_, { htm, htu }) => htm === 'GET' && String(htu).endsWith('/oauth/token')),
  'dpop-url': ignoreProofs((_, { htu }) => String(htu).includes('check.invalid')),
  'dpop-stale': ignoreProofs((_, { iat }) => Number(iat) < hour() - 1800),
  'dpop-future': ignoreProofs((_, { iat }) => Number(iat) > hour() + 1800),
  'dpop-type': ignoreProofs(({ typ }) => typ === 'JWT'),
  'dpop-algorithm': ignoreProofs(({ alg }) => alg === 'none'),
  'dpop-signature': ignoreProofs(
    ({ alg, jwk }, _, proof) => alg === 'ES256' && !isSignedByOne(proof, [jwk as Claims]),
  ),
  'dpop-private-key': ignoreProofs(({ jwk }) => 'd' in (jwk as object)),
  'dpop-jti': ignoreProofs((_, { jti }) => jti === undefined),
  'dpop-duplicate': {
    request: ({ headers }) =>
      Array.isArray(headers['dpop']) ? { headers: { ...headers, dpop: headers['dpop'][0] } } : {},
  },
  'dpop-replay': ignoreProofs((_, __, proof) => isSeen(proof)),
  'dpop-possession': accept(
    all(
      isExchange,
      ({ headers }) => headers['dpop'] === undefined,
      ({ form }) => decodeToken(form.get('subject_token') ?? '')?.claims['cnf'] !== undefined,
    ),
  ),
  'dpop-route': acceptForged(({ typ }, { cnf }) => typ === 'provisioning-key+jwt' && cnf !== undefined),
}

const FORGERIES: Readonly<Record<string, Breakage>> = {
  'key-accepted': refuse(isGuarded, 401, 'invalid_token'),
  'key-missing': accept(all(isGuarded, isAnonymous)),
  'forgery-alg-none': acceptForged(({ alg }) => /^none$/i.test(String(alg))),
  'forgery-hs256': acceptForged(({ alg, kid }) => alg === 'HS256' && String(kid).length > 40),
  'forgery-signature': acceptForged((_, __, token) => /\.A+$/.test(token)),
  'forgery-claims': acceptForged((_, { sub }) => sub === 'check.invalid-admin'),
  'forgery-embedded-jwk': acceptForged(({ jwk }) => jwk !== undefined),
  'forgery-kid': acceptForged(({ kid }) => kid === '__proto__'),
  'forgery-crit': acceptForged(({ crit }) => crit !== undefined),
  'forgery-spelling': acceptForged((_, __, token) => token.endsWith('=')),
  'forgery-type': acceptForged(({ typ }) => typ === 'at+jwt'),
  'forgery-duplicate': {
    request: ({ headers }) =>
      Array.isArray(headers['authorization'])
        ? { headers: { ...headers, authorization: headers['authorization'][0] } }
        : {},
  },
  'wrong-audience': acceptForged((_, { aud }) => String(aud).endsWith('/other')),
  'key-in-query': accept(({ path }) => path.includes('access_token=')),
}

const REDEMPTION: Readonly<Record<string, Breakage>> = {
  'redemption-works': refuse(isExchange),
  'redemption-caching': withHeaders(isExchange, { 'cache-control': 'private' }),
  'redemption-scope': answering(isExchange, ({ status, text }) =>
    status === 200 ? { text: text.replace('"scope":"', '"scope":"provision:token ') } : {},
  ),
  'redemption-race': acceptRepeated({ from: 3, afterRace: false }),
  'replay-refused': acceptRepeated({ from: 2, afterRace: true }),
  'replay-route': acceptRedeemed(),
  'replay-containment': accept(
    all(at('/oauth/introspect'), ({ form }) => typeOf(form.get('token')) === 'at+jwt'),
    { active: true },
  ),
}

const isOfDevice = all(isIssuance, has('client_assertion'), has('requested_subject', '^device:check-'))

/** Whether a request is not the first one to a path with its key. */
function again(path: string): Test {
  const keys = new Set<unknown>()
  return (request) => {
    const { authorization } = request.headers
    return at(path)(request) && keys.size === keys.add(authorization).size
  }
}

/** A server that does not delete a client whose key was used again. */
function keepClient(path: string, isOfClient: Test): Breakage {
  const isAgain = again(path)
  let isReplayed = false
  return accept((request) => {
    isReplayed ||= isAgain(request)
    return isReplayed && isOfClient(request)
  })
}

const isBoundAgain = again('/oauth/bind')

const BINDING: Readonly<Record<string, Breakage>> = {
  'bind-works': refuse(at('/oauth/bind')),
  'bind-authenticates': refuse(isOfDevice, 401, 'invalid_client'),
  'bind-once': {
    request: (request) =>
      isBoundAgain(request) ? { answer: { status: 201, text: '{"client_id":"device:other"}' } } : {},
  },
  'bind-containment': keepClient('/oauth/bind', isOfDevice),
}

const isOfRegistered: Test = (request) =>
  all(isIssuance, has('client_assertion'))(request) && !isOfDevice(request)
const isRegisteredAgain = again('/oauth/register')

const REGISTRATION: Readonly<Record<string, Breakage>> = {
  'register-works': refuse(at('/oauth/register')),
  'register-authenticates': refuse(isOfRegistered, 401, 'invalid_client'),
  'register-read': {
    request: ({ method, path }) =>
      method === 'GET' && path.startsWith('/oauth/register/') ? { answer: {} } : {},
  },
  'register-once': {
    request: (request) =>
      isRegisteredAgain(request) ? { answer: { status: 201, text: '{"client_id":"other"}' } } : {},
  },
  'register-containment': keepClient('/oauth/register', isOfRegistered),
}

/** The second question about a key gets the answer of a process that does not know it. */
function forgettingOnce(): Breakage {
  const asked = new Map<string, number>()
  return {
    request({ path, form }) {
      const token = form.get('token') ?? ''
      if (path !== '/oauth/introspect') return {}
      asked.set(token, (asked.get(token) ?? 0) + 1)
      return (asked.get(token) ?? 0) === 2 ? { answer: { text: '{"active":false}' } } : {}
    },
  }
}

const LIFECYCLE: Readonly<Record<string, Breakage>> = {
  'processes-agree': forgettingOnce(),
  'introspection-active': accept(
    all(at('/oauth/introspect'), ({ form }) => typeOf(form.get('token')) === 'provisioning-key+jwt'),
    { active: false },
  ),
  'introspection-unknown': accept(all(at('/oauth/introspect'), has('token', 'no-such')), {
    active: false,
    why: 'unknown',
  }),
  'introspection-auth': accept(all(at('/oauth/introspect'), isAnonymous), { active: true }),
  'revocation-works': accept(
    all(at('/oauth/revoke'), (request) => !isAnonymous(request), has('token', '^eyJ')),
    {},
  ),
  'revocation-unknown': refuse(all(at('/oauth/revoke'), has('token', 'no-such'))),
  'revocation-auth': accept(all(at('/oauth/revoke'), isAnonymous), {}),
  expiry: {
    settings: { waitSeconds: 10 },
    request: ({ form, text }) =>
      form.has('requested_expiry') ? { text: text.replace(/&requested_expiry=1/, '') } : {},
    answer: ({ text }, { form }) =>
      form.has('requested_expiry') ? { text: JSON.stringify({ ...JSON.parse(text), expires_in: 1 }) } : {},
  },
}

const SURROUNDINGS: Readonly<Record<string, Breakage>> = {
  'proxy-host': {
    answer: ({ text }, { sent }) =>
      sent['x-forwarded-host']
        ? { text: text.replaceAll(/localhost:\d+/g, String(sent['x-forwarded-host'])) }
        : {},
  },
  'proxy-proto': { cleartext: ({ sent }) => sent['x-forwarded-proto'] === 'https' },
  'rate-limit': { options: { rateLimit: false } },
  'rate-limit-address': {
    request: ({ headers, sent }) => {
      const address = sent['x-forwarded-for']
      return address === undefined ? {} : { headers: { ...headers, 'x-forwarded-for': address } }
    },
  },
}

const QUOTING: Breakage = {
  answer: ({ status, text }, { form }) =>
    status >= 400 && form.has('subject_token')
      ? { text: JSON.stringify({ ...JSON.parse(text), error_description: form.get('subject_token') }) }
      : {},
}

const ERRORS: Readonly<Record<string, Breakage>> = {
  'errors-form': answering(
    ({ headers }) => headers['content-type'] === 'text/xml',
    () => ({
      headers: { 'content-type': 'text/plain' },
      text: 'Bad Request',
    }),
  ),
  'errors-secrets': QUOTING,
  'errors-server': refuse(isBroken, 500, 'server_error'),
  'errors-stack': answering(isBroken, () => ({
    text: '{"error":"x","stack":"at read (/srv/app/server.js:10:3)"}',
  })),
  'errors-markup': answering(isBroken, () => ({
    headers: { 'content-type': 'text/html' },
    text: '<h1>405</h1>',
  })),
  'headers-banner': withHeaders(isBroken, { 'x-powered-by': 'Express' }),
  'headers-sniffing': withHeaders(isIssuance, { 'x-content-type-options': undefined }),
  'headers-cors': answering(
    ({ headers }) => headers['origin'] !== undefined,
    ({ headers }) => ({
      headers: {
        ...headers,
        'access-control-allow-origin': 'https://check.invalid',
        'access-control-allow-credentials': 'true',
      },
    }),
  ),
}

/** For each check, a deployment that fails this check and no other. */
export const BREAKAGES: Readonly<Record<string, Breakage>> = {
  ...CONNECTION,
  ...DISCOVERY,
  ...ISSUANCE,
  ...CLAIMS,
  ...AUTHENTICATION,
  ...DPOP,
  ...FORGERIES,
  ...REDEMPTION,
  ...BINDING,
  ...REGISTRATION,
  ...LIFECYCLE,
  ...SURROUNDINGS,
  ...ERRORS,
}
