import { generateKeyPairSync } from 'node:crypto'
import { parseOptions } from '../../lib/options/options.js'
import { workingOptions } from '../support/deployed.js'
import { faultsOf } from './faults-of.js'

const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const jwk = publicKey.export({ format: 'jwk' })
const issuer = 'https://authority.example.com'

const rulesOf = (registration: object) =>
  parseOptions(workingOptions({ registration })).deployment.registration

describe('registration', () => {
  it('is by these rules when nothing is said', () => {
    expect(parseOptions(workingOptions()).deployment.registration).toEqual({
      accessTokenLifetimeSeconds: 2_592_000,
      rotateAccessToken: false,
      overlapSeconds: 60,
      clientSecretLifetimeSeconds: 0,
      softwareStatements: new Map(),
      policies: new Map(),
    })
  })

  it.each([
    ['a PEM', { key: publicKey.export({ format: 'pem', type: 'spki' }) }],
    ['a JWK', { key: jwk }],
    ['a KeyObject', { key: publicKey }],
    ['a JWK Set', { jwks: { keys: [jwk] } }],
  ])('trusts the key of an issuer as %s', (_title, key) => {
    const { softwareStatements } = rulesOf({ softwareStatements: [{ issuer, ...key }] })
    const [only] = softwareStatements.get(issuer) ?? []
    expect(only?.key.equals(publicKey)).toBe(true)
  })

  it('trusts no key of a set that is for something else', () => {
    const other = generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey.export({ format: 'jwk' })
    const keys = [
      { ...other, use: 'enc' },
      { ...other, key_ops: ['deriveKey'] },
      { ...jwk, alg: 'ES256' },
    ]
    const { softwareStatements } = rulesOf({ softwareStatements: [{ issuer, jwks: { keys } }] })
    expect(softwareStatements.get(issuer)?.map(({ key, alg }) => [key.equals(publicKey), alg])).toEqual([
      [true, 'ES256'],
    ])
  })

  it('does not change with the object from which it was read', () => {
    const policies: Record<string, () => undefined> = { a: () => undefined }
    const { policies: kept } = rulesOf({ policies })
    policies.b = () => undefined
    expect([...kept.keys()]).toEqual(['a'])
  })

  const FAULTS: [string, object, string][] = [
    ['no object', 7 as never, 'registration: expected an object, got 7'],
    ['a name that is none', { rotateAccessTokens: true }, 'did you mean rotateAccessToken?'],
    [
      'a lifetime of 0',
      { accessTokenLifetimeSeconds: 0 },
      'expected a whole number from 60 to 315360000 seconds, got 0',
    ],
    [
      'an overlap of a day',
      { overlapSeconds: 86_400 },
      'expected a whole number from 0 to 3600 seconds, got 86400',
    ],
    [
      'a secret that ended',
      { clientSecretLifetimeSeconds: -1 },
      'expected a whole number from 0 to 315360000 seconds, got -1',
    ],
    [
      'rotation in words',
      { rotateAccessToken: 'yes' },
      'registration.rotateAccessToken: expected true or false, got "yes"',
    ],
    [
      'policies as a list',
      { policies: [] },
      'registration.policies: expected an object of functions, got an empty list',
    ],
    [
      'a policy that is no function',
      { policies: { a: 'b' } },
      'registration.policies.a: expected a function, got "b"',
    ],
    [
      'no list of issuers',
      { softwareStatements: {} },
      'expected a list of issuers with their keys, got an object',
    ],
    [
      'an issuer without a key',
      { softwareStatements: [{ issuer }] },
      'softwareStatements[0]: expected either key or jwks, got neither',
    ],
    [
      'an issuer with both',
      { softwareStatements: [{ issuer, key: jwk, jwks: { keys: [jwk] } }] },
      'expected either key or jwks, got both',
    ],
    [
      'an issuer twice',
      {
        softwareStatements: [
          { issuer, key: jwk },
          { issuer, key: jwk },
        ],
      },
      'softwareStatements[1].issuer: expected the iss of its statements, which no other issuer has',
    ],
    [
      'a private key',
      { softwareStatements: [{ issuer, key: privateKey }] },
      'softwareStatements[0].key: expected a public key',
    ],
    [
      'a private JWK',
      { softwareStatements: [{ issuer, key: privateKey.export({ format: 'jwk' }) }] },
      'expected a public key',
    ],
    [
      'a shared secret',
      {
        softwareStatements: [
          { issuer, key: { kty: 'oct', k: 'c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0' } },
        ],
      },
      'expected a public key',
    ],
    [
      'a private key in a set',
      { softwareStatements: [{ issuer, jwks: { keys: [{ ...jwk, d: 'AAAA' }] } }] },
      'jwks.keys[0]: expected a public key, got one that is refused: it holds private',
    ],
    [
      'an empty set',
      { softwareStatements: [{ issuer, jwks: { keys: [] } }] },
      'softwareStatements[0].jwks: expected a JWK Set with public keys',
    ],
    [
      'a set with keys for encryption alone',
      { softwareStatements: [{ issuer, jwks: { keys: [{ ...jwk, use: 'enc' }] } }] },
      'softwareStatements[0].jwks: expected a JWK Set with public keys for signatures',
    ],
    [
      'a set with a key and the alg of another',
      { softwareStatements: [{ issuer, jwks: { keys: [{ ...jwk, alg: 'ES384' }] } }] },
      'jwks.keys[0]: expected a public key, got one that is refused: its alg does not fit',
    ],
    [
      'a key with the alg of another',
      { softwareStatements: [{ issuer, key: { ...jwk, alg: 'RS256' } }] },
      'softwareStatements[0].key: expected a public key for signatures',
    ],
    [
      'a key for encryption',
      { softwareStatements: [{ issuer, key: { ...jwk, use: 'enc' } }] },
      'softwareStatements[0].key: expected a public key for signatures',
    ],
  ]
  it.each(FAULTS)('is refused with %s', (_title, registration, fault) => {
    const faults = faultsOf({ registration })
    expect(faults).toEqual([expect.stringContaining(fault)])
    expect(faults.join()).not.toMatch(/c2VjcmV0|PRIVATE/)
  })

  it('cannot require the impossible, nor unknown names', () => {
    const policy = { requireSoftwareStatement: true, registrationPolicies: ['a'] }
    expect(faultsOf({ policy: { ...workingOptions().policy, ...policy } })).toEqual([
      'policy.registrationPolicies: expected names of registration.policies, got "a"',
      'policy.requireSoftwareStatement: expected registration.softwareStatements with trusted issuers, got true',
    ])
  })

  it('is not made easier by a client than the deployment has it', () => {
    const options = workingOptions({
      registration: {
        softwareStatements: [{ issuer, key: jwk }],
        policies: { a: () => undefined, b: () => undefined },
      },
    })
    const policy = { ...options.policy, requireSoftwareStatement: true, registrationPolicies: ['a'] }
    const client = { clientId: 'ci', clientSecret: 'correct-horse-battery-staple' }
    const clients = [{ ...client, policy: { requireSoftwareStatement: false } }]
    expect(faultsOf({ ...options, policy, clients })).toEqual([
      'clients[0].policy.requireSoftwareStatement: expected true, as policy.requireSoftwareStatement says, got false',
    ])
    const { deployment } = parseOptions({ ...options, policy, clients: [client] })
    const own = {
      ...client,
      revision: 1,
      authenticationMethods: [],
      policy: { registrationPolicies: ['b'], requireSoftwareStatement: false },
    }
    expect(deployment.policyOf(own)).toMatchObject({
      registrationPolicies: ['a', 'b'],
      requireSoftwareStatement: true,
    })
  })
})
