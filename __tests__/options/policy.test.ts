import { faultsOf, parse } from './faults-of.js'

const SCOPE = 'a scope token without a wildcard (RFC 6749 3.3)'
const TOKEN_SCOPE = 'a scope token without a wildcard, but not provision:*'
const CLIENT_SCOPE = 'a scope token without a wildcard, but not provision:register'
const AUDIENCE = 'an absolute URI without fragment or wildcard (RFC 8707 2)'
const NETWORK = 'a network in CIDR notation'
const SUBJECT = 'a client id, or a prefix that ends in one of : / . _ - followed by *'

/** Without clients, so that their policies have no faults. */
const faultsOfPolicy = (policy: unknown) => faultsOf({ policy, clients: () => undefined })

describe('a policy', () => {
  it('of every option is accepted', () => {
    const policy = {
      scopes: ['read', 'write', 'a:b/c.d'],
      defaultScopes: ['read'],
      audiences: ['https://api.example.com'],
      lifetimeSeconds: 900,
      maxLifetimeSeconds: 3600,
      networks: ['10.0.0.0/8', '::1', '192.0.2.1'],
      subjects: ['gateway-1', 'device:*', 'a/b.c_*', 'x-*'],
      senderConstraint: 'dpop',
      rebinding: 'add',
      maxBindings: 16,
      confirmWithinSeconds: 86_400,
      outstandingKeys: 1_000_000,
      accessTokenScopes: ['read'],
      clientScopes: ['read', 'a:b/c.d'],
      accessTokenLifetimeSeconds: 3600,
    }
    expect(faultsOfPolicy(policy)).toEqual([])
  })

  it.each([undefined, {}, { scopes: undefined }, { scopes: [], subjects: [], defaultScopes: [] }])(
    'may say little: %j',
    (policy) => {
      expect(faultsOfPolicy(policy)).toEqual([])
    },
  )

  it.each([9, 86_401, 60.5, '60'])('waits for no confirmation within %j seconds', (confirmWithinSeconds) => {
    expect(faultsOfPolicy({ confirmWithinSeconds })).toEqual([
      `policy.confirmWithinSeconds: expected a whole number from 10 to 86400 seconds, got ${JSON.stringify(confirmWithinSeconds)}`,
    ])
  })

  it.each([
    [null, 'null'],
    ['read', '"read"'],
    [['read'], 'a list of 1'],
    [7, '7'],
  ])('is an object, not %j', (policy, got) => {
    expect(faultsOfPolicy(policy)).toEqual([`policy: expected an object, got ${got}`])
  })

  const LISTS: [string, string, string[]][] = [
    ['scopes', SCOPE, ['*', 'read:*', '', 'a b', 'a"b', 'a\\b', 'lesé', 'a\n']],
    ['accessTokenScopes', TOKEN_SCOPE, ['*', '', 'provision:token', 'provision:x']],
    ['clientScopes', CLIENT_SCOPE, ['*', '', 'provision:register']],
    ['networks', NETWORK, ['*', 'any', '10.0.0.0/33', '10.0.0.*', 'localhost', '']],
    [
      'subjects',
      SUBJECT,
      ['*', '**', '*:a', 'a*', 'device*', ':*', 'a::*', 'a:**', 'a:*:b', '', 'gerät', 'x'.repeat(256)],
    ],
  ]
  const entries = LISTS.flatMap(([name, expected, faulty]) =>
    faulty.map((entry) => [name, entry, expected] as const),
  )
  it.each(entries)('has among its %s no %j', (name, entry, expected) => {
    const got = entry.length > 80 ? `a string of ${entry.length} characters` : JSON.stringify(entry)
    expect(faultsOfPolicy({ [name]: [entry] })).toEqual([
      `policy.${name}[0]: expected ${expected}, got ${got}`,
    ])
  })

  it.each(['*', 'https://*.example.com', 'https://api.example.com#a', '/api', 'api.example.com'])(
    'has no audience %j',
    (audience) => {
      const [fault] = faultsOfPolicy({ audiences: [audience] })
      expect(fault).toBe(`policy.audiences[0]: expected ${AUDIENCE}, got "${audience}"`)
    },
  )

  it.each([1, null, undefined, {}, ['read']])('has in its lists no %j', (entry) => {
    const faults = faultsOfPolicy({ scopes: ['read', entry] })
    expect(faults).toHaveLength(1)
    expect(faults[0]).toMatch(/^policy\.scopes\[1\]: expected a scope token/)
  })

  it('lets nobody introspect by the policy of the deployment', () => {
    expect(faultsOfPolicy({ introspectAudiences: [] })).toEqual([
      'policy.introspectAudiences: expected it only in the policy of a client, got it for all clients',
    ])
  })

  it.each([
    'scopes',
    'defaultScopes',
    'audiences',
    'networks',
    'subjects',
    'accessTokenScopes',
    'clientScopes',
  ])('has a list of %s, not a text', (name) => {
    for (const value of ['read', null, { 0: 'read' }, new Set(['read'])]) {
      expect(faultsOfPolicy({ [name]: value })).toEqual([
        expect.stringMatching(new RegExp(`^policy\\.${name}: expected a list, each entry .+, got .+$`)),
      ])
    }
  })

  it.each(['networks', 'audiences'])(
    'has no empty list of %s, which could be taken for all or for nothing',
    (name) => {
      const [fault, ...others] = faultsOfPolicy({ [name]: [] })
      expect(fault).toMatch(
        new RegExp(`^policy\\.${name}: expected a list, each entry .+, got an empty list$`),
      )
      expect(others).toEqual([])
    },
  )

  const counts = [0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY, '300', 'forever', null, true, [300], 300n]
  const names = [
    'lifetimeSeconds',
    'maxLifetimeSeconds',
    'accessTokenLifetimeSeconds',
    'outstandingKeys',
  ] as const
  const COUNTS = names.flatMap((name) =>
    [...counts, name === 'outstandingKeys' ? 1_000_001 : 3601].map((n) => [name, n] as const),
  )
  it.each(COUNTS)('has no %s of %p', (name, count) => {
    const range = name === 'outstandingKeys' ? '1000000' : '3600 seconds'
    const [fault, ...others] = faultsOfPolicy({ [name]: count })
    expect(fault).toMatch(
      new RegExp(`^policy\\.${name}: expected a whole number from 1 to ${range}, got .+$`),
    )
    expect(others).toEqual([])
  })

  it('contradicts itself in nothing', () => {
    expect(faultsOfPolicy({ scopes: ['read'], defaultScopes: ['read', 'write', 'x'] })).toEqual([
      'policy.defaultScopes: expected only what policy.scopes allows, got "write", "x"',
    ])
    expect(faultsOfPolicy({ defaultScopes: ['read'] })).toHaveLength(1)
    expect(faultsOfPolicy({ scopes: ['read'], clientScopes: ['read', 'write'] })).toEqual([
      'policy.clientScopes: expected only what policy.scopes allows, got "write"',
    ])
    expect(faultsOfPolicy({ lifetimeSeconds: 301, maxLifetimeSeconds: 300 })).toEqual([
      'policy.lifetimeSeconds: expected at most maxLifetimeSeconds, which is 300, got 301',
    ])
    expect(faultsOfPolicy({ lifetimeSeconds: 901 })).toEqual([
      'policy.lifetimeSeconds: expected at most maxLifetimeSeconds, which is 900, got 901',
    ])
    expect(faultsOfPolicy({ audiences: ['https://elsewhere.example.com'] })).toEqual([
      expect.stringMatching(
        /^policy\.audiences: expected only what .* allows, got "https:\/\/elsewhere\.example\.com"$/,
      ),
    ])
  })

  it.each([
    ['scope', 'scopes'],
    ['default_scopes', 'defaultScopes'],
    ['maxLifetime', 'maxLifetimeSeconds'],
    ['tokenLifetime', undefined],
    ['lifetimeSecond', 'lifetimeSeconds'],
    ['network', 'networks'],
  ])('has no option %s', (name, meant) => {
    const [fault] = faultsOfPolicy({ [name]: ['read'] })
    expect(fault).toMatch(
      meant === undefined ? / expected one of scopes, / : new RegExp(`did you mean ${meant}\\?`),
    )
  })
})

describe('the scopes that are known beforehand', () => {
  it('are those of the deployment, in a frozen copy', () => {
    const scopes = ['read']
    const { knownScopes } = parse({ policy: { scopes }, clients: () => undefined })
    scopes.push('admin')
    expect(knownScopes).toEqual(['read'])
    expect(Object.isFrozen(knownScopes)).toBe(true)
  })
})
