import { randomBytes } from 'node:crypto'
import { boundKey, newKey, postWith, REFUSED, withProof } from '../../requests/calls'
import { newKeyPair } from '../../requests/key-pair'
import { DEVICE, INSTALLER, THIEF } from '../actors'
import type { Beat, Scene } from '../scene'

const BOUND_KEY = 'first key in the log'

/** The thief keeps this key for the next scene. */
export const COPIED_KEY = 'second key in the log'

export const STEAL: Scene = {
  id: 'steal',
  title: 'Steal the key',
  shows: 'A thief copies two keys from a log file, and tries the first one.',
  happened:
    'The first key is bound to the key pair of the device. The thief does not have this key pair, so the server ' +
    'refused both attempts, and opened a finding. The attempts did not use up the key: the device has redeemed it.',
  matters:
    'You learn that a key was copied, and the thief has gained nothing. The second key is not bound to a key pair. ' +
    '“Replay it” shows how much this key is worth.',
  rules: ['wrong_proof_key'],
  beats: () => theft(`device:${randomBytes(3).toString('hex')}`),
}

function theft(clientId: string): readonly Beat[] {
  const [device, thief] = [newKeyPair('the device'), newKeyPair('the thief')]
  const bind = postWith('/oauth/bind', BOUND_KEY)
  return [
    boundKey(device, {
      name: BOUND_KEY,
      form: () => ({ scope: 'provision:bind', requested_subject: clientId }),
      by: INSTALLER,
      says: 'asks for a key that is bound to the key pair of the device.',
    }),
    newKey({
      name: COPIED_KEY,
      form: () => ({ scope: 'provision:token config:read', requested_subject: clientId }),
      by: INSTALLER,
      says: 'asks for a second key, which is not bound.',
    }),
    {
      lane: 'thief',
      note: 'The thief reads both keys in a log file. No request reaches the server, so the server cannot notice this.',
    },
    {
      call: withProof(thief, bind),
      ...REFUSED,
      by: THIEF,
      says: 'tries the first key, with another key pair.',
    },
    { call: bind, ...REFUSED, by: THIEF, says: 'tries the first key without any proof.' },
    {
      call: withProof(device, bind),
      status: 201,
      event: 'client.bound',
      by: DEVICE,
      says: 'redeems the first key. It still works.',
    },
  ]
}
