import fc from 'fast-check'
import type { Reason } from '../../lib/base/errors.js'
import {
  inheritedPolicy,
  isAudience,
  isSubjectWithin,
  permitAudience,
  permitTerms,
} from '../../lib/clients/policy.js'
import { parseScope } from '../../lib/clients/scopes.js'
import type { Policy } from '../../lib/ports/policy-options.js'
import { parameters, reasonOf, refusalOf } from '../support/deployed.js'

const POLICY: Policy = {
  scopes: new Set(['read', 'write']),
  defaultScopes: ['read'],
  audiences: ['https://api.example.com', 'urn:example:other'],
  lifetimeSeconds: 300,
  maxLifetimeSeconds: 900,
  networks: ['10.0.0.0/8'],
  subjects: ['gateway-1', 'device:*'],
  introspectAudiences: [],
  senderConstraint: 'none',
  rebinding: 'refuse' as const,
  maxBindings: 2,
  confirmWithinSeconds: undefined,
  onReplay: 'revoke' as const,
  registeredConstraints: [],
  registrationPolicies: [],
  requireSoftwareStatement: false,
  outstandingKeys: 10,
  accessTokenScopes: undefined,
  clientScopes: undefined,
  accessTokenLifetimeSeconds: 600,
}

describe('inheritedPolicy', () => {
  it('lets nobody speak for others, or ask about others, who came into being by a key', () => {
    const policy = { ...POLICY, introspectAudiences: ['https://api.example.com'] }
    const own = { scopes: ['read'], audience: 'https://api.example.com' }
    expect(inheritedPolicy(policy, own)).toMatchObject({ subjects: [], introspectAudiences: [] })
  })
})

