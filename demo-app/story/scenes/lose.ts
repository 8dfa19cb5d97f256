import { asClient, boundKey, keyRequest, postWith, withProof } from '../../requests/calls'
import { newKeyPair } from '../../requests/key-pair'
import { DEVICE, INSTALLER } from '../actors'
import type { Beat, Request, Scene } from '../scene'

const KEY = 'key for a registration'
const ID = 'the sensor'
const SECRET = 'secret of the sensor'
const SCOPE = 'provision:token config:read'

export const LOSE: Scene = {
  id: 'lose',
  title: 'Lose the response',
  shows: 'The connection breaks after the server has redeemed the key, so the response gets lost.',
  happened:
    'The server redeemed the key and registered the device, but the device did not receive its credentials. The device ' +
    'sent the same request again, and proved that it has the same key pair. It got the lost response, byte for byte.',
  matters:
    'With other one-time credentials, the device would be lost now. Here this is no incident: there is no finding, and ' +
    'the device was registered only once.',
  rules: [],
  beats: lostResponse,
}

function lostResponse(): readonly Beat[] {
  const sensor = newKeyPair('the device')
  const json = { client_name: 'sensor', scope: SCOPE }
  const register = {
    call: withProof(sensor, postWith('/oauth/register', KEY, json)),
    status: 201,
    by: DEVICE,
  }
  const repeated: Request = {
    ...register,
    secrets: { client_secret: SECRET, registration_access_token: 'registration access token' },
    values: { client_id: ID },
    event: 'redemption.repeated',
    says: 'sends the same request again, and gets the lost response.',
  }
  return [
    boundKey(sensor, {
      name: KEY,
      form: () => ({ scope: `provision:register ${SCOPE}` }),
      by: INSTALLER,
      says: 'asks for a key that the device can register with.',
    }),
    {
      ...register,
      isCut: true,
      event: 'client.registered',
      says: 'registers. The connection breaks before the response arrives.',
    },
    repeated,
    { ...repeated, isRepetition: true, says: 'asks once more, and gets the same bytes.' },
    {
      call: asClient(
        ID,
        SECRET,
        keyRequest(() => ({ scope: SCOPE })),
      ),
      status: 200,
      secrets: { access_token: 'next key of the sensor' },
      event: 'key.issued',
      by: DEVICE,
      says: 'uses its credentials to ask for its next key.',
    },
  ]
}
