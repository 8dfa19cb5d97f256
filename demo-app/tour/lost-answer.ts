import { asClient, exchangeOf, getWith, keyRequest, keyStep, postWith, provenBy } from './calls'
import { type Holder, holder } from './holder'
import type { Ask, Exchange, Step } from './step'

const KEY = 'provisioning key 6'
const KEY_OF_SENSOR = 'provisioning key 7'
const SENSOR = 'the sensor'
const SENSOR_SECRET = 'secret of the sensor'
const REGISTRATION = 'registration of the sensor'
const REGISTRATION_TOKEN = 'registration access token of the sensor'
const TOKEN = 'access token of the sensor'

/** What becomes of a redemption whose answer never arrives, and of all it brought forth once its key is replayed. */
export function lostAnswerSteps(): readonly Step[] {
  const sensor = holder(SENSOR)
  return [
    keyStepFor(sensor),
    cutStep(sensor),
    repetitionStep(sensor),
    useStep(),
    replayStep(sensor),
    endStep(),
  ]
}

function keyStepFor(sensor: Holder): Step {
  const step = keyStep({
    title: 'Get a key for a registration, bound to a key pair',
    name: KEY,
    form: () => ({ scope: 'provision:register provision:token config:read' }),
    meaning: 'This key has a holder: the sensor, which proves by its key pair that it is the one who asks.',
  })
  return { ...step, call: provenBy(sensor, step.call), members: { token_type: 'DPoP' }, isBrief: true }
}

/** A new proof each time, since one is good once; all the rest is the same. */
function registration(sensor: Holder, name: string): Ask {
  const json = { client_name: name, scope: 'provision:token config:read' }
  return provenBy(sensor, postWith('/oauth/register', KEY, json))
}

function cutStep(sensor: Holder): Step {
  return {
    title: 'Register with it, and lose the answer',
    call: registration(sensor, 'sensor'),
    status: 201,
    isBrief: true,
    isCut: true,
    event: 'client.registered',
    meaning:
      'The key is spent and the client registered, but nobody has been told its id and its secret. Elsewhere that is ' +
      'the end of a one-time credential.',
  }
}

function repetitionStep(sensor: Holder): Step {
  const repeated = {
    call: registration(sensor, 'sensor'),
    status: 201,
    secrets: { client_secret: SENSOR_SECRET, registration_access_token: REGISTRATION_TOKEN },
    notes: { client_id: SENSOR, registration_client_uri: REGISTRATION },
    event: 'redemption.repeated',
  } as const
  return {
    ...repeated,
    title: 'Ask again: the same request, by the same key pair',
    members: { client_name: 'sensor' },
    next: [{ ...repeated, isRepetition: true }],
    meaning:
      'It gets the answer that was lost, byte for byte, as often as it asks while the key lives. The client was ' +
      'registered once. The answer is kept encrypted under the key itself, which the server does not have.',
  }
}

function useStep(): Step {
  const exchange: Exchange = {
    call: exchangeOf(KEY_OF_SENSOR),
    status: 200,
    members: { scope: 'config:read' },
    secrets: { access_token: TOKEN },
    event: 'token.issued',
  }
  return {
    title: 'Use what it brought: a secret, for a key, for an access token',
    call: newKey,
    status: 200,
    members: { token_type: 'Bearer' },
    secrets: { access_token: KEY_OF_SENSOR },
    event: 'key.issued',
    isBrief: true,
    next: [exchange, { call: callApi, status: 200, members: { report_every_seconds: 60 } }],
    meaning: 'The sensor is a client, and has its access token. All of it goes back to that one key.',
  }
}

const newKey = asClient(
  SENSOR,
  SENSOR_SECRET,
  keyRequest(() => ({ scope: 'provision:token config:read' })),
)
const callApi = getWith('/api/device-config', TOKEN)

function replayStep(sensor: Holder): Step {
  return {
    title: 'The same key pair, but another request: a replay',
    call: registration(sensor, 'second sensor'),
    status: 401,
    members: { error: 'invalid_token' },
    event: 'key.replayed',
    meaning:
      'A redeemed key opens nothing new, not even for its holder. Something has gone wrong, and nobody can tell what: ' +
      'so all that the key brought forth ends, as the events say.',
  }
}

function endStep(): Step {
  const refused = { status: 401, members: { error: 'invalid_token' }, event: 'request.refused' } as const
  return {
    ...refused,
    title: 'Read the registration, authenticate, call the API',
    call: (site, memory) => ({
      ...getWith('/', REGISTRATION_TOKEN)(site, memory),
      url: memory.recall(REGISTRATION),
    }),
    isBrief: true,
    next: [
      { ...refused, call: newKey, members: { error: 'invalid_client' } },
      { ...refused, call: callApi },
    ],
    meaning:
      'The client is gone, and with it its registration, its secret, its keys and its tokens. Whoever is the rightful ' +
      'one gets a fresh key, and begins anew.',
  }
}
