import { exchangeOf, getWith, introspectionOf, newKey, postWith } from '../requests/calls'
import type { Call, CallFactory, Step } from '../requests/step'

const REGISTRATION_TOKEN = 'registration access token'

/** The life of a key, and the ways to redeem one. */
export const FLOW: readonly Step[] = [
  newKey({
    title: 'Get a provisioning key',
    name: 'provisioning key 1',
    form: () => ({ scope: 'devices:create' }),
    explanation:
      'The client authenticated with its long-term secret and got a key that is valid for 5 minutes. The key ' +
      'allows only what the client requested. A device can use it without knowing the secret.',
  }),
  {
    title: 'Introspect the key',
    call: introspectionOf('provisioning key 1'),
    status: 200,
    members: { active: true, scope: 'devices:create' },
    explanation:
      'The server tells the client that its key is active. Another client would get active: false.',
  },
  {
    title: 'Use it on a guarded route',
    call: getWith('/whoami', 'provisioning key 1'),
    status: 200,
    members: { scope: ['devices:create'] },
    event: 'key.verified',
    explanation:
      'requireProvisioningKey() verified the key and put the identity on the request, without the key itself. ' +
      'This did not use up the key: it stays valid until it is redeemed or expires.',
  },
  {
    title: 'Try to redeem it with an invalid body',
    call: postWith('/devices', 'provisioning key 1', { name: '' }),
    status: 400,
    members: { error: 'invalid_request' },
    event: 'key.released',
    explanation: 'The route rejected the body, so the key was released. It can be redeemed again.',
  },
  {
    title: 'Redeem it',
    call: postWith('/devices', 'provisioning key 1', { name: 'lamp' }),
    status: 201,
    members: { name: 'lamp' },
    event: 'key.redeemed',
    explanation: 'The route succeeded, so the key is redeemed. It cannot be redeemed again.',
  },
  newKey({
    title: 'Get a key for an access token',
    name: 'provisioning key 2',
    form: () => ({}),
    explanation:
      "The client requested no scope, so the key has the client's default scopes. These are fewer than all " +
      'the scopes that the client may request.',
  }),
  {
    title: 'Exchange it for an initial access token (RFC 8693)',
    call: exchangeOf('provisioning key 2'),
    status: 200,
    members: { token_type: 'Bearer', scope: 'config:read' },
    secrets: { access_token: 'initial access token' },
    event: 'token.issued',
    explanation:
      'The key was redeemed for an access token (RFC 9068). The token has those scopes of the key that the ' +
      'policy allows for access tokens. The client secret was not needed.',
  },
  {
    title: 'Call an API with the access token',
    call: getWith('/api/device-config', 'initial access token'),
    status: 200,
    members: { report_every_seconds: 60 },
    event: 'token.verified',
    explanation:
      'requireAccessToken() verified the token, and the API knows which device is calling. This is the whole ' +
      'way from a key to an API call.',
  },
  {
    title: 'Introspect the access token',
    call: introspectionOf('initial access token'),
    status: 200,
    members: { active: true },
    explanation: 'The token is active. It will not be active after a replay of its key: see below.',
  },
  newKey({
    title: 'Get a key for a registration',
    name: 'provisioning key 3',
    form: () => ({ scope: 'provision:register provision:token config:read' }),
    explanation: 'The key allows the registration. It also has the scopes that the new client is to get.',
  }),
  {
    title: 'Register a client (RFC 7591)',
    call: postWith('/oauth/register', 'provisioning key 3', {
      client_name: 'lamp',
      scope: 'provision:token config:read',
    }),
    status: 201,
    members: { client_name: 'lamp', scope: 'provision:token config:read' },
    secrets: {
      client_secret: 'secret of the new client',
      registration_access_token: REGISTRATION_TOKEN,
    },
    values: { client_id: 'new client', registration_client_uri: 'registration' },
    event: 'client.registered',
    explanation:
      'The key was the initial access token of RFC 7591. The server created a client with its own secret.',
  },
  {
    title: 'Read, change and delete the registration (RFC 7592)',
    call: registrationCall('GET'),
    status: 200,
    members: { client_name: 'lamp' },
    next: [
      {
        call: renaming('desk lamp'),
        status: 200,
        members: { client_name: 'desk lamp' },
        event: 'client.updated',
      },
      { call: registrationCall('DELETE'), status: 204, event: 'client.deleted' },
    ],
    explanation:
      'The new client manages its registration with the registration access token. When it deletes the ' +
      'registration, its secret, keys and tokens stop working too.',
  },
]

function registrationCall(method: Call['method']): CallFactory {
  return (_, memory) => ({
    method,
    url: memory.recall('registration'),
    authorization: `Bearer ${memory.recall(REGISTRATION_TOKEN)}`,
  })
}

/** An update replaces the whole registration (RFC 7592 2.2). */
function renaming(name: string): CallFactory {
  return (site, memory) => ({
    ...registrationCall('PUT')(site, memory),
    json: { client_id: memory.recall('new client'), client_name: name, scope: 'provision:token config:read' },
  })
}
