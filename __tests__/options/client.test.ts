import { generateKeyPairSync } from 'node:crypto'
import { newFaults } from '../../lib/base/faults.js'
import { hashSecret, Secret, secretMatches } from '../../lib/base/secret.js'
import { publicJwk, thumbprint } from '../../lib/jose/jwk.js'
import { type ClientOptions, readClient } from '../../lib/options/client.js'
import type { ClientLookup } from '../../lib/options/clients.js'
import type { Client } from '../../lib/ports/client.js'

const SECRET = 'correct-horse-battery-staple'
const HASH = hashSecret(SECRET)
const METHODS =
  'client_secret_basic, client_secret_post, private_key_jwt, tls_client_auth, self_signed_tls_client_auth'

const { publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const BOUND_KEY = {
  bindingId: 'a',
  confirmation: { jkt: thumbprint(publicKey) },
  jwk: publicJwk(publicKey),
  boundAt: 1,
  keyId: 'c',
}
const BOUND_CERTIFICATE = {
  bindingId: 'b',
  confirmation: { 'x5t#S256': 'x'.repeat(43) },
  boundAt: 1,
  keyId: 'c',
}

function read(value: unknown): { client: Client | undefined; faults: readonly string[] } {
  const faults = newFaults()
  return { client: readClient(value, 'client', faults), faults: faults.list }
}

const faultsOf = (members: object) => read({ clientId: 'ci', clientSecret: SECRET, ...members }).faults

describe('a client', () => {
  it('is read into one that is complete and has no secret in it but hashed', () => {
    const { client, faults } = read({ clientId: 'ci', clientSecret: SECRET })
    expect(faults).toEqual([])
    expect(client).toEqual({
      clientId: 'ci',
      revision: 1,
      secretHash: client?.secretHash,
      authenticationMethods: ['client_secret_basic', 'client_secret_post'],
      policy: {},
    })
    expect(secretMatches(new Secret(SECRET), client?.secretHash)).toBe(true)
    expect(JSON.stringify(client)).not.toContain(SECRET)
    expect(Object.isFrozen(client)).toBe(true)
  })

  it('keeps every member it was given, as a registry would', () => {
    const kept = {
      clientId: 'x'.repeat(255),
      secretHash: HASH,
      secretExpiresAt: 1_800_000_000,
      authenticationMethods: ['client_secret_post'],
      policy: { scopes: ['read'] },
      bindings: [BOUND_KEY, BOUND_CERTIFICATE],
      boundMethods: ['private_key_jwt'],
      metadata: { client_name: 'CI', grant_types: ['client_credentials'] },
      registeredBy: { clientId: 'a', keyId: 'b' },
      revision: 7,
    }
    expect(read(kept)).toEqual({ client: kept, faults: [] })
    expect(read(JSON.parse(JSON.stringify(kept))).faults).toEqual([])
  })

  it.each([{ use: 'enc' }, { key_ops: ['encrypt'] }, { alg: 'none' }])(
    'needs a key that can sign for private_key_jwt: case %#',
    (labels) => {
      const jwks = { keys: [{ ...publicJwk(publicKey), ...labels }] }
      expect(read({ clientId: 'ci', jwks }).faults).toEqual([
        'client.jwks: expected a public key for signatures, with a use, key_ops and alg that allow private_key_jwt, got an object',
      ])
      expect(read({ clientId: 'ci', jwks, bindings: [BOUND_KEY] }).faults).toEqual([])
      expect(faultsOf({ jwks, authenticationMethods: ['client_secret_basic'] })).toEqual([])
    },
  )

  it('needs no secret when it may not authenticate', () => {
    expect(read({ clientId: 'ci', authenticationMethods: [] })).toMatchObject({ faults: [] })
  })

  it('does not change with the object from which it was read', () => {
    const written = {
      clientId: 'ci',
      clientSecret: SECRET,
      authenticationMethods: ['client_secret_basic'],
      policy: { scopes: ['read'], networks: ['::1'] },
      metadata: { grant_types: ['client_credentials'] },
      bindings: [structuredClone(BOUND_CERTIFICATE)],
    }
    const { client } = read(written)
    written.policy.scopes.push('admin')
    written.policy.networks.pop()
    written.authenticationMethods.push('client_secret_post')
    written.metadata.grant_types.push('urn:x')
    written.bindings.pop()
    expect(client).toMatchObject({
      authenticationMethods: ['client_secret_basic'],
      policy: { scopes: ['read'], networks: ['::1'] },
      metadata: { grant_types: ['client_credentials'] },
      bindings: [BOUND_CERTIFICATE],
    })
  })

  it('has a policy that nobody can alter', () => {
    const { client } = read({ clientId: 'ci', clientSecret: SECRET, policy: { scopes: ['read'] } })
    expect([client?.policy, client?.policy?.scopes].every(Object.isFrozen)).toBe(true)
  })
})

describe('the options of a client', () => {
  it('do not offer the members that only a registry writes', () => {
    const written: ClientOptions[] = [
      // @ts-expect-error revision
      { clientId: 'ci', revision: 1 },
      // @ts-expect-error bindings
      { clientId: 'ci', bindings: [] },
      // @ts-expect-error deletedAt
      { clientId: 'ci', deletedAt: 1 },
    ]
    const kept: Client = { clientId: 'ci', revision: 1, authenticationMethods: [] }
    const lookup: ClientLookup = () => kept
    expect([written.length, lookup('ci')]).toEqual([3, kept])
  })
})

describe('a client is refused', () => {
  it.each([
    [undefined, 'undefined'],
    [null, 'null'],
    ['ci:my-secret', 'a string of 12 characters'],
    [['ci'], 'a list of 1'],
  ])('that is no object: %j', (value, got) => {
    expect(read(value)).toEqual({
      client: undefined,
      faults: [`client: expected an object with a clientId, got ${got}`],
    })
  })

  const ID = '1 to 255 printable ASCII characters'
  const LATER = 'a NumericDate: whole seconds since 1970, not milliseconds'
  const SHORT = 'at least 24 characters (generate one: openssl rand -hex 32)'
  const NO_HASH = 'the result of hashSecret()'
  const REVISION = 'a whole number from 1 on'
  const METADATA = 'client metadata (RFC 7591 2)'
  const METHOD = METHODS.replaceAll(', ', ' or ')
  const GRANTS = ['client_credentials', 'urn:ietf:params:oauth:grant-type:token-exchange']
  const REFUSED: [string, unknown, string, string][] = [
    ['clientId', undefined, ID, 'undefined'],
    ['clientId', '', ID, '""'],
    ['clientId', 7, ID, '7'],
    ['clientId', 'gerät', ID, '"gerät"'],
    ['clientId', 'a\n', ID, '"a\\n"'],
    ['clientId', 'x'.repeat(256), ID, 'a string of 256 characters'],
    ['clientSecret', '', SHORT, 'a string of 0 characters'],
    ['clientSecret', 'hunter2', SHORT, 'a string of 7 characters'],
    ['clientSecret', 'change-me-please', SHORT, 'a string of 16 characters'],
    ['clientSecret', 'x'.repeat(23), SHORT, 'a string of 23 characters'],
    ['clientSecret', ['hunter2-hunter2'], SHORT, 'a list of 1'],
    ['secretExpiresAt', '2020-01-01', LATER, '"2020-01-01"'],
    ['secretExpiresAt', 1_700_000_000_000, LATER, '1700000000000'],
    ['secretExpiresAt', 1.5, LATER, '1.5'],
    ['secretExpiresAt', Number.NaN, LATER, 'NaN'],
    ['secretExpiresAt', new Date(0), LATER, 'an object'],
    ['secretExpiresAt', null, LATER, 'null'],
    ['authenticationMethods', 'client_secret_basic', `a list of ${METHODS}`, '"client_secret_basic"'],
    ['authenticationMethods', null, `a list of ${METHODS}`, 'null'],
    ['revision', 0, REVISION, '0'],
    ['revision', '1', REVISION, '"1"'],
    ['bindings', {}, 'a list of at most 16 bindings', 'an object'],
    ['bindings', Array(17).fill(BOUND_KEY), 'a list of at most 16 bindings', 'a list of 17'],
    ['metadata', 'a', METADATA, '"a"'],
    ['registeredBy', 'ci', 'an object with clientId and keyId', '"ci"'],
  ]
  it.each(REFUSED)('whose %s is %j', (name, value, expected, got) => {
    expect(faultsOf({ [name]: value })).toEqual([`client.${name}: expected ${expected}, got ${got}`])
  })

  it.each<[object, string, string, string]>([
    [{ authenticationMethods: ['none'] }, 'authenticationMethods[0]', METHOD, '"none"'],
    [{ boundMethods: ['none'] }, 'boundMethods[0]', METHOD, '"none"'],
    [{ bindings: ['a'] }, 'bindings[0]', 'an object', '"a"'],
    [
      { metadata: { grant_types: 'implicit' } },
      'metadata.grant_types',
      `a list of ${GRANTS.join(', ')}`,
      '"implicit"',
    ],
    [
      { metadata: { grant_types: ['implicit'] } },
      'metadata.grant_types[0]',
      GRANTS.join(' or '),
      '"implicit"',
    ],
    [{ metadata: { jwks: {} } }, 'metadata.jwks', 'a JWK Set of 1 to 8 keys', 'an object'],
    [{ registeredBy: { clientId: 'a' } }, 'registeredBy.keyId', 'the jti of a provisioning key', 'undefined'],
    [
      { registration: { issuedAt: 1, scopes: [], tokens: [{ hash: 'hunter2', expiresAt: 1 }] } },
      'registration.tokens[0].hash',
      NO_HASH,
      'a string of 7 characters',
    ],
  ])('that has a faulty part: %j', (members, path, expected, got) => {
    expect(faultsOf(members)).toEqual([`client.${path}: expected ${expected}, got ${got}`])
  })

  it.each([SECRET, '', HASH.slice(1), HASH.toUpperCase(), `${HASH}\n`])(
    'whose secretHash is none',
    (secretHash) => {
      const got = `a string of ${secretHash.length} characters`
      expect(faultsOf({ clientSecret: undefined, secretHash })).toEqual([
        `client.secretHash: expected ${NO_HASH}, got ${got}`,
      ])
    },
  )

  it('whose clientSecret is the hash of its secret', () => {
    expect(faultsOf({ clientSecret: HASH })).toEqual([
      'client.clientSecret: expected the secret; its hash is a secretHash, got a result of hashSecret()',
    ])
  })

  it('that has a secret and a hash', () => {
    expect(faultsOf({ secretHash: HASH })).toEqual([
      'client.clientSecret: expected either a clientSecret or a secretHash, got both',
    ])
  })

  it('that has neither, though it is to authenticate', () => {
    for (const more of [{}, { authenticationMethods: ['client_secret_post'] }]) {
      expect(faultsOf({ clientSecret: undefined, ...more })).toEqual([
        'client.clientSecret: expected a clientSecret or a secretHash to authenticate with, got neither',
      ])
    }
  })

  it('that holds what no database could keep', () => {
    expect(faultsOf({ metadata: { client_name: () => 'a' } })).toEqual([
      'client: expected plain JSON, got something that cannot be copied',
    ])
  })

  it.each([
    ['client_id', 'clientId'],
    ['clientSecrets', 'clientSecret'],
    ['secretHashes', 'secretHash'],
    ['secret', 'clientSecret'],
    ['authenticationMethod', 'authenticationMethods'],
    ['scopes', 'policy.scopes'],
    ['description', undefined],
  ])('that has a member %s', (name, meant) => {
    const hint =
      meant === undefined
        ? /expected one of clientId, clientSecret, jwks, policy, .*got an unknown name$/
        : new RegExp(`expected a known option; did you mean ${meant}\\? got an unknown name$`)
    const [fault, ...others] = faultsOf({ [name]: 'my-very-own-secret' })
    expect([fault?.split(':')[0], others]).toEqual([`client.${name}`, []])
    expect(fault).toMatch(hint)
    expect(fault).not.toContain('my-very-own-secret')
  })

  it('for the faults of its policy too', () => {
    expect(faultsOf({ policy: { scopes: ['*'] } })).toEqual([
      'client.policy.scopes[0]: expected a scope token without a wildcard (RFC 6749 3.3), got "*"',
    ])
  })
})

describe('the bindings of a client', () => {
  const BINDING = '.bindings[0]'
  const CONFIRMATION = 'either a jkt or an x5t#S256, 43 characters of base64url'
  const OF_THE_JKT = 'the public key of which the jkt is the thumbprint'
  const other = generateKeyPairSync('ec', { namedCurve: 'P-256' })

  it.each<[object, string, string, string]>([
    [{ bindingId: '' }, `${BINDING}.bindingId`, 'an id', '""'],
    [{ bindingId: 'a b' }, `${BINDING}.bindingId`, 'an id', '"a b"'],
    [{ bindingId: 'x'.repeat(256) }, `${BINDING}.bindingId`, 'an id', 'a string of 256 characters'],
    [{ keyId: undefined }, `${BINDING}.keyId`, 'the jti of a provisioning key', 'undefined'],
    [
      { boundAt: 1_700_000_000_000 },
      `${BINDING}.boundAt`,
      'a NumericDate: whole seconds since 1970, not milliseconds',
      '1700000000000',
    ],
    [{ confirmation: undefined }, `${BINDING}.confirmation`, CONFIRMATION, 'undefined'],
    [{ confirmation: {} }, `${BINDING}.confirmation`, CONFIRMATION, 'an object'],
    [{ confirmation: { jkt: 'short' } }, `${BINDING}.confirmation`, CONFIRMATION, 'an object'],
    [{ confirmation: { kid: 'x'.repeat(43) } }, `${BINDING}.confirmation`, CONFIRMATION, 'an object'],
    [
      { confirmation: { ...BOUND_KEY.confirmation, ...BOUND_CERTIFICATE.confirmation } },
      `${BINDING}.confirmation`,
      CONFIRMATION,
      'an object',
    ],
    [{ jwk: undefined }, `${BINDING}.jwk`, OF_THE_JKT, 'undefined'],
    [{ jwk: publicJwk(other.publicKey) }, `${BINDING}.jwk`, OF_THE_JKT, 'an object'],
    [{ jwk: other.privateKey.export({ format: 'jwk' }) }, `${BINDING}.jwk`, OF_THE_JKT, 'an object'],
    [
      { confirmation: BOUND_CERTIFICATE.confirmation },
      `${BINDING}.jwk`,
      'none beside the x5t#S256 of a certificate',
      'an object',
    ],
  ])('are refused with %j', (changes, path, expected, got) => {
    expect(faultsOf({ bindings: [{ ...BOUND_KEY, ...changes }] })).toEqual([
      `client${path}: expected ${expected}, got ${got}`,
    ])
  })

  it('have names that are known, and ids of their own', () => {
    expect(faultsOf({ bindings: [{ ...BOUND_KEY, thumbprint: 'x' }] })).toHaveLength(1)
    expect(faultsOf({ bindings: [BOUND_KEY, { ...BOUND_CERTIFICATE, bindingId: 'a' }] })).toEqual([
      'client.bindings[1].bindingId: expected an id that no other has, got "a"',
    ])
  })

  it.each<[object[], string[]]>([
    [[BOUND_KEY], ['private_key_jwt']],
    [[BOUND_CERTIFICATE], ['self_signed_tls_client_auth']],
    [
      [BOUND_KEY, BOUND_CERTIFICATE],
      ['private_key_jwt', 'self_signed_tls_client_auth'],
    ],
  ])('are what a client without a secret authenticates by', (bindings, methods) => {
    expect(read({ clientId: 'ci', bindings })).toMatchObject({
      client: { authenticationMethods: methods },
      faults: [],
    })
  })

  it('are no credentials of another kind', () => {
    const wants = (authenticationMethods: string[], bindings: object[]) =>
      read({ clientId: 'ci', authenticationMethods, bindings }).faults.map((fault) => fault.split(':')[0])
    expect(wants(['private_key_jwt'], [BOUND_CERTIFICATE])).toEqual(['client.jwks'])
    expect(wants(['self_signed_tls_client_auth'], [BOUND_KEY])).toEqual(['client.metadata.jwks'])
  })
})
