import { getWith, newKey, REFUSED } from '../../requests/calls'
import type { CallFactory } from '../../requests/step'
import { DEVICE, INSTALLER, THIEF } from '../actors'
import type { Scene } from '../scene'

const KEY = 'exposed key'
const overTls = getWith('/whoami', KEY)
const inCleartext: CallFactory = (site, memory) => ({
  ...overTls(site, memory),
  url: `${site.cleartextOrigin}/whoami`,
})

export const CLEARTEXT: Scene = {
  id: 'cleartext',
  title: 'Send it in cleartext',
  shows: 'A device sends its key to a URL that begins with http.',
  happened:
    'The server refused the request, and revoked the key, because everybody on the way could read it. So the thief who ' +
    'has read it gained nothing.',
  matters:
    'A wrong URL is a common mistake, and a redirect would hide it. The finding says which client makes this mistake.',
  rules: ['cleartext_exposure'],
  beats: () => [
    newKey({
      name: KEY,
      form: () => ({ scope: 'devices:create', requested_subject: 'device:lamp' }),
      by: INSTALLER,
      says: 'asks for a key for the device.',
    }),
    {
      call: inCleartext,
      status: 403,
      members: { error: 'invalid_request' },
      event: 'key.exposed',
      by: DEVICE,
      says: 'sends the key over plain HTTP.',
    },
    {
      call: overTls,
      ...REFUSED,
      by: THIEF,
      says: 'has read the key on the network, and tries it.',
    },
  ],
}
