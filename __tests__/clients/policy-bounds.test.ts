import fc from 'fast-check'
import { ProvisioningError } from '../../lib/base/errors.js'
import { inheritedPolicy, permitTerms } from '../../lib/clients/policy.js'
import { clientScopes, tokenScopes } from '../../lib/clients/scopes.js'
import { completePolicy } from '../../lib/options/narrowing.js'
import type { Policy } from '../../lib/ports/policy-options.js'

const SCOPES = ['read', 'write', 'admin', 'provision:token', 'provision:register', 'a']
const AUDIENCES = ['https://a.example', 'https://b.example/x', 'urn:c', 'https://d.example']
const SUBJECTS = ['gateway-1', 'device:*', 'a.b/*', 'runner_*']
const lifetime = fc.integer({ min: 100, max: 400 })

const policies: fc.Arbitrary<Policy> = fc
  .record({
    scopes: fc.subarray(SCOPES, { minLength: 3 }),
    audiences: fc.shuffledSubarray(AUDIENCES, { minLength: 3 }),
    lifetimes: fc.tuple(lifetime, lifetime),
    networks: fc.subarray(['10.0.0.0/8', '::1']),
    subjects: fc.subarray(SUBJECTS, { minLength: 2 }),
    introspectAudiences: fc.constant([]),
    // Lists for all clients of a deployment: they can contain scopes that this client does not have.
    accessTokenScopes: fc.option(fc.subarray(SCOPES), { nil: undefined }),
    clientScopes: fc.option(fc.subarray(SCOPES), { nil: undefined }),
  })
  .chain(({ scopes, lifetimes: [a, b], accessTokenScopes, clientScopes, ...rest }) =>
    fc.subarray(scopes).map((defaultScopes) => ({
      ...rest,
      scopes: new Set(scopes),
      defaultScopes,
      accessTokenScopes: accessTokenScopes && new Set(accessTokenScopes),
      clientScopes: clientScopes && new Set(clientScopes),
      lifetimeSeconds: Math.min(a, b),
      maxLifetimeSeconds: Math.max(a, b),
      senderConstraint: 'none' as const,
      rebinding: 'refuse' as const,
      maxBindings: 2,
      confirmWithinSeconds: undefined,
      onReplay: 'revoke' as const,
      registeredConstraints: [],
      registrationPolicies: [],
      requireSoftwareStatement: false,
      outstandingKeys: 1,
      accessTokenLifetimeSeconds: 600,
    })),
  )

/** Mostly values that some policy allows, sometimes any text. */
const orAnything = (likely: fc.Arbitrary<string>) =>
  fc.oneof({ weight: 9, arbitrary: likely }, { weight: 1, arbitrary: fc.string() })

const prefix = fc.constantFrom('gateway-1', 'device:', 'a.b/', 'runner_', 'ci', '')
const requests = fc
  .record(
    {
      scope: orAnything(
        fc.array(fc.constantFrom(...SCOPES, '*'), { minLength: 1, maxLength: 2 }).map((a) => a.join(' ')),
      ),
      resource: orAnything(fc.constantFrom(...AUDIENCES)),
      requested_expiry: orAnything(fc.integer({ min: -10, max: 500 }).map(String)),
      requested_subject: orAnything(
        fc.tuple(prefix, fc.constantFrom('', '7', '*', '-x', '..', '7 ', '7/x')).map((two) => two.join('')),
      ),
    },
    { requiredKeys: [] },
  )
  .map((asked) => new Map(Object.entries(asked)))

/** The granted terms, or `undefined` after a refusal. Any other error fails the test. */
function permitted(policy: Policy, asked: ReadonlyMap<string, string>) {
  try {
    return permitTerms({ clientId: 'ci', policy }, asked)
  } catch (error) {
    expect(error).toBeInstanceOf(ProvisioningError)
    return undefined
  }
}

function isAmong(subjects: readonly string[], subject: string): boolean {
  return subjects.some((pattern) => {
    const start = pattern.endsWith('*') ? pattern.slice(0, -1) : undefined
    if (start === undefined) return pattern === subject
    return subject.startsWith(start) && /^[\w.~-]*[\w~-][\w.~-]*$/.test(subject.slice(start.length))
  })
}

