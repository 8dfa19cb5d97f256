import { hashSecret } from '../../../lib/index.js'
import { memoryClientRegistry } from '../../../lib/stores/memory/memory-clients.js'
import { manage, pathOf, registerClient, update } from '../registering.js'
import { send } from '../requests.js'
import { CLIENT, SECRET, workingOptions } from '../server.js'
import { type Case, publicJwk, register } from './case.js'

const TOKEN = {
  status: 401,
  error: 'invalid_token',
  description: /^The registration access token is not accepted\.$/,
}
const CHALLENGE = {
  headers: { 'www-authenticate': /^Bearer realm="auth\.example\.com", error="invalid_token"/ },
}

const clock = { ahead: 0 }

/** A registry in which another change of an existing client always comes first. */
function contended() {
  const registry = memoryClientRegistry([
    {
      clientId: CLIENT,
      revision: 1,
      secretHash: hashSecret(SECRET),
      authenticationMethods: ['client_secret_basic'],
    },
  ])
  return {
    ...registry,
    save: async (client: Parameters<typeof registry.save>[0]) =>
      client.revision === 1 && registry.save(client),
  }
}

function policyThat(registrationPolicies: string[]) {
  return { ...workingOptions().policy, registrationPolicies }
}

export const REGISTRATION_CASES: Case[] = [
  {
    title: 'a registration that is managed without a token',
    reason: 'credentials_missing',
    status: 401,
    headers: { 'www-authenticate': /^Bearer realm="auth\.example\.com"$/ },
    act: async (server) => send(server, 'get', pathOf(await registerClient(server))),
  },
  {
    ...TOKEN,
    ...CHALLENGE,
    title: 'a registration that is managed with a token that is none',
    reason: 'registration_token_wrong',
    act: (server) => send(server, 'get', '/oauth/register/nobody').set('Authorization', 'Bearer nonsense'),
  },
  {
    ...TOKEN,
    ...CHALLENGE,
    title: "a registration that is managed with another client's token",
    reason: 'registration_token_misused',
    act: async (server) => {
      const { registration_client_uri } = await registerClient(server)
      return manage(server, 'get', { ...(await registerClient(server)), registration_client_uri })
    },
  },
  {
    ...TOKEN,
    ...CHALLENGE,
    title: 'a registration that is managed with a token whose time is over',
    reason: 'registration_token_expired',
    options: { registration: { accessTokenLifetimeSeconds: 60 }, now: () => Date.now() + clock.ahead },
    act: async (server) => {
      clock.ahead = 0
      const client = await registerClient(server)
      clock.ahead = 60_000
      return manage(server, 'get', client)
    },
  },
  {
    title: 'an update of a client that another request has changed',
    reason: 'client_changed',
    status: 409,
    error: 'invalid_request',
    options: { clients: contended() },
    act: async (server) => update(server, await registerClient(server)),
  },
  {
    title: 'an update without client_id',
    reason: 'metadata_invalid',
    status: 400,
    error: 'invalid_client_metadata',
    description: /^client_id: expected the client_id of this registration\.$/,
    act: async (server) => update(server, await registerClient(server), { client_id: undefined }),
  },
  {
    title: 'a registration with a member twice',
    reason: 'parameter_repeated',
    status: 400,
    error: 'invalid_request',
    act: async (server) =>
      send(server, 'post', '/oauth/register')
        .type('json')
        .send('{"client_name":"a","contacts":["b"],"client_\\u006eame":"c"}'),
  },
  {
    title: 'a registration that a policy does not want',
    reason: 'registration_refused',
    status: 400,
    error: 'invalid_client_metadata',
    description: /^Not today\.$/,
    options: {
      registration: { policies: { never: () => ({ refuse: 'Not today.' }) } },
      policy: policyThat(['never']),
    },
    act: (server) => register(server, {}),
  },
  {
    title: 'a registration that a policy fails to judge',
    reason: 'server_fault',
    status: 500,
    error: 'server_error',
    options: {
      registration: { policies: { broken: () => Promise.reject(new Error('broken')) } },
      policy: policyThat(['broken']),
    },
    act: (server) => register(server, {}),
  },
  {
    title: 'a registration without the required software statement',
    reason: 'software_statement_missing',
    status: 400,
    error: 'invalid_software_statement',
    options: {
      registration: {
        softwareStatements: [{ issuer: 'https://authority.example.com', key: publicJwk }],
      },
      policy: { ...workingOptions().policy, requireSoftwareStatement: true },
    },
    act: (server) => register(server, {}),
  },
]
