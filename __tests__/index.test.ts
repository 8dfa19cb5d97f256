import * as library from '../lib/index.js'
import { AUDIENCE, workingOptions } from './support/deployed.js'

describe('the library', () => {
  it('exports exactly the documented names', () => {
    expect(Object.keys(library).sort()).toEqual([
      'ConfigurationError',
      'ProvisioningError',
      'generateSigningKeys',
      'getAccessToken',
      'getProvisioning',
      'hashSecret',
      'memoryStore',
      'provisioningKeyVerifier',
      'provisioningKeys',
    ])
  })

  it('throws its own errors, so that they can be told apart', () => {
    expect(() => library.provisioningKeys({} as library.ProvisioningOptions)).toThrow(
      library.ConfigurationError,
    )
    expect(() => library.hashSecret('short')).toThrow(library.ConfigurationError)
  })
})

describe('provisioningKeys', () => {
  const make = () => library.provisioningKeys({ ...workingOptions(), rateLimit: false })

  it('answers the middlewares of one deployment, frozen', () => {
    const keys = make()
    expect(Object.keys(keys).sort()).toEqual(
      [
        ...[
          'issuance',
          'leakReports',
          'redemption',
          'bindings',
          'introspection',
          'revocation',
          'jwks',
          'metadata',
          'router',
        ],
        ...[
          'requireProvisioningKey',
          'redeemProvisioningKey',
          'requireAccessToken',
          'enforceHttps',
          'securityHeaders',
          'errorHandler',
          'administration',
        ],
        ...[
          'on',
          'droppedEvents',
          ...['findings', 'closeFinding', 'lockClient', 'unlockClient', 'locks', 'lastUses', 'unusedClients'],
          'revokeAllIssuedBefore',
          'listBindings',
          'revokeBinding',
          'deleteClient',
          'revokeFamily',
          'revokeKey',
        ],
        ...['addSigningKey', 'rotateSigningKey', 'removeSigningKey'],
        ...['readiness', 'isReady', 'drain', 'finish'],
      ].sort(),
    )
    expect(Object.isFrozen(keys)).toBe(true)
    expect(Object.values(keys).every((member) => typeof member === 'function')).toBe(true)
  })

  it('makes middlewares that Express can mount: of three parameters, and of four to handle errors', () => {
    const keys = make()
    const guards = [
      keys.requireProvisioningKey({ anyScope: true, audience: AUDIENCE }),
      keys.redeemProvisioningKey({ anyScope: true, audience: AUDIENCE }),
      keys.requireAccessToken({ anyScope: true, audience: AUDIENCE }),
      keys.enforceHttps(),
      keys.securityHeaders(),
      keys.readiness(),
    ]
    expect(guards.map(({ length }) => length)).toEqual([3, 3, 3, 3, 3, 3])
    expect(keys.errorHandler()).toHaveLength(4)
  })

  it('names its middlewares for the stack trace', () => {
    const keys = make()
    const names = [
      keys.requireProvisioningKey({ anyScope: true, audience: AUDIENCE }),
      keys.redeemProvisioningKey({ anyScope: true, audience: AUDIENCE }),
      keys.requireAccessToken({ anyScope: true, audience: AUDIENCE }),
      keys.enforceHttps(),
      keys.errorHandler(),
    ].map(({ name }) => name)
    expect(names.every((name) => name.length > 3)).toBe(true)
    expect(new Set(names).size).toBe(names.length)
  })

  it('makes the members usable apart from the instance', () => {
    const { on, router, requireProvisioningKey, jwks } = make()
    const end = on('*', () => undefined)
    end()
    expect(
      [router(), jwks(), requireProvisioningKey({ anyScope: true, audience: AUDIENCE })].every(
        (made) => typeof made === 'function',
      ),
    ).toBe(true)
  })

  it.each([
    { scope: 'a b', audience: AUDIENCE },
    { scope: '*"', audience: AUDIENCE },
    { audience: 'https://elsewhere.example.com' },
    { audience: AUDIENCE, scopes: ['a'] },
    {},
  ])('checks the options of a guard when it is made: case %#', (wanted) => {
    const keys = make()
    expect(() => keys.requireProvisioningKey(wanted as library.GuardOptions)).toThrow(
      library.ConfigurationError,
    )
    expect(() => keys.redeemProvisioningKey(wanted as library.GuardOptions)).toThrow(
      library.ConfigurationError,
    )
    expect(() => keys.requireAccessToken(wanted as library.GuardOptions)).toThrow(library.ConfigurationError)
  })

  it('names its guards as they are called', () => {
    const keys = make()
    for (const name of ['requireProvisioningKey', 'redeemProvisioningKey', 'requireAccessToken'] as const)
      expect(keys[name]({ anyScope: true, audience: AUDIENCE }).name).toBe(name)
  })

  it('guards nothing with access tokens that it does not mint', () => {
    const issueAccessToken = () => ({ accessToken: 'a', expiresIn: 1 })
    const keys = library.provisioningKeys({ ...workingOptions(), issueAccessToken })
    expect(() => keys.requireAccessToken({ anyScope: true, audience: AUDIENCE })).toThrow(
      /^requireAccessToken: expected a deployment that mints access tokens itself.*got one with issueAccessToken$/,
    )
  })

  it('revokes a key by its names, and tells of it', async () => {
    const store = library.memoryStore()
    const keys = library.provisioningKeys({ ...workingOptions(), store })
    const told: library.ProvisioningEvent[] = []
    keys.on('key.revoked', (event) => told.push(event))
    const until = Math.floor(Date.now() / 1000) + 60
    const times = { issuedAt: until - 60, expiresAt: until, retainUntil: until }
    const key = { clientId: 'ci-runner', jti: 'a', subject: 'b', scope: ['c'], audience: AUDIENCE, ...times }
    const name = { clientId: 'ci-runner', keyId: 'a' }
    await store.record(key, { outstanding: 1 })
    expect([await keys.revokeKey(name), await keys.revokeKey(name)]).toEqual(['revoked', 'unchanged'])
    expect(await keys.revokeKey({ clientId: 'ci-runner', keyId: 'unknown' })).toBe('unknown')
    expect(told).toMatchObject([{ type: 'key.revoked', keyId: 'a', clientId: 'ci-runner' }])
  })

  it('refuses to revoke while the store does not answer, with an error of its own', async () => {
    const store = { ...library.memoryStore(), revoke: () => Promise.reject(new Error('down')) }
    const keys = library.provisioningKeys({ ...workingOptions(), store })
    await expect(keys.revokeKey({ clientId: 'a', keyId: 'b' })).rejects.toBeInstanceOf(
      library.ProvisioningError,
    )
  })
})
