import {
  type Client,
  type ClientLookup,
  hashSecret,
  memoryStore,
  type ProvisioningStore,
} from '../../../lib/index.js'
import type { LockKind } from '../../../lib/ports/store.js'
import { memoryClientRegistry } from '../../../lib/stores/memory/memory-clients.js'
import { bindWithProof } from '../binding.js'
import { signedAs } from '../forge.js'
import { askForKey, EXCHANGE, exchangeKey, obtainKey, postForm } from '../requests.js'
import { AUDIENCE, CLIENT, SECRET, workingOptions } from '../server.js'
import { bind, type Case, exchangeRequest, present, publicJwk, READ, register, tokenRequest } from './case.js'

/** A registration whose deadline has passed. */
const UNUSED: Client = {
  clientId: 'lamp',
  revision: 1,
  secretHash: hashSecret(SECRET),
  authenticationMethods: ['client_secret_basic'],
  registration: { issuedAt: 1, scopes: [], tokens: [], confirmBy: 2 },
}

export const CLIENT_CASES: Case[] = [
  {
    title: 'a request for a key while the audit log is broken',
    reason: 'audit_unavailable',
    status: 503,
    error: 'temporarily_unavailable',
    options: { audit: { sink: () => Promise.reject(new Error('ENOSPC')), failClosed: true } },
    act: (server) => askForKey(server, READ),
  },
  {
    title: 'a client that does not authenticate',
    reason: 'client_authentication_missing',
    status: 401,
    error: 'invalid_client',
    headers: { 'www-authenticate': /^Basic realm="auth\.example\.com", charset="UTF-8"$/ },
    act: (server) =>
      postForm(server, '/oauth/token', { grant_type: 'client_credentials', client_id: CLIENT }),
  },
  {
    title: 'a client that authenticates twice',
    reason: 'client_authentication_repeated',
    status: 400,
    error: 'invalid_request',
    act: (server) => askForKey(server, { client_id: CLIENT, client_secret: SECRET }),
  },
  {
    title: 'an unknown client',
    reason: 'client_unknown',
    status: 401,
    error: 'invalid_client',
    headers: { 'www-authenticate': /^Basic realm=/ },
    description: /^The client could not be authenticated\.$/,
    act: (server) => askForKey(server, {}, { id: 'nobody', secret: SECRET }),
  },
  {
    title: 'a client whose registration nobody used in time',
    reason: 'confirmation_missed',
    status: 401,
    error: 'invalid_client',
    headers: { 'www-authenticate': /^Basic realm=/ },
    description: /^The client could not be authenticated\.$/,
    options: { clients: memoryClientRegistry([UNUSED]) },
    act: (server) => askForKey(server, READ, { id: UNUSED.clientId, secret: SECRET }),
  },
  {
    title: 'a wrong secret',
    reason: 'client_secret_wrong',
    status: 401,
    error: 'invalid_client',
    headers: { 'www-authenticate': /^Basic realm=/ },
    description: /^The client could not be authenticated\.$/,
    act: (server) => askForKey(server, {}, { id: CLIENT, secret: 'wrong-secret' }),
  },
  {
    title: 'a method that the client may not use',
    reason: 'client_method_refused',
    status: 401,
    error: 'invalid_client',
    options: {
      clients: [
        {
          clientId: CLIENT,
          clientSecret: SECRET,
          authenticationMethods: ['client_secret_post'],
          policy: { scopes: ['devices:read'] },
        },
      ],
    },
    act: (server) => askForKey(server, READ),
  },
  {
    title: 'a client_id that is not the one that authenticates',
    reason: 'client_mismatch',
    status: 400,
    error: 'invalid_request',
    act: (server) => askForKey(server, { client_id: 'bystander' }),
  },
  {
    title: 'Basic credentials that are no base64',
    reason: 'header_malformed',
    status: 400,
    error: 'invalid_request',
    act: (server) =>
      postForm(server, '/oauth/token', { grant_type: 'client_credentials' }).set(
        'Authorization',
        'Basic %%%',
      ),
  },
]

/** A registry that knows its client at issuance, and not afterwards. */
function vanishingClient(): ClientLookup {
  let asked = 0
  return () => {
    asked += 1
    return asked === 1
      ? { clientId: CLIENT, clientSecret: SECRET, policy: { scopes: ['provision:token', 'devices:read'] } }
      : undefined
  }
}