/** The least number of grants for which a property means something. */
const ENOUGH = 30

describe('a permission', () => {
  it('is never more than policy allows, whatever was asked for', () => {
    let granted = 0
    fc.assert(
      fc.property(policies, requests, (policy, asked) => {
        const terms = permitted(policy, asked)
        if (terms === undefined) return
        granted += 1
        const within = {
          scope: terms.scope.length > 0 && terms.scope.every((one) => policy.scopes.has(one)),
          audience: policy.audiences.includes(terms.audience),
          lifetime: terms.lifetimeSeconds >= 1 && terms.lifetimeSeconds <= policy.maxLifetimeSeconds,
          networks: terms.networks === policy.networks,
          subject: terms.subject === 'ci' || isAmong(policy.subjects, terms.subject),
        }
        expect(Object.values(within)).toEqual([true, true, true, true, true])
      }),
      { numRuns: 1000 },
    )
    expect(granted).toBeGreaterThan(ENOUGH)
  })

  it('is the request or the default, and never silently less', () => {
    let granted = 0
    fc.assert(
      fc.property(policies, requests, (policy, asked) => {
        const terms = permitted(policy, asked)
        if (terms === undefined) return
        granted += 1
        expect(terms).toEqual({
          scope: [...new Set(asked.get('scope')?.split(' ') ?? policy.defaultScopes)],
          audience: asked.get('resource') ?? policy.audiences[0],
          lifetimeSeconds: Number(asked.get('requested_expiry') ?? policy.lifetimeSeconds),
          networks: policy.networks,
          subject: asked.get('requested_subject') ?? 'ci',
        })
      }),
      { numRuns: 1000 },
    )
    expect(granted).toBeGreaterThan(ENOUGH)
  })

  it('is refused when every part is allowed but one', () => {
    fc.assert(
      fc.property(
        policies,
        requests,
        fc.constantFrom('scope', 'resource', 'requested_subject'),
        (policy, asked, name) => {
          expect(permitted(policy, new Map([...asked, [name, 'x-unknown:beyond']]))).toBeUndefined()
        },
      ),
    )
  })
})

describe('the scopes of a client that a key provisions', () => {
  const keyScopes = fc.subarray(SCOPES)

  it('are those of policy.clientScopes, or those of the key, within the scopes of the other client', () => {
    fc.assert(
      fc.property(policies, keyScopes, (policy, ofKey) => {
        const wanted = policy.clientScopes ?? new Set(ofKey)
        const expected = SCOPES.filter(
          (scope) => scope !== 'provision:register' && wanted.has(scope) && policy.scopes.has(scope),
        )
        expect([...clientScopes(policy, ofKey)].sort()).toEqual(expected.sort())
      }),
    )
  })

  it('bound the scopes of all clients that this client provisions itself', () => {
    fc.assert(
      fc.property(policies, keyScopes, keyScopes, (policy, ofKey, ofNextKey) => {
        const scopes = [...clientScopes(policy, ofKey)]
        const inherited = inheritedPolicy(policy, { scopes, audience: 'https://a.example' })
        const own = completePolicy(inherited, { audiences: AUDIENCES })
        expect(own.clientScopes).toEqual(policy.clientScopes)
        const ofGrandchild = [...clientScopes(own, ofNextKey)]
        expect(scopes).toEqual(expect.arrayContaining(ofGrandchild))
        if (policy.clientScopes !== undefined) expect(ofGrandchild.sort()).toEqual(scopes.sort())
      }),
    )
  })

  it('bound its access tokens, which never have provisioning scopes', () => {
    fc.assert(
      fc.property(policies, (policy) => {
        const allowed = policy.accessTokenScopes ?? policy.scopes
        const expected = ['a', 'admin', 'read', 'write'].filter(
          (scope) => allowed.has(scope) && policy.scopes.has(scope),
        )
        expect([...tokenScopes(policy)].sort()).toEqual(expected)
      }),
    )
  })
})
