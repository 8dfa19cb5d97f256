import { exchangeOf, getWith, REFUSED } from '../../requests/calls'
import { DEVICE, THIEF } from '../actors'
import type { Scene } from '../scene'
import { COPIED_KEY } from './steal'

const TOKEN = 'access token'
const callApi = getWith('/api/device-config', TOKEN)

export const REPLAY: Scene = {
  id: 'replay',
  title: 'Replay it',
  shows: 'The thief uses the second key from the log file, after the device has used it.',
  happened:
    'The device exchanged the key for an access token. Then the thief sent the same request. The server refused it, ' +
    'and revoked the access token, because the server cannot know which of the two is the thief.',
  matters:
    'A key works once. If the thief had been first, the device would have been second, and the thief would have lost ' +
    'the access token in the same way.',
  rules: ['replayed_key'],
  needs: 'steal',
  beats: () => [
    {
      call: exchangeOf(COPIED_KEY),
      status: 200,
      secrets: { access_token: TOKEN },
      event: 'token.issued',
      by: DEVICE,
      says: 'exchanges the key for an access token.',
    },
    { call: callApi, status: 200, event: 'token.verified', by: DEVICE, says: 'calls the API.' },
    {
      call: exchangeOf(COPIED_KEY),
      status: 400,
      members: { error: 'invalid_request' },
      event: 'key.replayed',
      by: THIEF,
      says: 'sends the same request with the copied key.',
    },
    {
      call: callApi,
      ...REFUSED,
      by: DEVICE,
      says: 'calls the API again. The access token is revoked.',
    },
  ],
}
