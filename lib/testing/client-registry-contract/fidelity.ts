import { generateKeyPairSync } from 'node:crypto'
import { hashSecret } from '../../base/secret.js'
import { publicJwk, thumbprint } from '../../jose/jwk.js'
import type { Binding, Client, Registration } from '../../ports/client.js'
import type { PolicyOptions } from '../../ports/policy-options.js'
import { client, type RegistryTest } from './setup.js'

const POLICY: Required<PolicyOptions> = {
  scopes: ['provision:bind', 'devices:read'],
  defaultScopes: [],
  audiences: ['https://api.example.com/things?a=b'],
  lifetimeSeconds: 60,
  maxLifetimeSeconds: 600,
  networks: ['192.0.2.0/24', '2001:db8::/32'],
  subjects: ['device:*', 'gateway-1'],
  introspectAudiences: ['https://api.example.com/things?a=b'],
  senderConstraint: 'dpop',
  rebinding: 'add',
  maxBindings: 16,
  confirmWithinSeconds: 600,
  onReplay: 'flag',
  registrationPolicies: ['ours'],
  requireSoftwareStatement: false,
  outstandingKeys: 1_000_000,
  accessTokenScopes: ['devices:read'],
  clientScopes: ['devices:read'],
  accessTokenLifetimeSeconds: 3600,
}

/** The members that both kinds of bindings have. */
const BOUND = {
  boundAt: 1_700_000_000,
  keyId: 'UxQ2fQ0Vn7bWq1mJc9hLtA',
  askedBy: 'orchestrator',
  lineage: [{ clientId: 'ci-runner', jti: 'r3Zb0xkQd2mVwq7YtP1sNg' }],
  flaggedAt: 1_700_000_003,
  confirmBy: 1_700_000_600,
  replaces: true,
}

function keyBinding(bindingId: string): Required<Binding> {
  const { publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const confirmation = { jkt: thumbprint(publicKey) }
  return { bindingId, confirmation, jwk: publicJwk(publicKey), ...BOUND }
}

function certificateBinding(bindingId: string): Binding {
  return { bindingId, confirmation: { 'x5t#S256': 'x'.repeat(43) }, ...BOUND }
}

function registration(): Required<Registration> {
  const tokens = [1, 2].map((n) => ({
    hash: hashSecret(`a-registration-access-token-${n}`),
    expiresAt: 1_800_000_000 + n,
  }))
  const times = { issuedAt: 1_700_000_000, secretRenewedAt: 1_700_000_001, confirmBy: 1_700_000_600 }
  return { ...times, scopes: ['devices:read'], tokens }
}

/** Values that some databases change. */
const FRAGILE = {
  'client_name#ja-Jpan-JP': '\u30af\u30e9\u30a4\u30a2\u30f3\u30c8\u540d',
  accents: ['\u00e9', 'e\u0301', '\ud83d\udd11', '\ufeff', '\u2028', 'a\u0000b', '\u007f'],
  spaces: ['', ' ', ' a ', '\r\n', '\t'],
  texts: [':a', ':base64:YQ==', '::', '"', "'", '\\', 'null', '{}', '2020-01-01T00:00:00Z'],
  numbers: [0, -1, 1.5, 1e21, 5e-324, Number.MAX_SAFE_INTEGER],
  nothing: { list: [], object: {}, null: null, false: false },
  'a.b': { $set: { $ne: null }, '': 'no name', 'two words': [[[{}]]] },
}

/** A client with all members. The type is `Required`, so that a new member of a client is tested too. */
function wholeClient(clientId: string): Required<Client> {
  const jwk = keyBinding('').jwk
  return {
    clientId,
    revision: 1,
    secretHash: hashSecret('correct-horse-battery-staple'),
    secretExpiresAt: 1_800_000_000,
    authenticationMethods: ['client_secret_basic', 'private_key_jwt', 'self_signed_tls_client_auth'],
    policy: POLICY,
    bindings: [keyBinding('one'), certificateBinding('two')],
    boundMethods: ['self_signed_tls_client_auth'],
    metadata: { ...FRAGILE, jwks: { keys: [jwk] }, grant_types: ['client_credentials'] },
    registeredBy: { clientId: 'fleet', keyId: 'UxQ2fQ0Vn7bWq1mJc9hLtA' },
    registration: registration(),
    flaggedAt: 1_700_000_001,
    deletedAt: 1_700_000_002,
    undoneAt: 1_700_000_004,
  }
}

/** A registry answers exactly the client that was saved. */
export function testFidelity(test: RegistryTest): void {
  test('answers a client with all members unchanged', async ({ registry, registries }) => {
    const [, other = registry] = await registries(2)
    const whole = wholeClient('lamp')
    expect(await registry.save(whole)).toBe(true)
    expect(await registry.find('lamp')).toEqual(whole)
    expect(await other.find('lamp')).toEqual(whole)
  })
  test('answers a client without optional members unchanged', async ({ registry }) => {
    const least: Client = { clientId: 'lamp', revision: 1, authenticationMethods: [] }
    expect(await registry.save(least)).toBe(true)
    const found = await registry.find('lamp')
    expect(found).toEqual(least)
    expect(Object.keys(found ?? {}).sort()).toEqual(['authenticationMethods', 'clientId', 'revision'])
  })
  test('keeps the order of lists', async ({ registry }) => {
    const scopes = ['c', 'a', 'b', 'a1', 'A']
    await registry.save({ ...client('lamp', 1), policy: { scopes, defaultScopes: [] } })
    expect((await registry.find('lamp'))?.policy).toEqual({ scopes, defaultScopes: [] })
  })
  test('keeps a client of 64 KiB', async ({ registry }) => {
    const large = { ...client('lamp', 1), metadata: { client_name: '\u00e9'.repeat(32_768) } }
    expect(await registry.save(large)).toBe(true)
    expect(await registry.find('lamp')).toEqual(large)
  })
}
