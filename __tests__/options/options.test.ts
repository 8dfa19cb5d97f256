import { inspect } from 'node:util'
import { ConfigurationError } from '../../lib/base/errors.js'
import { parseOptions } from '../../lib/options/options.js'
import type { ProvisioningOptions } from '../../lib/options/provisioning-options.js'
import { memoryStore } from '../../lib/stores/memory/memory.js'
import { AUDIENCE, ISSUER, workingOptions } from '../support/deployed.js'
import { faultsOf, parse } from './faults-of.js'

describe('options', () => {
  it('have defaults for all but issuer, audience, signing keys and clients', () => {
    const { mountPath, realm, deployment, knownScopes, rateLimits } = parse({
      policy: undefined,
      clients: [],
    })
    expect({ mountPath, realm, knownScopes }).toEqual({
      mountPath: '/oauth',
      realm: 'auth.example.com',
      knownScopes: [],
    })
    expect(deployment).toMatchObject({
      issuer: ISSUER,
      environment: undefined,
      maxLifetimeSeconds: 900,
      clockToleranceSeconds: 5,
      registryWritable: true,
    })
    const clock = jest.spyOn(Date, 'now').mockReturnValue(1000)
    expect(deployment.now()).toBe(1000)
    clock.mockRestore()
    expect(rateLimits.of('token')).toEqual({ windowMs: 60_000, limit: 300 })
  })

  it('are parsed into a frozen value', () => {
    const config = parse()
    const { audiences, keyRing } = config.deployment
    expect(
      [config, config.deployment, config.rateLimits, audiences, keyRing.jwks()].every(Object.isFrozen),
    ).toBe(true)
  })

  it('count as they were when they were parsed, whatever becomes of them', () => {
    const audience = [AUDIENCE]
    const options = {
      ...workingOptions(),
      audience,
      environment: 'staging',
      mountPath: '/a',
      clockToleranceSeconds: 1,
    }
    const config = parseOptions({ ...options, clients: [] })
    audience.push('https://evil.example.com')
    Object.assign(options, { issuer: 'https://evil.example.com', environment: 'production', mountPath: '/b' })
    expect(config.deployment).toMatchObject({ issuer: ISSUER, audiences: [AUDIENCE], environment: 'staging' })
    expect(config.mountPath).toBe('/a')
  })

  it('give the memory store their own clock', async () => {
    const clock = { seconds: 1_000 }
    const { store } = parse({ now: () => clock.seconds * 1000 }).deployment
    const times = { issuedAt: 1_000, expiresAt: 1_010, retainUntil: 1_010 }
    const key = { clientId: 'a', jti: 'b', subject: 'c', scope: [], audience: 'd', ...times }
    expect(await store.record(key, { outstanding: 1 })).toBe('recorded')
    clock.seconds = 1_011
    expect(await store.find(key)).toBeUndefined()
  })

  it('share nothing between two instances', () => {
    const [one, other] = [parse(), parse()]
    expect(one.deployment.store).not.toBe(other.deployment.store)
    const told: string[] = []
    one.events.on('*', ({ type }) => told.push(type))
    other.deployment.emit('key.revoked', { keyId: 'a', clientId: 'b' })
    expect(told).toEqual([])
  })
})

describe('an option is accepted', () => {
  const ACCEPTED: [string, unknown[]][] = [
    [
      'issuer',
      [
        ...['https://auth.example.com', 'https://auth.example.com/', 'https://auth.example.com/tenant/a'],
        ...[
          'https://auth.example.com:8443',
          'https://[::1]',
          'https://127.0.0.1:3000',
          'https://xn--bcher-kva.example',
        ],
      ],
    ],
    ['audience', ['https://api.example.com/v1', 'urn:example:api', ['https://a.example', 'urn:b']]],
    ['store', [memoryStore(), { ...memoryStore(), close: () => undefined }]],
    ['mountPath', ['/oauth', '/a/b', '/v1.0', '/~me', '/a_b-c', '/..a', '/a..']],
    ['realm', ['things', 'a b', "it's"]],
    ['environment', ['production', 'eu-1.prod_2', 'x'.repeat(64)]],
    ['clockToleranceSeconds', [0, 60]],
    ['rateLimit', [false, {}, { token: false, bind: { limit: 1, windowMs: 1000, skip: () => false } }]],
    ['rateLimit', [{ redeem: { limit: () => 5 } }, { store: () => undefined }]],
    ['observer', [() => undefined, async () => undefined]],
    ['now', [() => 0, Date.now, () => 1_700_000_000_000.5]],
  ]
  it.each(
    ACCEPTED.flatMap(([name, values]) =>
      values.map((value) => [name, inspect(value).slice(0, 60), value] as const),
    ),
  )('%s %s', (name, _, value) => {
    const policy = { scopes: ['provision:token', 'devices:read'] }
    expect(faultsOf({ clients: [], policy, [name]: value })).toEqual([])
  })
})