describe('permit', () => {
  it('grants what policy says to a request that asks for nothing', () => {
    expect(permitTerms({ clientId: 'ci', policy: POLICY }, parameters())).toEqual({
      subject: 'ci',
      scope: ['read'],
      audience: 'https://api.example.com',
      lifetimeSeconds: 300,
      networks: ['10.0.0.0/8'],
    })
  })

  it('grants a request within the policy', () => {
    const asked = {
      scope: 'write read',
      resource: 'urn:example:other',
      requested_expiry: '900',
      requested_subject: 'device:7',
    }
    expect(permitTerms({ clientId: 'ci', policy: POLICY }, parameters(asked))).toEqual({
      subject: 'device:7',
      scope: ['write', 'read'],
      audience: 'urn:example:other',
      lifetimeSeconds: 900,
      networks: ['10.0.0.0/8'],
    })
  })

  it('grants a scope that is asked for twice once', () => {
    expect(
      permitTerms({ clientId: 'ci', policy: POLICY }, parameters({ scope: 'read write read' })).scope,
    ).toEqual(['read', 'write'])
  })

  it.each(['ci', 'gateway-1', 'device:7', 'device:aZ09-._~', 'device:..7', 'device:-', 'device:~'])(
    'lets a client ask for itself and for the subjects of its policy: %s',
    (requested) => {
      expect(
        permitTerms({ clientId: 'ci', policy: POLICY }, parameters({ requested_subject: requested })).subject,
      ).toBe(requested)
    },
  )

  const REFUSED: [string, string, Reason, boolean][] = [
    ['scope', 'admin', 'scope_not_permitted', false],
    ['scope', 'read admin', 'scope_not_permitted', false],
    ['scope', 'READ', 'scope_not_permitted', false],
    ['scope', '*', 'scope_not_permitted', false],
    ['scope', 'rea', 'scope_not_permitted', false],
    ['scope', '', 'scope_malformed', true],
    ['scope', ' read', 'scope_malformed', true],
    ['scope', 'read  write', 'scope_malformed', true],
    ['scope', 'read\twrite', 'scope_malformed', true],
    ['scope', 'read\n', 'scope_malformed', true],
    ['scope', 'r"ead', 'scope_malformed', true],
    ['scope', 'lesé', 'scope_malformed', true],
    ['resource', 'https://evil.example.com', 'audience_not_permitted', false],
    ['resource', 'https://api.example.com/', 'audience_not_permitted', false],
    ['resource', 'HTTPS://api.example.com', 'audience_not_permitted', false],
    ['resource', 'https://api.example.com#a', 'audience_malformed', true],
    ['resource', '/things', 'audience_malformed', true],
    ['resource', '*', 'audience_malformed', true],
    ['resource', '', 'audience_malformed', true],
    ['requested_expiry', '901', 'lifetime_not_permitted', false],
    ['requested_expiry', '999999999', 'lifetime_not_permitted', false],
    ...[
      '0',
      '-1',
      '1.5',
      '1e2',
      '0x10',
      ' 60',
      '60 ',
      '+60',
      '060',
      '',
      'forever',
      'Infinity',
      '1000000000',
    ].map((text): [string, string, Reason, boolean] => [
      'requested_expiry',
      text,
      'parameter_malformed',
      true,
    ]),
    ['requested_subject', 'gateway-2', 'subject_not_permitted', false],
    ['requested_subject', 'gateway-11', 'subject_not_permitted', false],
    ['requested_subject', 'device:', 'subject_not_permitted', false],
    ...[
      ...[
        '*',
        'device:*',
        '7*',
        ' ',
        '7 ',
        ' 7',
        '.',
        '..',
        '...',
        '../x',
        'a/b',
        'eu:7',
        '7?a=b',
        '7#a',
        '7%2f',
      ],
      ...['7\\', "7'", '7"', '7;', '7&', '7|', '7$', '7`', '7(', '7<', '7@', '7,', '7+', '7=', '7!'],
    ].map((rest): [string, string, Reason, boolean] => [
      'requested_subject',
      `device:${rest}`,
      'subject_not_permitted',
      false,
    ]),
    ['requested_subject', 'device', 'subject_not_permitted', false],
    ['requested_subject', 'Device:7', 'subject_not_permitted', false],
    ['requested_subject', ' device:7', 'subject_not_permitted', false],
    ['requested_subject', '*', 'subject_not_permitted', false],
    ['requested_subject', 'CI', 'subject_not_permitted', false],
    ['requested_subject', 'gerät', 'parameter_malformed', true],
    ['requested_subject', 'device:7\n', 'parameter_malformed', true],
    ['requested_subject', '', 'parameter_malformed', true],
    ['requested_subject', `device:${'7'.repeat(249)}`, 'parameter_malformed', true],
  ]
  it.each(REFUSED)('refuses %s %j: %s', async (name, value, reason, disclosed) => {
    const refusal = await refusalOf(() =>
      permitTerms({ clientId: 'ci', policy: POLICY }, parameters({ [name]: value })),
    )
    expect([refusal.reason, refusal.disclosed]).toEqual([reason, disclosed])
  })

  it('refuses a request without a scope where there is no default', async () => {
    const policy = { ...POLICY, defaultScopes: [] }
    expect(await reasonOf(() => permitTerms({ clientId: 'ci', policy }, parameters()))).toBe(
      'scope_default_missing',
    )
  })

  it.each([
    [{ scope: 'read hunter2' }, 'scope: expected only read, write.'],
    [{ requested_expiry: '4111111' }, 'requested_expiry: expected at most 900 seconds.'],
    [{ requested_subject: 'hunter2' }, 'requested_subject: expected only ci, gateway-1, device:*.'],
    [{ resource: 'https://hunter2' }, 'resource: expected only https://api.example.com, urn:example:other.'],
  ])('names the parameter and its allowed values, but not the value: %j', async (asked, message) => {
    expect(
      (await refusalOf(() => permitTerms({ clientId: 'ci', policy: POLICY }, parameters(asked)))).message,
    ).toBe(message)
  })

  it('names policy.clientScopes to a client that a key provisioned', async () => {
    const client = { clientId: 'device:7', policy: POLICY, registeredBy: 'ci' }
    expect(await refusalOf(() => permitTerms(client, parameters({ scope: 'admin' })))).toMatchObject({
      reason: 'scope_not_permitted',
      code: 'invalid_scope',
      message:
        'scope: expected only read, write. The scopes of a provisioned client are those of its key, or ' +
        'policy.clientScopes of the client that asked for the key.',
    })
  })

  it('says so where a client may have no scope', async () => {
    const refusal = await refusalOf(() =>
      permitTerms(
        { clientId: 'ci', policy: { ...POLICY, scopes: new Set() } },
        parameters({ scope: 'read' }),
      ),
    )
    expect(refusal.message).toBe('scope: the policy allows none.')
  })
})

