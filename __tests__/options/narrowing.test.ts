import fc from 'fast-check'
import { completePolicy, policyCompleter } from '../../lib/options/narrowing.js'
import type { Client } from '../../lib/ports/client.js'
import type { Policy } from '../../lib/ports/policy-options.js'
import {
  type PolicyOptions,
  REBINDINGS,
  REPLAY_CONTAINMENTS,
  type Rebinding,
} from '../../lib/ports/policy-options.js'
import { faultsOf, parse } from './faults-of.js'

const AUDIENCES = ['https://api.example.com', 'https://other.example.com/things']
const client = (policy: unknown) => [{ clientId: 'ci', clientSecret: 'correct-horse-battery-staple', policy }]

/** The faults of a client's policy under the deployment's. */
const faultsUnder = (policy: unknown, own: unknown) => faultsOf({ policy, clients: client(own) })

/** The policy of a client from a lookup function, which nobody could check at construction. */
async function policyUnder(policy: unknown, own: unknown): Promise<Policy> {
  const [found] = client(own)
  const { deployment } = parse({ policy, clients: () => found })
  return deployment.policyOf((await deployment.registry.find('ci')) as Client)
}

const WIDER: [keyof PolicyOptions, unknown, unknown, string, unknown][] = [
  ['scopes', ['read'], ['read', 'admin'], 'only what policy.scopes allows, got "admin"', new Set(['read'])],
  [
    'audiences',
    AUDIENCES.slice(0, 1),
    AUDIENCES,
    'only what policy.audiences allows, got "https://other.example.com/things"',
    AUDIENCES.slice(0, 1),
  ],
  ['networks', ['10.0.0.0/8'], ['0.0.0.0/0'], 'only what policy.networks allows, got "0.0.0.0/0"', []],
  [
    'networks',
    ['10.0.0.0/8'],
    ['10.0.0.0/7', '10.1.0.0/16'],
    'only what policy.networks allows, got "10.0.0.0/7"',
    ['10.1.0.0/16'],
  ],
  ['subjects', ['a:*'], ['b:*', 'a:1'], 'only what policy.subjects allows, got "b:*"', ['a:1']],
  [
    'subjects',
    ['a:*'],
    ['a:b-*', 'a:b:*', 'a:../x'],
    'only what policy.subjects allows, got "a:b:*", "a:../x"',
    ['a:b-*'],
  ],
  ['subjects', [], ['b:*'], 'only what policy.subjects allows, got "b:*"', []],
  [
    'accessTokenScopes',
    ['read'],
    ['admin'],
    'only what policy.accessTokenScopes allows, got "admin"',
    new Set(),
  ],
  ['clientScopes', ['read'], ['write'], 'only what policy.clientScopes allows, got "write"', new Set()],
  ['maxLifetimeSeconds', 60, 61, 'at most 60, as policy.maxLifetimeSeconds says, got 61', 60],
  ['maxLifetimeSeconds', undefined, 901, 'at most 900, as policy.maxLifetimeSeconds says, got 901', 900],
  ['senderConstraint', 'dpop', 'none', "dpop, as policy.senderConstraint says, got 'none'", 'dpop'],
  ['rebinding', 'refuse', 'add', "refuse, as policy.rebinding says, got 'add'", 'refuse'],
  ['rebinding', 'add', 'replace', "add or refuse, as policy.rebinding says, got 'replace'", 'refuse'],
  ['rebinding', 'replace', 'add', "replace or refuse, as policy.rebinding says, got 'add'", 'refuse'],
  ['maxBindings', 2, 3, 'at most 2, as policy.maxBindings says, got 3', 2],
  ['confirmWithinSeconds', 60, 61, 'at most 60, as policy.confirmWithinSeconds says, got 61', 60],
  ['outstandingKeys', 2, 1000, 'at most 2, as policy.outstandingKeys says, got 1000', 2],
  [
    'accessTokenLifetimeSeconds',
    60,
    3600,
    'at most 60, as policy.accessTokenLifetimeSeconds says, got 3600',
    60,
  ],
]