export const POLICY_CASES: Case[] = [
  tokenRequest('a grant we do not have', 'grant_unsupported', 'unsupported_grant_type', {
    grant_type: 'password',
  }),
  tokenRequest('a subject the client may not ask for', 'subject_not_permitted', 'unauthorized_client', {
    requested_subject: 'device2:7',
    scope: 'devices:read',
  }),
  tokenRequest('a scope that is malformed', 'scope_malformed', 'invalid_scope', {
    scope: 'devices:read  devices:create',
  }),
  tokenRequest(
    'a scope beyond policy',
    'scope_not_permitted',
    'invalid_scope',
    { scope: 'devices:read admin' },
    { description: /^scope: expected only / },
  ),
  tokenRequest('the scope *', 'scope_not_permitted', 'invalid_scope', { scope: '*' }),
  tokenRequest(
    'no scope where there is no default',
    'scope_default_missing',
    'invalid_scope',
    {},
    {
      act: (server) => askForKey(server, {}, { id: 'bystander', secret: SECRET }),
    },
  ),
  tokenRequest('a resource that is no URI', 'audience_malformed', 'invalid_target', { resource: 'api' }),
  tokenRequest('a resource with a fragment', 'audience_malformed', 'invalid_target', {
    resource: `${AUDIENCE}#a`,
  }),
  tokenRequest('a resource beyond policy', 'audience_not_permitted', 'invalid_target', {
    resource: 'https://evil.example.com',
  }),
  tokenRequest(
    'a lifetime beyond policy',
    'lifetime_not_permitted',
    'invalid_request',
    { requested_expiry: '901' },
    { description: /at most 900 s/ },
  ),
  tokenRequest('a lifetime that is no number', 'parameter_malformed', 'invalid_request', {
    requested_expiry: 'forever',
  }),
  tokenRequest('a lifetime of 0', 'parameter_malformed', 'invalid_request', { requested_expiry: '0' }),
  exchangeRequest('an exchange without subject_token', 'parameter_missing', { subject_token: undefined }),
  exchangeRequest('an exchange of another token type', 'token_type_unsupported', {
    subject_token_type: 'urn:ietf:params:oauth:token-type:saml2',
  }),
  exchangeRequest('an exchange with an actor', 'token_type_unsupported', { actor_token: 'x' }),
  exchangeRequest('an exchange of a forged key', 'key_malformed', { subject_token: 'forged' }),
  exchangeRequest('an exchange of a key without the scope for it', 'scope_insufficient', {}, 'devices:read'),
  exchangeRequest('an exchange by another client', 'client_mismatch', { client_id: 'bystander' }),
  {
    ...exchangeRequest('an exchange for a scope beyond the key', 'scope_not_permitted', {
      scope: 'devices:create',
    }),
    error: 'invalid_scope',
  },
  {
    title: 'the redemption of a key whose client is gone',
    reason: 'client_unknown',
    status: 400,
    error: 'invalid_request',
    options: { clients: vanishingClient() },
    act: async (server) =>
      exchangeKey(server, await obtainKey(server, { scope: 'provision:token devices:read' })),
  },
]

export const ACTION_CASES: Case[] = [
  {
    title: 'a bind without a key',
    reason: 'parameter_missing',
    status: 400,
    error: 'invalid_request',
    act: (server) => bind(server, { proof: 'x' }),
  },
  {
    title: 'a bind of a private key',
    reason: 'binding_key_refused',
    status: 400,
    error: 'invalid_request',
    description: /private key material/,
    act: (server) => bind(server, { jwk: { ...publicJwk, d: 'AAAA' }, proof: 'x' }),
  },
  {
    title: 'a bind with a proof that proves nothing',
    reason: 'binding_proof_wrong',
    status: 400,
    error: 'invalid_request',
    act: (server) => bind(server, { jwk: publicJwk, proof: 'x' }),
  },
  {
    title: 'a bind of a client that has a key',
    reason: 'binding_exists',
    status: 400,
    error: 'invalid_request',
    act: async (server) => {
      expect(await bindWithProof(server)).toMatchObject({ status: 201 })
      return bindWithProof(server)
    },
  },
  {
    title: 'a registration of an identity that is taken',
    reason: 'client_exists',
    status: 400,
    error: 'invalid_client_metadata',
    act: async (server) => {
      expect(await register(server, {}, { requested_subject: 'device:7' })).toMatchObject({ status: 201 })
      return register(server, {}, { requested_subject: 'device:7' })
    },
  },
  {
    title: 'metadata that cannot be accepted',
    reason: 'metadata_invalid',
    status: 400,
    error: 'invalid_client_metadata',
    description: /jwks_uri/,
    act: (server) => register(server, { jwks_uri: 'https://169.254.169.254/latest' }),
  },
  {
    title: 'a scope beyond the key in a registration',
    reason: 'metadata_invalid',
    status: 400,
    error: 'invalid_client_metadata',
    act: (server) => register(server, { scope: 'devices:create' }),
  },
  {
    title: 'a redirect URI over cleartext',
    reason: 'redirect_uri_invalid',
    status: 400,
    error: 'invalid_redirect_uri',
    act: (server) => register(server, { redirect_uris: ['http://client.example.com/cb'] }),
  },
  {
    title: 'a software statement that is no JWT',
    reason: 'software_statement_invalid',
    status: 400,
    error: 'invalid_software_statement',
    act: (server) => register(server, { software_statement: 7 }),
  },
  {
    title: 'client_credentials of a client that registered without this grant',
    reason: 'grant_not_permitted',
    status: 400,
    error: 'unauthorized_client',
    act: async (server) => {
      const { body } = await register(server, { grant_types: [EXCHANGE], scope: 'devices:read' })
      const { client_id: id, client_secret: secret } = body as unknown as {
        client_id: string
        client_secret: string
      }
      return askForKey(server, READ, { id, secret })
    },
  },
  {
    title: 'a software statement',
    reason: 'software_statement_unapproved',
    status: 400,
    error: 'unapproved_software_statement',
    act: (server) => register(server, { software_statement: unapproved }),
  },
]

