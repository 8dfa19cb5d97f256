import { signJwt } from '../../lib/jose/jwt.js'
import type { Confirmation } from '../../lib/ports/store.js'
import { verifyGenuine } from '../../lib/tokens/issued-token.js'
import { PROVISIONING_KEY } from '../../lib/tokens/provisioning-key.js'
import {
  AUDIENCE,
  deployed,
  issueKey,
  OTHER_AUDIENCE,
  reasonOf,
  request,
  TARGET,
  verifyKey,
} from '../support/deployed.js'

const EXPECTED = {
  audiences: [AUDIENCE, OTHER_AUDIENCE],
  scope: [],
  target: TARGET,
}

/** A thief with the signing key, who also has one issued key. */
async function withThief() {
  const given = deployed()
  const { deployment } = given
  const { key, record } = await issueKey(given, { scope: 'devices:read' })
  const genuine = verifyGenuine(deployment, PROVISIONING_KEY, key)
  const verify = (token: string) =>
    verifyKey(deployment, {
      credential: { token, scheme: 'Bearer' },
      presented: request(),
      expected: EXPECTED,
    })
  return {
    ...given,
    record,
    key,
    genuine: () => verify(key),
    present(claims: Record<string, unknown>) {
      const token = signJwt({ ...genuine, ...claims }, deployment.keyRing.active(), 'provisioning-key+jwt')
      return verify(token)
    },
  }
}

describe('a key that was signed, but never issued like that', () => {
  it.each<[string, (exp: number) => Record<string, unknown>]>([
    ['more scope', () => ({ scope: 'devices:read provision:register' })],
    ['another scope', () => ({ scope: 'provision:register' })],
    ['another subject', () => ({ sub: 'device:somebody-else' })],
    ['another audience', () => ({ aud: OTHER_AUDIENCE })],
    ['a later end', (exp) => ({ exp: exp + 1 })],
    ['another beginning', (exp) => ({ iat: exp - 301 })],
  ])(
    'is refused for %s although the signature is correct, with an event of severity high',
    async (_, change) => {
      const { present, genuine, record, events, deployment } = await withThief()
      expect(await reasonOf(() => present(change(record.expiresAt)))).toBe('key_forged')
      const { jti: keyId, clientId } = record
      expect(events.at(-1)).toMatchObject({ type: 'key.forged', severity: 'high', keyId, clientId })
      expect(await deployment.store.find(record)).toMatchObject({ state: 'issued' })
      expect(await genuine()).toMatchObject({ key: { jti: keyId } })
    },
  )

  it.each<Confirmation>([{ jkt: 'j' }, { 'x5t#S256': 'x' }])(
    'is refused because its binding is missing: %j',
    async (confirmation) => {
      const { deployment, record, key } = await withThief()
      const entry = await deployment.store.find(record)
      const store = { ...deployment.store, find: async () => entry && { ...entry, confirmation } }
      const credential = { token: key, scheme: 'Bearer' } as const
      const presentation = { credential, presented: request(), expected: EXPECTED }
      expect(await reasonOf(() => verifyKey({ ...deployment, store }, presentation))).toBe('key_forged')
    },
  )
})
