import { randomBytes } from 'node:crypto'
import {
  boundKey,
  exchangeOf,
  getWith,
  keyRequest,
  postWith,
  withAssertion,
  withProof,
} from '../../requests/calls'
import { newKeyPair } from '../../requests/key-pair'
import { DEVICE, INSTALLER } from '../actors'
import type { Beat, Scene } from '../scene'

const FIRST_KEY = 'key of the new device'
const NEXT_KEY = 'next key of the device'
const TOKEN = 'access token of the device'
const SCOPE = 'provision:token config:read'

export const ENROLL: Scene = {
  id: 'enroll',
  title: 'Enroll a device',
  shows: 'A new device uses a key once, and gets an identity of its own.',
  happened:
    'The installer asked for a key that only this device can use. The device redeemed the key, and now the server ' +
    'knows the device by its public key. Then the device asked for its next key itself, and called the API.',
  matters: 'Nobody has put a long-term secret into the device. All of this is normal: there is no finding.',
  rules: [],
  beats: () => enrolment(`device:${randomBytes(3).toString('hex')}`),
}

function enrolment(clientId: string): readonly Beat[] {
  const device = newKeyPair('the device')
  return [
    boundKey(device, {
      name: FIRST_KEY,
      form: () => ({ scope: `provision:bind ${SCOPE}`, requested_subject: clientId }),
      by: INSTALLER,
      says: 'asks for a key for the new device.',
    }),
    {
      call: withProof(device, postWith('/oauth/bind', FIRST_KEY)),
      status: 201,
      members: { client_id: clientId, cnf: { jkt: device.thumbprint } },
      event: 'client.bound',
      by: DEVICE,
      says: 'redeems the key, and binds its public key.',
    },
    {
      call: withProof(
        device,
        withAssertion(
          device,
          clientId,
          keyRequest(() => ({ scope: SCOPE })),
        ),
      ),
      status: 200,
      secrets: { access_token: NEXT_KEY },
      event: 'key.issued',
      by: DEVICE,
      says: 'asks for its next key itself, without any secret.',
    },
    {
      call: withProof(device, exchangeOf(NEXT_KEY)),
      status: 200,
      secrets: { access_token: TOKEN },
      event: 'token.issued',
      by: DEVICE,
      says: 'exchanges this key for an access token.',
    },
    {
      call: withProof(device, getWith('/api/device-config', TOKEN)),
      status: 200,
      members: { device: clientId },
      event: 'token.verified',
      by: DEVICE,
      says: 'calls the API.',
    },
  ]
}
