import type { Client, ClientRegistry, ProvisioningOptions } from '../../../lib/index.js'
import { hashSecret } from '../../../lib/index.js'
import { memoryClientRegistry } from '../../../lib/stores/memory/memory-clients.js'
import { bindWithProof } from '../binding.js'
import { postForm, send } from '../requests.js'
import { CLIENT, type RunningServer, SECRET, workingOptions } from '../server.js'
import { bind, type Case } from './case.js'

const RUNNER: Client = {
  clientId: CLIENT,
  revision: 1,
  secretHash: hashSecret(SECRET),
  authenticationMethods: ['client_secret_basic'],
}

/** Options with a registry in which some verbs are replaced. */
function registryBut(verbs: Partial<ClientRegistry>): Partial<ProvisioningOptions> {
  return { clients: { ...memoryClientRegistry([RUNNER]), ...verbs } }
}

const ADDING: Partial<ProvisioningOptions> = {
  policy: { ...workingOptions().policy, rebinding: 'add', maxBindings: 2 },
}

/** A request of an authenticated client about its bindings. */
function manage(server: RunningServer, path: string, form: Record<string, string> = {}) {
  return postForm(server, path, form).auth(CLIENT, SECRET)
}

const RETRY = { 'retry-after': /^\d+$/ }

export const BINDING_CASES: Case[] = [
  {
    title: 'a bind with nothing to bind',
    reason: 'parameter_missing',
    status: 400,
    error: 'invalid_request',
    description: /^Send a DPoP proof, .* or a client certificate\.$/,
    act: (server) => bind(server, {}),
  },
  {
    title: 'one bound key more than policy allows',
    reason: 'binding_exists',
    status: 400,
    error: 'invalid_request',
    description: /^The client already has 2 bound keys, and the policy allows 2: revoke one first\.$/,
    options: ADDING,
    act: async (server) => {
      for (const status of [201, 201]) expect(await bindWithProof(server)).toMatchObject({ status })
      return bindWithProof(server)
    },
  },
  {
    title: 'a bind while others change the client all the time',
    reason: 'client_contended',
    status: 503,
    error: 'temporarily_unavailable',
    headers: RETRY,
    options: registryBut({ save: async () => false }),
    act: (server) => bindWithProof(server),
  },
  {
    title: 'a bind while the registry does not answer',
    reason: 'registry_unavailable',
    status: 503,
    error: 'temporarily_unavailable',
    headers: RETRY,
    options: registryBut({ save: () => Promise.reject(new Error('connection lost')) }),
    act: (server) => bindWithProof(server),
  },
  {
    title: 'a list of bindings for nobody',
    reason: 'client_authentication_missing',
    status: 401,
    error: 'invalid_client',
    act: (server) => postForm(server, '/oauth/bindings', {}),
  },
  {
    title: 'the revocation of a binding by nobody',
    reason: 'client_authentication_missing',
    status: 401,
    error: 'invalid_client',
    act: (server) => postForm(server, '/oauth/bindings/revoke', { binding_id: 'a' }),
  },
  {
    title: 'the revocation of no binding',
    reason: 'parameter_missing',
    status: 400,
    error: 'invalid_request',
    description: /binding_id/,
    act: (server) => manage(server, '/oauth/bindings/revoke'),
  },
  {
    title: 'the revocation of a binding in JSON',
    reason: 'media_type_unsupported',
    status: 415,
    error: 'invalid_request',
    act: (server) =>
      send(server, 'post', '/oauth/bindings/revoke').auth(CLIENT, SECRET).send({ binding_id: 'a' }),
  },
  {
    title: 'the revocation of two bindings in one request',
    reason: 'parameter_repeated',
    status: 400,
    error: 'invalid_request',
    act: (server) =>
      send(server, 'post', '/oauth/bindings/revoke')
        .auth(CLIENT, SECRET)
        .type('form')
        .send('binding_id=a&binding_id=b'),
  },
  {
    title: 'a list of bindings with GET',
    reason: 'method_not_allowed',
    status: 405,
    error: 'invalid_request',
    headers: { allow: /^POST$/ },
    act: (server) => send(server, 'get', '/oauth/bindings'),
  },
  {
    title: 'too many requests about bindings, of either kind',
    reason: 'too_many_requests',
    status: 429,
    error: 'slow_down',
    headers: RETRY,
    options: { rateLimit: { bindings: { limit: 1 } } },
    act: async (server) => {
      await manage(server, '/oauth/bindings').expect(200)
      return manage(server, '/oauth/bindings/revoke', { binding_id: 'a' })
    },
  },
]
