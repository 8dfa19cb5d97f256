import {
  asClient,
  boundKey,
  exchangeOf,
  getWith,
  keyRequest,
  postWith,
  REFUSED,
  withProof,
} from '../requests/calls'
import { type KeyPair, newKeyPair } from '../requests/key-pair'
import type { CallFactory, Exchange, Step } from '../requests/step'

const KEY = 'provisioning key 4'
const KEY_OF_SENSOR = 'provisioning key 5'
const SENSOR = 'the sensor'
const SENSOR_SECRET = 'secret of the sensor'
const REGISTRATION = 'registration of the sensor'
const REGISTRATION_TOKEN = 'registration access token of the sensor'
const TOKEN = 'access token of the sensor'

/** A sensor repeats a request whose answer was lost. Then its key is replayed. */
export function lostAnswerSteps(): readonly Step[] {
  const sensor = newKeyPair(SENSOR)
  return [
    keyStepFor(sensor),
    cutStep(sensor),
    repetitionStep(sensor),
    useStep(),
    replayStep(sensor),
    endStep(),
  ]
}

function keyStepFor(sensor: KeyPair): Step {
  return boundKey(sensor, {
    title: 'Get a key for a registration, bound to a key pair',
    name: KEY,
    form: () => ({ scope: 'provision:register provision:token config:read' }),
    explanation:
      'This key is bound to the key pair of the sensor. So the sensor can prove that it is the one who ' +
      'repeats a request.',
  })
}

/** Each request needs a new proof; everything in it stays the same otherwise. */
function registration(sensor: KeyPair, name: string): CallFactory {
  const json = { client_name: name, scope: 'provision:token config:read' }
  return withProof(sensor, postWith('/oauth/register', KEY, json))
}

function cutStep(sensor: KeyPair): Step {
  return {
    title: 'Register a client with it, and lose the answer',
    call: registration(sensor, 'sensor'),
    status: 201,
    isCut: true,
    event: 'client.registered',
    explanation:
      'The key is redeemed and the client is registered, but nobody received its id and secret. With other ' +
      'one-time credentials, this would be the end.',
  }
}

function repetitionStep(sensor: KeyPair): Step {
  const repeated = {
    call: registration(sensor, 'sensor'),
    status: 201,
    secrets: { client_secret: SENSOR_SECRET, registration_access_token: REGISTRATION_TOKEN },
    values: { client_id: SENSOR, registration_client_uri: REGISTRATION },
    event: 'redemption.repeated',
  } as const
  return {
    ...repeated,
    title: 'Send the same request again, with the same key pair',
    members: { client_name: 'sensor' },
    next: [{ ...repeated, isRepetition: true }],
    explanation:
      'The sensor gets the lost answer, byte for byte. It can ask until the key expires. The client was ' +
      'registered only once. The stored answer can be decrypted only with the key, which the server does not ' +
      'store.',
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
    title: 'Use the client secret for a key, and the key for an access token',
    call: newKey,
    status: 200,
    members: { token_type: 'Bearer' },
    secrets: { access_token: KEY_OF_SENSOR },
    event: 'key.issued',
    next: [exchange, { call: callApi, status: 200, members: { report_every_seconds: 60 } }],
    explanation: 'The sensor is a client now, and it has an access token. All of this came from one key.',
  }
}

const newKey = asClient(
  SENSOR,
  SENSOR_SECRET,
  keyRequest(() => ({ scope: 'provision:token config:read' })),
)
const callApi = getWith('/api/device-config', TOKEN)

function replayStep(sensor: KeyPair): Step {
  return {
    title: 'Send another request with the same key pair: a replay',
    call: registration(sensor, 'second sensor'),
    status: 401,
    members: { error: 'invalid_token' },
    event: 'key.replayed',
    explanation:
      'A redeemed key allows nothing new, not even for its owner. The server cannot know what went wrong, so ' +
      'it revokes everything that came from the key. The events list this.',
  }
}

function endStep(): Step {
  return {
    ...REFUSED,
    title: 'Try to read the registration, to authenticate, and to call the API',
    call: (site, memory) => ({
      ...getWith('/', REGISTRATION_TOKEN)(site, memory),
      url: memory.recall(REGISTRATION),
    }),
    next: [
      { ...REFUSED, call: newKey, members: { error: 'invalid_client' } },
      { ...REFUSED, call: callApi },
    ],
    explanation:
      'The client is deleted, with its registration, secret, keys and tokens. The rightful owner can start ' +
      'again with a new key.',
  }
}
