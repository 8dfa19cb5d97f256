import { exchangeOf, getWith, introspectionOf, newKey, postWith, REFUSED } from '../requests/calls'
import type { Step } from '../requests/step'

/** Attacks with the keys of the flow. */
export const REPLAY: readonly Step[] = [
  {
    title: 'Replay: redeem key 1 again',
    call: postWith('/devices', 'provisioning key 1', { name: 'second lamp' }),
    status: 401,
    members: { error: 'invalid_token' },
    event: 'key.replayed',
    explanation:
      'A key can be redeemed only once. The answer does not say why the key is rejected, but the event does.',
  },
  {
    title: 'Replay: exchange key 2 again, with the same request',
    call: exchangeOf('provisioning key 2'),
    status: 400,
    members: { error: 'invalid_request' },
    event: 'key.replayed',
    explanation:
      'A bearer key does not prove who sends it. Two requests used this key, so one of them may come ' +
      'from a thief. The server cannot know which, and revokes the access token.',
  },
  {
    title: 'Introspect the access token again',
    call: introspectionOf('initial access token'),
    status: 200,
    members: { active: false },
    explanation:
      'The server revoked everything that came from the replayed key. If a thief was first, the thief gained ' +
      'nothing.',
  },
  {
    title: 'Call the API with it again',
    call: getWith('/api/device-config', 'initial access token'),
    ...REFUSED,
    explanation: 'Guarded routes reject the token too, from the first request after the replay.',
  },
]

const CLEARTEXT: readonly Step[] = [
  newKey({
    title: 'Plain HTTP: get a new key',
    name: 'provisioning key 8',
    form: () => ({ scope: 'devices:create' }),
    explanation: 'This key is as valid as the first one.',
  }),
  {
    title: 'Plain HTTP: use it without TLS',
    call: (site, memory) => {
      const call = getWith('/whoami', 'provisioning key 8')(site, memory)
      return { ...call, url: `${site.cleartextOrigin}/whoami` }
    },
    status: 403,
    members: { error: 'invalid_request' },
    event: 'key.exposed',
    explanation:
      'The server does not redirect, and it answers the same whether or not the key is valid. Anybody on the ' +
      'network could read the key, so the server revoked it.',
  },
  {
    title: 'Plain HTTP: use it over HTTPS afterwards',
    call: getWith('/whoami', 'provisioning key 8'),
    ...REFUSED,
    explanation: 'The exposed key is revoked for everybody. The owner must request a new one.',
  },
]

const WRONG_AUDIENCE: readonly Step[] = [
  newKey({
    title: 'Wrong audience: get a key for the warehouse',
    name: 'provisioning key 9',
    form: ({ origin }) => ({ scope: 'devices:create', resource: `${origin}/warehouse` }),
    explanation: 'The resource parameter (RFC 8707) names the only audience that accepts the key.',
  }),
  {
    title: 'Wrong audience: use it at the warehouse',
    call: getWith('/warehouse/whoami', 'provisioning key 9'),
    status: 200,
    members: { scope: ['devices:create'] },
    event: 'key.verified',
    explanation: 'The warehouse accepts it.',
  },
  {
    title: 'Wrong audience: use it elsewhere',
    call: getWith('/whoami', 'provisioning key 9'),
    ...REFUSED,
    explanation:
      'If somebody breaks into the warehouse, the keys that it received are useless anywhere else.',
  },
]

/** Attacks with new keys. */
export const ATTACKS: readonly Step[] = [...CLEARTEXT, ...WRONG_AUDIENCE]
