import { boundsOf, inheritedPolicy, memberBeyond } from '../../lib/clients/policy.js'
import { completePolicy } from '../../lib/options/narrowing.js'
import type { Policy, PolicyOptions } from '../../lib/ports/policy-options.js'

const AUDIENCE = 'https://api.example.com'
const DEPLOYMENT = { audiences: [AUDIENCE], maxLifetimeSeconds: 900 }
const OWN: PolicyOptions = {
  scopes: ['a', 'b'],
  audiences: [AUDIENCE],
  maxLifetimeSeconds: 120,
  networks: ['10.0.0.0/8'],
  subjects: ['device:*'],
  senderConstraint: 'dpop',
  maxBindings: 1,
  registrationPolicies: ['strict'],
  requireSoftwareStatement: true,
  outstandingKeys: 5,
  accessTokenLifetimeSeconds: 60,
}

/** The member in which a policy exceeds another one. */
function beyond(policy: PolicyOptions, other: PolicyOptions = OWN): keyof Policy | undefined {
  const outer = completePolicy(other, DEPLOYMENT)
  return memberBeyond(completePolicy(policy, DEPLOYMENT), completePolicy(policy, boundsOf(outer)), outer)
}

describe('a policy beside another one', () => {
  test('allows no more if it is the same, or inherited', () => {
    expect(beyond(OWN)).toBeUndefined()
    const outer = completePolicy(OWN, DEPLOYMENT)
    expect(beyond(inheritedPolicy(outer, { scopes: ['a'], audience: AUDIENCE }))).toBeUndefined()
  })

  test('allows no more if each member is stricter', () => {
    const strict = { ...OWN, scopes: ['a'], maxLifetimeSeconds: 60, networks: ['10.1.0.0/16'], subjects: [] }
    expect(
      beyond({ ...strict, outstandingKeys: 1, registrationPolicies: ['strict', 'more'] }),
    ).toBeUndefined()
  })

  test('allows no more with a longer time to confirm, which is no permission', () => {
    expect(beyond({ ...OWN, confirmWithinSeconds: 600 })).toBeUndefined()
  })

  test.each<[keyof Policy, PolicyOptions]>([
    ['scopes', { scopes: ['a', 'c'] }],
    ['maxLifetimeSeconds', { maxLifetimeSeconds: 121 }],
    ['networks', { networks: ['10.0.0.0/8', '192.0.2.0/24'] }],
    ['subjects', { subjects: ['gateway-1'] }],
    ['introspectAudiences', { introspectAudiences: [AUDIENCE] }],
    ['senderConstraint', { senderConstraint: 'none' }],
    ['rebinding', { rebinding: 'add' }],
    ['maxBindings', { maxBindings: 2 }],
    ['onReplay', { onReplay: 'flag' }],
    ['registrationPolicies', { registrationPolicies: [] }],
    ['requireSoftwareStatement', { requireSoftwareStatement: false }],
    ['outstandingKeys', { outstandingKeys: 6 }],
    ['accessTokenScopes', { accessTokenScopes: ['a', 'b', 'c'] }],
    ['clientScopes', { clientScopes: ['a', 'b', 'c'] }],
    ['accessTokenLifetimeSeconds', { accessTokenLifetimeSeconds: 61 }],
  ])('allows more by its %s', (name, change) => {
    expect(beyond({ ...OWN, ...change })).toBe(name)
  })

  test.each(['accessTokenScopes', 'clientScopes'] as const)('allows more by its %s', (name) => {
    const narrow = { ...OWN, [name]: ['a'] }
    expect(beyond({ ...OWN, [name]: ['a', 'b'] }, narrow)).toBe(name)
    expect(beyond(OWN, narrow)).toBe(name)
    expect(beyond({ ...narrow, scopes: ['a'] }, narrow)).toBeUndefined()
  })

  test('allows no more by scopes that neither a token nor a new client gets', () => {
    const wide = { ...OWN, scopes: ['a', 'provision:register'] }
    expect(beyond(wide, { ...wide, accessTokenScopes: ['a'], clientScopes: ['a'] })).toBeUndefined()
  })

  test('allows more without networks of its own', () => {
    const { networks: _, ...anywhere } = OWN
    expect(beyond(anywhere)).toBe('networks')
  })
})

test.each(['dpop', 'mtls'] as const)(
  'a client that wants only keys bound by %s passes this on',
  (constraint) => {
    const bound = completePolicy({ ...OWN, senderConstraint: 'none' }, DEPLOYMENT, [constraint])
    expect(inheritedPolicy(bound, { scopes: ['a'], audience: AUDIENCE })).toMatchObject({
      senderConstraint: constraint,
    })
  },
)
