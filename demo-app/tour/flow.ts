import { exchangeOf, getWith, introspectionOf, keyStep, postWith } from './calls'
import type { Ask, Call, Step } from './step'

const REGISTRATION_TOKEN = 'registration access token'

/** The life of a key, from issuance to the ways of redeeming one. */
export const FLOW: readonly Step[] = [
  keyStep({
    title: 'Get a provisioning key',
    name: 'provisioning key 1',
    form: () => ({ scope: 'devices:create' }),
    meaning:
      'The client proved who it is with its long-term secret, and has a key that stands for it for 5 minutes: from ' +
      'here on the secret is not needed. The key carries what was asked for and nothing else.',
  }),
  {
    title: 'Look at the key',
    call: introspectionOf('provisioning key 1'),
    status: 200,
    members: { active: true, scope: 'devices:create' },
    meaning: 'The server tells the client how its key stands: active. Anybody else would hear active: false.',
  },
  {
    title: 'Use it on a guarded route',
    call: getWith('/whoami', 'provisioning key 1'),
    status: 200,
    members: { scope: ['devices:create'] },
    event: 'key.verified',
    meaning:
      'requireProvisioningKey() verified the key and put the identity on the request, without the key itself. The ' +
      'key was not spent: it stays good until it is redeemed or expires.',
  },
  {
    title: 'Redeem it, but fail',
    call: postWith('/devices', 'provisioning key 1', { name: '' }),
    status: 400,
    members: { error: 'invalid_request' },
    event: 'key.released',
    meaning: 'The route refused the body, so the key was given back: a failure costs nothing.',
  },
  {
    title: 'Redeem it',
    call: postWith('/devices', 'provisioning key 1', { name: 'lamp' }),
    status: 201,
    members: { name: 'lamp' },
    event: 'key.redeemed',
    meaning: 'The route succeeded, so the key is redeemed, for good. This is the only time it can be.',
  },
  keyStep({
    title: 'Get a key for an access token',
    name: 'provisioning key 2',
    form: () => ({}),
    meaning:
      'No scope was asked for, so the key carries the default of the client: a small one, not everything.',
  }),
  {
    title: 'Exchange it for the initial access token (RFC 8693)',
    call: exchangeOf('provisioning key 2'),
    status: 200,
    members: { token_type: 'Bearer', scope: 'config:read' },
    secrets: { access_token: 'initial access token' },
    event: 'token.issued',
    meaning:
      'The key was redeemed for an access token (RFC 9068), with what policy lets one carry of the scope of the key. ' +
      'The client secret was not needed.',
  },
  {
    title: 'Call an API with the access token',
    call: getWith('/api/device-config', 'initial access token'),
    status: 200,
    members: { report_every_seconds: 60 },
    event: 'token.verified',
    meaning:
      'requireAccessToken() verified it, and knows whom to answer: the way from key to API call is whole.',
  },
  {
    title: 'Look at the access token',
    call: introspectionOf('initial access token'),
    status: 200,
    members: { active: true },
    isBrief: true,
    meaning: 'It is active. Remember it: a replay will change that.',
  },
  keyStep({
    title: 'Get a key for a registration',
    name: 'provisioning key 3',
    form: () => ({ scope: 'provision:register provision:token' }),
    meaning: 'Besides the right to register, it carries the scope that the new client is to have.',
  }),
  {
    title: 'Register a client (RFC 7591)',
    call: postWith('/oauth/register', 'provisioning key 3', {
      client_name: 'lamp',
      scope: 'provision:token',
    }),
    status: 201,
    members: { client_name: 'lamp', scope: 'provision:token' },
    secrets: {
      client_secret: 'secret of the new client',
      registration_access_token: REGISTRATION_TOKEN,
    },
    notes: { client_id: 'new client', registration_client_uri: 'registration' },
    event: 'client.registered',
    meaning:
      'The key was the Initial Access Token of RFC 7591. There is a new client, with a secret of its own.',
  },
  {
    title: 'Read the registration, change it, delete it (RFC 7592)',
    call: registrationCall('GET'),
    status: 200,
    members: { client_name: 'lamp' },
    isBrief: true,
    next: [
      {
        call: renaming('desk lamp'),
        status: 200,
        members: { client_name: 'desk lamp' },
        event: 'client.updated',
      },
      { call: registrationCall('DELETE'), status: 204, event: 'client.deleted' },
    ],
    meaning:
      'The new client manages its registration with the token it was given for that. Deleted, it is gone, and its ' +
      'secret, keys and tokens with it.',
  },
]

function registrationCall(method: Call['method']): Ask {
  return (_, memory) => ({
    method,
    url: memory.recall('registration'),
    authorization: `Bearer ${memory.recall(REGISTRATION_TOKEN)}`,
  })
}

/** An update replaces the whole registration (RFC 7592 2.2). */
function renaming(name: string): Ask {
  return (site, memory) => ({
    ...registrationCall('PUT')(site, memory),
    json: { client_id: memory.recall('new client'), client_name: name, scope: 'provision:token' },
  })
}