describe('an option is refused', () => {
  it.each([
    ['isuer', 'issuer'],
    ['issuers', 'issuer'],
    ['signingKey', 'signingKeys'],
    ['mountpath', 'mountPath'],
    ['audiences', 'audience'],
    ['ratelimit', 'rateLimit'],
    ['client', 'clients'],
    ['clock_tolerance_seconds', 'clockToleranceSeconds'],
    ['scopes', 'policy.scopes'],
    ['lifetimeSeconds', 'policy.lifetimeSeconds'],
    ['subject', 'policy.subjects'],
    ['rules', 'monitoring.rules'],
    ['exempt', 'monitoring.exempt'],
  ])('when it is called %s, with the name that was meant: %s', (name, meant) => {
    expect(faultsOf({ [name]: 'a' })).toEqual([
      `${name}: expected a known option; did you mean ${meant}? got an unknown name`,
    ])
  })

  it('with all the names there are, when it is like none of them', () => {
    const [fault] = faultsOf({ tokenLifetime: 5 })
    expect(fault).toMatch(
      /^tokenLifetime: expected one of issuer, audience, .*, registration, staging, got an unknown name$/,
    )
    const [inner] = faultsOf({ rateLimit: { everything: 5 } })
    expect(inner).toBe(
      'rateLimit.everything: expected one of token, bind, bindings, register, introspect, revoke, leaked, redeem, store, timeoutSeconds, got an unknown name',
    )
  })

  it('with a limit for an endpoint that has another name', () => {
    expect(faultsOf({ rateLimit: { tokens: {}, token: { windowMS: 5 } } })).toEqual([
      'rateLimit.tokens: expected a known option; did you mean token? got an unknown name',
      'rateLimit.token.windowMS: expected a known option; did you mean windowMs? got an unknown name',
    ])
  })

  it.each([undefined, null, 'a', 7, []])('when there are no options: %j', (options) => {
    const act = () => parseOptions(options as unknown as ProvisioningOptions)
    expect(act).toThrow(ConfigurationError)
    expect(act).toThrow(
      /options: expected an object, got .*\n {2}- issuer: .*\n {2}- audience: .*\n {2}- signingKeys: /s,
    )
  })
})

describe('all faults of a configuration', () => {
  it('are reported together, each as path, expectation and value', () => {
    const faults = faultsOf({
      issuer: 'http://auth.example.com',
      audience: '*',
      signingKeys: { kty: 'oct', k: 'c2hvcnQ' },
      clients: [
        { clientId: 'ci', clientSecret: 'short', policy: { scopes: ['*'], lifetimeSeconds: 'forever' } },
      ],
      policy: { scopes: ['*'], maxLifetimeSeconds: 0 },
      store: {},
      mountPath: 'oauth',
      rateLimit: { token: { limit: 0 } },
      realm: '"',
      environment: '',
      clockToleranceSeconds: -1,
      observer: 'console',
      now: 0,
      color: 'red',
    })
    expect(faults.every((fault) => /^[\w.[\]]+: expected .+[,?] got .+$/.test(fault))).toBe(true)
    const paths = faults.map((fault) => fault.split(':')[0]).sort()
    expect(paths).toEqual(
      [
        ...[
          'issuer',
          'audience',
          'signingKeys[0]',
          'store',
          'mountPath',
          'realm',
          'environment',
          'observer',
          'now',
          'color',
        ],
        ...[
          'clients[0].clientSecret',
          'clients[0].policy.scopes[0]',
          'clients[0].policy.lifetimeSeconds',
          'rateLimit.token.limit',
        ],
        ...['policy.scopes[0]', 'policy.maxLifetimeSeconds', 'clockToleranceSeconds'],
      ].sort(),
    )
  })
})
