import { exchangeOf, getWith, introspectionOf, keyStep, postWith } from './calls'
import type { Step } from './step'

const REPLAY: readonly Step[] = [
  {
    title: 'Replay: redeem key 1 once more',
    call: postWith('/devices', 'provisioning key 1', { name: 'second lamp' }),
    status: 401,
    members: { error: 'invalid_token' },
    event: 'key.replayed',
    meaning: 'A key is redeemed once. The caller hears what anybody would; the event says what happened.',
  },
  {
    title: 'Replay: exchange key 2 once more, by the very same request',
    call: exchangeOf('provisioning key 2'),
    status: 400,
    members: { error: 'invalid_request' },
    event: 'key.replayed',
    meaning:
      'A bearer key has no holder who could ask again: whoever presents it could be anybody. Two have, so one of them ' +
      'is a thief, and nobody can tell which.',
  },
  {
    title: 'Look at the access token again',
    call: introspectionOf('initial access token'),
    status: 200,
    members: { active: false },
    meaning: 'What the replayed key had brought forth is revoked: a thief who came first has gained nothing.',
  },
  {
    title: 'Call the API with it again',
    call: getWith('/api/device-config', 'initial access token'),
    status: 401,
    members: { error: 'invalid_token' },
    event: 'request.refused',
    isBrief: true,
    meaning: 'Nor does it open any route. The next call after the replay was refused already.',
  },
]

const CLEARTEXT: readonly Step[] = [
  keyStep({
    title: 'Cleartext: get a fresh key',
    name: 'provisioning key 8',
    form: () => ({ scope: 'devices:create' }),
    meaning: 'It is good, as the first one was.',
  }),
  {
    title: 'Cleartext: present it over HTTP',
    call: (site, memory) => {
      const call = getWith('/whoami', 'provisioning key 8')(site, memory)
      return { ...call, url: `${site.cleartextOrigin}/whoami` }
    },
    status: 403,
    members: { error: 'invalid_request' },
    event: 'key.exposed',
    meaning:
      'No redirect, and the same bytes whether the key was good or not. But everybody on the way could read it, so ' +
      'the server has revoked it.',
  },
  {
    title: 'Cleartext: present it over HTTPS afterwards',
    call: getWith('/whoami', 'provisioning key 8'),
    status: 401,
    members: { error: 'invalid_token' },
    event: 'request.refused',
    meaning: 'The exposed key is dead, for its thief as for its owner, who asks for another.',
  },
]

const WRONG_AUDIENCE: readonly Step[] = [
  keyStep({
    title: 'Wrong audience: get a key for the warehouse',
    name: 'provisioning key 9',
    form: ({ origin }) => ({ scope: 'devices:create', resource: `${origin}/warehouse` }),
    meaning: 'The resource parameter (RFC 8707) names the one audience that the key is for.',
  }),
  {
    title: 'Wrong audience: present it to the warehouse',
    call: getWith('/warehouse/whoami', 'provisioning key 9'),
    status: 200,
    members: { scope: ['devices:create'] },
    event: 'key.verified',
    isBrief: true,
    meaning: 'There it is good.',
  },
  {
    title: 'Wrong audience: present it elsewhere',
    call: getWith('/whoami', 'provisioning key 9'),
    status: 401,
    members: { error: 'invalid_token' },
    event: 'request.refused',
    meaning: 'A warehouse that has been broken into cannot use the keys it is shown anywhere else.',
  },
]

/** What thieves try with keys, after the flow. */
export const ATTACKS: readonly Step[] = [...REPLAY, ...CLEARTEXT, ...WRONG_AUDIENCE]