describe("a client's policy", () => {
  it.each(WIDER)('has no %s beyond those of the deployment: case %#', (name, outer, own, fault) => {
    const policy = { scopes: ['read'], [name]: outer }
    expect(faultsUnder(policy, { [name]: own })).toContain(`clients[0].policy.${name}: expected ${fault}`)
  })

  it.each(WIDER)('gets no %s beyond those of the deployment after a look-up: case %#', async (...row) => {
    const [name, outer, own, , narrowed] = row
    expect((await policyUnder({ scopes: ['read'], [name]: outer }, { [name]: own }))[name]).toEqual(narrowed)
  })

  it('may not live longer than its own cap, and its defaults must be allowed', () => {
    const policy = { scopes: ['read', 'write'] }
    const own = { scopes: ['read'], defaultScopes: ['write'], maxLifetimeSeconds: 60, lifetimeSeconds: 61 }
    expect(faultsUnder(policy, own)).toEqual([
      'clients[0].policy.defaultScopes: expected only what clients[0].policy.scopes allows, got "write"',
      'clients[0].policy.lifetimeSeconds: expected at most maxLifetimeSeconds, which is 60, got 61',
    ])
  })

  it('gives its clients no scope beyond its own', () => {
    const policy = { scopes: ['read', 'write'], clientScopes: ['read', 'write'] }
    expect(faultsUnder(policy, { scopes: ['read'], clientScopes: ['read', 'write'] })).toEqual([
      'clients[0].policy.clientScopes: expected only what clients[0].policy.scopes allows, got "write"',
    ])
    // The list of the deployment is for all clients, so a client with fewer scopes is no fault.
    expect(faultsUnder(policy, { scopes: ['read'] })).toEqual([])
  })

  it('names its scopes where the deployment names none', () => {
    expect(faultsUnder(undefined, {})).toEqual([
      "clients[0].policy.scopes: expected the scopes that the client may ask for, here or for all clients, such as policy: { scopes: ['devices:create'] }, got undefined",
    ])
    // The fault in a policy is the cause.
    expect(faultsUnder({ scope: ['read'] } as never, {})).toEqual([
      'policy.scope: expected a known option; did you mean scopes? got an unknown name',
    ])
    expect(faultsUnder(undefined, { scopes: 'read' } as never)).toEqual([
      'clients[0].policy.scopes: expected a list, each entry a scope token without a wildcard (RFC 6749 3.3), got "read"',
    ])
    expect(faultsUnder(undefined, { scopes: ['read'] })).toEqual([])
  })

  it('is that of the deployment where it says nothing, and the defaults where neither does', async () => {
    const policy = {
      scopes: ['read', 'write'],
      defaultScopes: ['read'],
      networks: ['::1'],
      subjects: ['a'],
      outstandingKeys: 5,
    }
    expect(await policyUnder(policy, {})).toEqual({
      scopes: new Set(['read', 'write']),
      defaultScopes: ['read'],
      audiences: AUDIENCES,
      lifetimeSeconds: 300,
      maxLifetimeSeconds: 900,
      networks: ['::1'],
      subjects: ['a'],
      introspectAudiences: [],
      senderConstraint: 'none',
      rebinding: 'refuse',
      maxBindings: 2,
      onReplay: 'revoke',
      registeredConstraints: [],
      registrationPolicies: [],
      requireSoftwareStatement: false,
      outstandingKeys: 5,
      accessTokenScopes: undefined,
      clientScopes: undefined,
      accessTokenLifetimeSeconds: 600,
    })
    expect(await policyUnder({}, { scopes: ['read'] })).toMatchObject({
      defaultScopes: [],
      networks: undefined,
      subjects: [],
      senderConstraint: 'none',
      outstandingKeys: 1000,
    })
  })

  it.each<[Rebinding | undefined, Rebinding | undefined, Rebinding]>([
    [undefined, undefined, 'refuse'],
    [undefined, 'add', 'add'],
    [undefined, 'replace', 'replace'],
    ['add', undefined, 'add'],
    ['add', 'add', 'add'],
    ['add', 'refuse', 'refuse'],
    ['replace', 'refuse', 'refuse'],
    ['refuse', 'refuse', 'refuse'],
  ])('binds again as %s within %s: %s', async (outer, own, expected) => {
    const [policy, mine] = [outer, own].map((rebinding) => (rebinding ? { rebinding } : {}))
    expect(faultsUnder({ scopes: ['read'], ...policy }, mine)).toEqual([])
    expect(await policyUnder({ scopes: ['read'], ...policy }, mine)).toMatchObject({ rebinding: expected })
  })

  it.each([
    [undefined, 600, 600],
    [600, undefined, 600],
    [600, 60, 60],
  ])('confirms within %s and %s seconds in %s', async (outer, own, expected) => {
    const [policy, mine] = [outer, own].map((seconds) => (seconds ? { confirmWithinSeconds: seconds } : {}))
    expect(await policyUnder({ scopes: ['read'], ...policy }, mine)).toMatchObject({
      confirmWithinSeconds: expected,
    })
  })

  it('has more keys than the default where the deployment does not say how many', async () => {
    expect(await policyUnder({ scopes: ['read'] }, { maxBindings: 16 })).toMatchObject({ maxBindings: 16 })
  })

  it('has audiences to introspect of its own alone, and only those of the deployment', async () => {
    const introspectAudiences = [AUDIENCES[0] ?? '', 'https://elsewhere.example.com']
    const fault = 'clients[0].policy.introspectAudiences: expected only what policy.audiences allows, got '
    expect(faultsUnder({}, { scopes: [], introspectAudiences })).toEqual([
      `${fault}"https://elsewhere.example.com"`,
    ])
    expect(await policyUnder({}, { scopes: [], introspectAudiences })).toMatchObject({
      introspectAudiences: AUDIENCES.slice(0, 1),
    })
    const deployments = { introspectAudiences: AUDIENCES, audiences: AUDIENCES }
    expect(completePolicy({}, deployments)).toMatchObject({ introspectAudiences: [] })
  })

  it('has the default lifetime of the deployment cut down to its own cap', async () => {
    expect(
      await policyUnder({ scopes: ['read'], lifetimeSeconds: 300 }, { maxLifetimeSeconds: 60 }),
    ).toMatchObject({
      lifetimeSeconds: 60,
      maxLifetimeSeconds: 60,
    })
  })

  it('has only those default scopes of the deployment that it may have', async () => {
    const policy = { scopes: ['read', 'write'], defaultScopes: ['read', 'write'] }
    expect(await policyUnder(policy, { scopes: ['write'] })).toMatchObject({ defaultScopes: ['write'] })
  })
})

