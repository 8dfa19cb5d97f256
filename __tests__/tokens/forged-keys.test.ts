import { signJwt } from '../../lib/jose/jwt.js'
import type { Confirmation } from '../../lib/ports/store.js'
import { introspect } from '../../lib/tokens/introspection.js'
import type { IssuedKey } from '../../lib/tokens/issuance.js'
import { verifyGenuine } from '../../lib/tokens/issued-token.js'
import { newKey, PROVISIONING_KEY, signKey } from '../../lib/tokens/provisioning-key.js'
import {
  AUDIENCE,
  authenticated,
  CLIENT,
  type Deployed,
  deployed,
  issueKey,
  OTHER_AUDIENCE,
  parameters,
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

/** A thief with the signing key, who also has one issued key: `issue` makes it. */
async function withThief(issue: (given: Deployed) => Promise<IssuedKey> = issueReader) {
  const given = deployed()
  const { deployment } = given
  const { key, record } = await issue(given)
  const genuine = verifyGenuine(deployment, PROVISIONING_KEY, key)
  const verify = (token: string) =>
    verifyKey(deployment, {
      credential: { token, scheme: 'Bearer' },
      presented: request(),
      expected: EXPECTED,
    })
  /** `undefined` removes a claim. */
  const sign = (claims: Record<string, unknown>) => {
    const forged = JSON.parse(JSON.stringify({ ...genuine, ...claims }))
    return signJwt(forged, deployment.keyRing.active(), 'provisioning-key+jwt')
  }
  return {
    ...given,
    record,
    key,
    genuine: () => verify(key),
    sign,
    present: (claims: Record<string, unknown>) => verify(sign(claims)),
  }
}

const issueReader = (given: Deployed): Promise<IssuedKey> => issueKey(given, { scope: 'devices:read' })

const ANCESTORS = [
  { clientId: CLIENT, jti: 'first' },
  { clientId: 'device:7', jti: 'second' },
]

/** A key that may be presented from two networks, and comes from two other keys. */
async function issueLimited({ deployment }: Deployed): Promise<IssuedKey> {
  const terms = {
    subject: CLIENT,
    scope: ['provision:bind'],
    audience: AUDIENCE,
    lifetimeSeconds: 300,
    networks: ['192.0.2.0/24', '10.0.0.0/8'],
  }
  const unsigned = newKey(deployment, { clientId: CLIENT, ancestors: ANCESTORS }, terms, undefined)
  expect(await deployment.store.record(unsigned.record, { outstanding: 1 })).toBe('recorded')
  return { key: signKey(deployment, unsigned), record: unsigned.record }
}

describe('a key that was signed, but never issued like that', () => {
  it.each<[string, (exp: number) => Record<string, unknown>]>([
    ['more scope', () => ({ scope: 'devices:read provision:register' })],
    ['another scope', () => ({ scope: 'provision:register' })],
    ['another subject', () => ({ sub: 'device:somebody-else' })],
    ['another audience', () => ({ aud: OTHER_AUDIENCE })],
    ['a later end', (exp) => ({ exp: exp + 1 })],
    ['another beginning', (exp) => ({ iat: exp - 301 })],
    ['an earlier beginning', (exp) => ({ nbf: exp - 301 })],
    ['networks, though it has none', () => ({ cidr: ['192.0.2.0/24'] })],
    ['ancestors, though it has none', () => ({ ancestors: [] })],
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

  it.each<[string, Record<string, unknown>]>([
    ['no networks', { cidr: undefined }],
    ['one more network', { cidr: ['192.0.2.0/24', '10.0.0.0/8', '0.0.0.0/0'] }],
    ['another network', { cidr: ['192.0.2.0/24', '0.0.0.0/0'] }],
    ['no ancestors', { ancestors: undefined }],
    ['one ancestor less', { ancestors: ANCESTORS.slice(0, 1) }],
    ['another ancestor', { ancestors: [{ clientId: CLIENT, jti: 'third' }, ANCESTORS[1]] }],
    ['a further member of an ancestor', { ancestors: [{ ...ANCESTORS[0], extra: 1 }, ANCESTORS[1]] }],
    ['neither networks nor ancestors', { cidr: undefined, ancestors: undefined }],
  ])('is refused for %s although the signature is correct', async (_, claims) => {
    const { present, genuine, record, events, deployment, sign } = await withThief(issueLimited)
    const { jti: keyId, clientId } = record
    expect(await reasonOf(() => present(claims))).toBe('key_forged')
    expect(events.at(-1)).toMatchObject({ type: 'key.forged', keyId, clientId })
    const client = await authenticated(deployment)
    const introspected = (token: string) => introspect(deployment, client, parameters({ token }))
    expect(await introspected(sign(claims))).toEqual({ active: false })
    expect(events.filter(({ type }) => type === 'key.forged')).toHaveLength(2)
    expect(await introspected(sign({}))).toMatchObject({ active: true })
    expect(await genuine()).toMatchObject({ key: { jti: keyId } })
  })

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