describe('parseScope', () => {
  it('reads what a list of scope tokens was joined from, each once', () => {
    const token = fc.stringMatching(/^[\x21\x23-\x5b\x5d-\x7e]+$/)
    fc.assert(
      fc.property(fc.array(token, { minLength: 1 }), (tokens) => {
        expect(parseScope(tokens.join(' '))).toEqual([...new Set(tokens)])
      }),
    )
  })
})

describe('isAudience', () => {
  const URIS = [
    'https://api.example.com',
    'https://a.example/a?b=c',
    'urn:example:api',
    'spiffe://td/w',
    'x-y+z.1:a',
  ]
  it.each(URIS)('accepts %s', (uri) => {
    expect(isAudience(uri)).toBe(true)
  })

  const OTHERS = [
    ...[
      '',
      'api',
      '/api',
      '//api.example.com',
      'https://',
      'https://a.example#',
      'https://a.example/#b',
      ':a',
    ],
    ...[
      'https://a.example/ b',
      ' https://a.example',
      'https://a.example\n',
      'https://ä.example',
      '1a:b',
      'a b:c',
    ],
  ]
  it.each(OTHERS)('refuses %j', (text) => {
    expect(isAudience(text)).toBe(false)
  })
})

describe('isSubjectWithin', () => {
  it.each([
    ['gateway-1', 'gateway-1', true],
    ['gateway-1', 'gateway-2', false],
    ['device:7', 'device:*', true],
    ['device:*', 'device:*', true],
    ['device:eu-*', 'device:*', true],
    ['device:eu.*', 'device:*', true],
    ['device:eu_*', 'device:*', true],
    ['device:eu:*', 'device:*', false],
    ['device:eu/*', 'device:*', false],
    ['device:e u-*', 'device:*', false],
    ['device:e*', 'device:*', true],
    ['device:7 ', 'device:*', false],
    ['device:..', 'device:*', false],
    ['device:eu:7', 'device:eu:*', true],
    ['device:eu:7', 'device:*', false],
    ['device:eu:*', 'device:eu:*', true],
    ['gateway-1', 'gateway-1*', false],
    ['device:*', 'device:', false],
    ['*', 'device:*', false],
    ['device:*', 'device:a:*', false],
    ['device:*', 'device:7', false],
    ['device', 'device:*', false],
    ['devices:*', 'device:*', false],
    ['device:', 'device:*', false],
  ])('of %s and %s answers %s', (inner, outer, expected) => {
    expect(isSubjectWithin(inner, outer)).toBe(expected)
  })
})

describe('a subject', () => {
  it('that lies within a pattern which lies within another lies within that as well', () => {
    const pattern = fc
      .array(fc.tuple(fc.stringMatching(/^[a-z .~]{1,2}$/), fc.constantFrom(...':/.-_')), {
        minLength: 1,
        maxLength: 3,
      })
      .map((parts) => `${parts.flat().join('')}*`)
    const rest = fc.stringMatching(/^[a-z:/.~ -]{1,4}$/)
    let nested = 0
    fc.assert(
      fc.property(pattern, pattern, rest, fc.boolean(), (first, second, text, isExtended) => {
        const inner = isExtended ? `${second.slice(0, -1)}${first}` : first
        const subject = `${inner.slice(0, -1)}${text}`
        if (!isSubjectWithin(inner, second) || !isSubjectWithin(subject, inner)) return
        nested += 1
        expect(isSubjectWithin(subject, second)).toBe(true)
      }),
      { numRuns: 2000 },
    )
    expect(nested).toBeGreaterThan(20)
  })
})

describe('permitAudience', () => {
  it('says so where a client has no audience here, and names none', async () => {
    const refusal = await refusalOf(() => permitAudience([], undefined))
    expect(refusal.reason).toBe('audience_not_permitted')
    expect(refusal.message).toBe(
      'resource: the policy of the client has no audience of this server; add one to it.',
    )
  })
})