describe('the policy of a client is narrowed', () => {
  const BOUNDS = { audiences: AUDIENCES, scopes: ['read'] }

  /** A client that counts the reads of its policy. */
  function counting() {
    const reads = { count: 0 }
    const client: Client = {
      clientId: 'ci',
      revision: 1,
      authenticationMethods: [],
      get policy() {
        reads.count += 1
        return { scopes: ['read', 'admin'] }
      },
    }
    return { reads, client }
  }

  it('once when the deployment is made, if the client is listed', () => {
    const { reads, client } = counting()
    const policyOf = policyCompleter(BOUNDS, [{ client }])
    expect(reads.count).toBe(1)
    expect([policyOf(client), policyOf(client)].map(({ scopes }) => [...scopes])).toEqual([
      ['read'],
      ['read'],
    ])
    expect(reads.count).toBe(1)
  })

  it('once for each look-up, if the client is looked up', () => {
    const [first, second] = [counting(), counting()]
    const policyOf = policyCompleter(BOUNDS, [])
    expect(first.reads.count).toBe(0)
    for (const { client } of [first, first, second, second, first]) policyOf(client)
    expect([first.reads.count, second.reads.count]).toEqual([1, 1])
  })

  it('again by narrower bounds, which are not kept', () => {
    const { reads, client } = counting()
    const policyOf = policyCompleter(BOUNDS, [{ client }])
    expect(policyOf(client, { ...BOUNDS, scopes: [] }).scopes).toEqual(new Set())
    expect(policyOf(client).scopes).toEqual(new Set(['read']))
    expect(reads.count).toBe(2)
  })

  it('once in a deployment, for all requests of a listed client', async () => {
    const { deployment } = parse({ clients: client({ scopes: [] }) })
    const found = () => deployment.registry.find('ci') as Promise<Client>
    expect(deployment.policyOf(await found())).toBe(deployment.policyOf(await found()))
  })

  it('once in a deployment, for all uses of one look-up', async () => {
    const [given] = client({ scopes: [] })
    const { deployment } = parse({ clients: () => given })
    const [first, second] = (await Promise.all([1, 2].map(() => deployment.registry.find('ci')))) as Client[]
    if (first === undefined || second === undefined) throw new Error('expected two clients')
    expect(deployment.policyOf(first)).toBe(deployment.policyOf(first))
    expect(deployment.policyOf(second)).not.toBe(deployment.policyOf(first))
  })
})