/** A statement by an unknown issuer. */
const unapproved = signedAs('AAAA')({ header: { alg: 'ES256' }, claims: { iss: 'https://evil.example' } })

/** A store that has locked a client or a subject. */
function lockedStore(clientId: string, kind: LockKind): ProvisioningStore {
  const store = memoryStore()
  const lockedAt = Math.floor(Date.now() / 1000)
  void store.lock({ clientId, kind, reason: 'stolen', author: 'operator', lockedAt, until: lockedAt + 600 })
  return store
}

export const LOCK_CASES: Case[] = [
  tokenRequest('a request of a locked client', 'client_locked', 'unauthorized_client', READ, {
    options: { store: lockedStore(CLIENT, 'lock') },
    description: /locked; an operator can unlock it/,
  }),
  tokenRequest(
    'a request for a locked subject',
    'client_locked',
    'unauthorized_client',
    { requested_subject: 'device:7', scope: 'devices:read' },
    { options: { store: lockedStore('device:7', 'lock') } },
  ),
  tokenRequest(
    'a request without a proof while stepUp holds',
    'possession_required',
    'invalid_request',
    READ,
    {
      options: { store: lockedStore(CLIENT, 'stepUp') },
      description: /send a DPoP proof/,
    },
  ),
  tokenRequest('a second key of a throttled client', 'too_many_keys_outstanding', 'slow_down', READ, {
    status: 429,
    options: { store: lockedStore(CLIENT, 'throttle') },
    async act(server) {
      await askForKey(server, READ).expect(200)
      return askForKey(server, READ)
    },
  }),
]

const RETRY = { 'retry-after': /^\d+$/ }

export const CAPACITY_CASES: Case[] = [
  {
    title: 'too many requests from one address',
    reason: 'too_many_requests',
    status: 429,
    error: 'slow_down',
    options: { rateLimit: { token: { limit: 1 } } },
    headers: {
      ...RETRY,
      ratelimit: /"token-address"; r=0; t=\d+/,
      'ratelimit-policy': /"token-address"; q=1; w=60/,
    },
    act: async (server) => {
      await askForKey(server).expect(200)
      return askForKey(server)
    },
  },
  {
    title: 'too many keys outstanding',
    reason: 'too_many_keys_outstanding',
    status: 429,
    error: 'slow_down',
    headers: RETRY,
    options: { policy: { ...workingOptions().policy, outstandingKeys: 1 } },
    act: async (server) => {
      await askForKey(server).expect(200)
      return askForKey(server)
    },
  },
  {
    title: 'a store that is full',
    reason: 'store_full',
    status: 503,
    error: 'temporarily_unavailable',
    headers: RETRY,
    options: { store: memoryStore({ maxKeys: 1 }) },
    act: async (server) => {
      await askForKey(server).expect(200)
      return askForKey(server)
    },
  },
  {
    title: 'a store that throws',
    reason: 'store_unavailable',
    status: 503,
    error: 'temporarily_unavailable',
    headers: RETRY,
    options: { store: { ...memoryStore(), find: () => Promise.reject(new Error('connection lost')) } },
    act: async (server) => present(server, await obtainKey(server, READ)),
  },
  {
    title: 'a registry that throws',
    reason: 'registry_unavailable',
    status: 503,
    error: 'temporarily_unavailable',
    headers: RETRY,
    options: { clients: () => Promise.reject(new Error('connection lost')) },
    act: (server) => askForKey(server),
  },
  {
    title: 'a registry that answers nonsense',
    reason: 'server_fault',
    status: 500,
    error: 'server_error',
    options: { clients: () => ({ clientId: CLIENT, clientSecret: 7 }) as never },
    act: (server) => askForKey(server),
  },
]
