import { getWith, newKey, REFUSED } from '../../requests/calls'
import { DEVICE, INSTALLER, SECOND_THIEF, THIEF } from '../actors'
import type { Scene } from '../scene'

const KEY = 'published key'
const call = getWith('/whoami', KEY)
const accepted = { call, status: 200, event: 'key.verified' } as const

export const NETWORK: Scene = {
  id: 'network',
  title: 'Change the network',
  shows: 'One key comes from three networks, because somebody has published it.',
  happened:
    'A key that is not bound works for everybody who has it, so the server accepted the key. At the second network, the ' +
    'server opened a finding. At the third network, it opened another finding, and revoked the key.',
  matters:
    'Both thieves used the key once. Then the server stopped the key by itself, before anybody redeemed it. So the ' +
    'thieves got nothing that lasts, and the device can ask for a new key.',
  rules: ['network_changed', 'many_networks'],
  beats: () => [
    newKey({
      name: KEY,
      form: () => ({ scope: 'devices:create' }),
      by: INSTALLER,
      says: 'asks for a key for itself.',
    }),
    { ...accepted, by: DEVICE, says: 'uses the key at home, where it was issued.' },
    { ...accepted, by: THIEF, says: 'uses the key from a second network, with another program.' },
    { ...accepted, by: SECOND_THIEF, waitFor: 'key.revoked', says: 'uses the key from a third network.' },
    {
      call,
      ...REFUSED,
      by: DEVICE,
      says: 'tries the key again. It is revoked.',
    },
  ],
}