describe('completePolicy', () => {
  const scopes = fc.subarray(['a', 'b', 'c'])
  const seconds = fc.integer({ min: 1, max: 3600 })
  const options: fc.Arbitrary<PolicyOptions> = fc.record(
    {
      scopes,
      defaultScopes: scopes,
      audiences: fc.subarray([...AUDIENCES, 'urn:c'], { minLength: 1 }),
      lifetimeSeconds: seconds,
      maxLifetimeSeconds: seconds,
      networks: fc.subarray(['10.0.0.0/8', '10.1.0.0/16', '::/0'], { minLength: 1 }),
      subjects: fc.subarray(['a', 'a:*', 'a:b:*', 'c:*']),
      rebinding: fc.constantFrom(...REBINDINGS),
      maxBindings: fc.integer({ min: 1, max: 16 }),
      onReplay: fc.constantFrom(...REPLAY_CONTAINMENTS),
      outstandingKeys: fc.integer({ min: 1, max: 50 }),
      accessTokenScopes: scopes,
      accessTokenLifetimeSeconds: seconds,
    },
    { requiredKeys: [] },
  )

  it('answers nothing that the outer policy does not allow, and nothing that contradicts itself', () => {
    fc.assert(
      fc.property(options, options, (own, outer) => {
        const bounds = { ...outer, audiences: outer.audiences ?? AUDIENCES }
        const policy = completePolicy(own, bounds)
        const subset = (inner: Iterable<string>, of: readonly string[] | undefined) =>
          of === undefined || [...inner].every((one) => of.includes(one))
        const held = {
          scopes: subset(policy.scopes, outer.scopes),
          defaultScopes: policy.defaultScopes.every((scope) => policy.scopes.has(scope)),
          audiences: subset(policy.audiences, bounds.audiences),
          maxLifetime: policy.maxLifetimeSeconds <= (outer.maxLifetimeSeconds ?? 900),
          lifetime: policy.lifetimeSeconds <= policy.maxLifetimeSeconds,
          networks: outer.networks === undefined || policy.networks !== undefined,
          rebinding: ['refuse', outer.rebinding ?? policy.rebinding].includes(policy.rebinding),
          containment: outer.onReplay !== 'revoke' || policy.onReplay === 'revoke',
          bindings: policy.maxBindings <= (outer.maxBindings ?? 16),
          outstanding: policy.outstandingKeys <= (outer.outstandingKeys ?? 50_000),
          tokens:
            outer.accessTokenScopes === undefined ||
            subset(policy.accessTokenScopes ?? ['?'], outer.accessTokenScopes),
          tokenLifetime: policy.accessTokenLifetimeSeconds <= (outer.accessTokenLifetimeSeconds ?? 3600),
        }
        expect(Object.entries(held).filter(([, holds]) => !holds)).toEqual([])
      }),
      { numRuns: 500 },
    )
  })
})
