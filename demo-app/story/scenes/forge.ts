import { generateKeyPairSync, type KeyObject, randomUUID, sign } from 'node:crypto'
import { getWith, newKey, REFUSED } from '../../requests/calls'
import type { CallFactory } from '../../requests/step'
import { INSTALLER, THIEF } from '../actors'
import type { Scene, World } from '../scene'

const GENUINE_KEY = 'genuine key'

export const FORGE: Scene = {
  id: 'forge',
  title: 'Forge it',
  shows:
    'A thief makes keys: first with a signing key of their own, then with the stolen signing key of the server.',
  happened:
    'The first forged key has a wrong signature. The second one has a correct signature, but the server has never ' +
    'issued it. The server refused both, and opened a finding with the second one.',
  matters:
    'In most systems, a stolen signing key opens every door, and nobody notices. Here it opens none, and you hear of it ' +
    'at the first attempt. Now you would replace the signing key.',
  rules: ['forged_key'],
  beats: ({ signingKey }: World) => [
    newKey({
      name: GENUINE_KEY,
      form: () => ({ scope: 'devices:create' }),
      by: INSTALLER,
      says: 'asks for a key. The thief knows what it looks like.',
    }),
    {
      call: useForgery(generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey, 'forged key'),
      ...REFUSED,
      by: THIEF,
      says: 'signs a key with another signing key.',
    },
    { lane: 'thief', note: 'The thief has stolen the signing key of the server: the worst case.' },
    {
      call: useForgery(signingKey, 'forged key with a correct signature'),
      status: 401,
      members: { error: 'invalid_token' },
      by: THIEF,
      says: 'signs a key with the stolen signing key.',
    },
  ],
}

function useForgery(signingKey: KeyObject, name: string): CallFactory {
  return (site, memory) => {
    memory.keepSecret(name, forged(memory.recall(GENUINE_KEY), signingKey))
    return getWith('/whoami', name)(site, memory)
  }
}

/** A copy of a key with another id and a new signature. */
function forged(genuine: string, signingKey: KeyObject): string {
  const [header = '', payload = ''] = genuine.split('.')
  const claims = JSON.parse(Buffer.from(payload, 'base64url').toString('utf8'))
  const ownClaims = Buffer.from(JSON.stringify({ ...claims, jti: randomUUID() })).toString('base64url')
  const input = `${header}.${ownClaims}`
  const signature = sign('sha256', Buffer.from(input), { key: signingKey, dsaEncoding: 'ieee-p1363' })
  return `${input}.${signature.toString('base64url')}`
}
