import type { VerifierOptions } from '../../../lib/index.js'
import { obtainKey, postForm, send } from '../requests.js'
import { AUDIENCE, CLIENT, ISSUER, type RunningServer, SECRET } from '../server.js'
import { startApi } from '../split.js'
import { trustingFetch } from '../trusting-fetch.js'
import { type Answered, type Case, READ } from './case.js'

const API = 'api'
const OPTIONS = {
  clients: [
    { clientId: API, clientSecret: SECRET, policy: { scopes: [], introspectAudiences: [AUDIENCE] } },
    { clientId: CLIENT, clientSecret: SECRET, policy: { scopes: ['devices:read'] } },
  ],
}

/** Presents a key at a separate API that asks the test server. Its events join those of the test server. */
async function presentElsewhere(
  server: RunningServer,
  key: string,
  paths: { readonly jwks?: string; readonly introspect?: string } = {},
): Promise<Answered> {
  const { jwks = '/oauth/jwks', introspect = '/oauth/introspect' } = paths
  const options: VerifierOptions = {
    issuer: ISSUER,
    audience: AUDIENCE,
    jwks: `${server.origin}${jwks}`,
    introspection: { endpoint: `${server.origin}${introspect}`, clientId: API, clientSecret: SECRET },
    fetch: await trustingFetch(server.cert),
  }
  const api = await startApi(options)
  api.verifier.on('*', (event) => server.events.push(event))
  try {
    return await send(api, 'get', '/devices').set('Authorization', `Bearer ${key}`)
  } finally {
    await api.close()
  }
}

const UNAVAILABLE = {
  status: 503,
  error: 'temporarily_unavailable',
  headers: { 'retry-after': /^\d+$/ },
  description: /^The service cannot answer at this moment; try again later\.$/,
  options: OPTIONS,
} as const

export const SPLIT_CASES: Case[] = [
  {
    title: 'a key that is revoked, at an API that asks the issuer',
    reason: 'inactive_at_issuer',
    status: 401,
    error: 'invalid_token',
    headers: {
      'www-authenticate':
        /^Bearer realm="auth\.example\.com", resource_metadata="https:\/\/api\.example\.com/,
    },
    description: /^The provisioning key is not accepted\.$/,
    options: OPTIONS,
    act: async (server) => {
      const key = await obtainKey(server, READ)
      await postForm(server, '/oauth/revoke', { token: key }).auth(CLIENT, SECRET).expect(200)
      return presentElsewhere(server, key)
    },
  },
  {
    title: 'a key at an API that cannot fetch the keys of the issuer',
    reason: 'signing_keys_unavailable',
    ...UNAVAILABLE,
    act: async (server) => presentElsewhere(server, await obtainKey(server, READ), { jwks: '/nowhere' }),
  },
  {
    title: 'a key at an API that the issuer does not answer',
    reason: 'introspection_unavailable',
    ...UNAVAILABLE,
    act: async (server) =>
      presentElsewhere(server, await obtainKey(server, READ), { introspect: '/nowhere' }),
  },
]
