import { generateKeyPairSync } from 'node:crypto'
import Ajv2020 from 'ajv/dist/2020.js'
import { reviewDescription } from '../../lib/checks/policy/deviations.js'
import { POLICY_RULES } from '../../lib/checks/policy/policy.js'
import {
  type Deviation,
  type PolicyRuleId,
  policySchema,
  reviewPolicy,
  type SecurityPolicy,
} from '../../lib/checks/policy/review.js'
import { sarifLog } from '../../lib/checks/policy/sarif.js'
import { secretsIn } from '../../lib/checks/policy/source-secrets.js'
import {
  type ClientOptions,
  ConfigurationError,
  generateSigningKeys,
  hashSecret,
  memoryStore,
  type ProvisioningKeys,
  type ProvisioningOptions,
  provisioningKeys,
  provisioningKeyVerifier,
} from '../../lib/index.js'
import { descriptionOf } from '../../lib/options/description.js'
import { redisStore } from '../../lib/stores/redis/redis.js'

const DAY_SECONDS = 86_400
const nowSeconds = () => Math.floor(Date.now() / 1000)
const HASH = hashSecret('h'.repeat(32))
const SECRET = 'a-plain-secret-of-a-client-0123456789'
const JWK = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ format: 'jwk' })

const redis = (accept: readonly ('persistence' | 'eviction')[] = []) =>
  redisStore({ sendCommand: async () => 'PONG', accept })

/** A client that keeps the default policy. */
const CLIENT: ClientOptions = { clientId: 'device:1', secretHash: HASH, policy: { scopes: ['devices:read'] } }

/** Options that keep the default policy. */
const GOOD: ProvisioningOptions = {
  issuer: 'https://auth.example.com',
  audience: 'https://api.example.com',
  environment: 'production',
  signingKeys: { ...JWK, iat: nowSeconds() } as never,
  policy: { senderConstraint: 'dpop' },
  clients: [CLIENT],
  store: redis(),
  rateLimit: { store: () => ({}) as never },
  observer: () => undefined,
}

const client = (changes: Partial<ClientOptions>): Partial<ProvisioningOptions> => ({
  clients: [{ ...CLIENT, ...changes }],
})
const ofClient = (policy: ClientOptions['policy']) =>
  client({ policy: { scopes: ['devices:read'], ...policy } })
const made = (changes: Partial<ProvisioningOptions> = {}) => provisioningKeys({ ...GOOD, ...changes })

type Found = readonly [path: string, actual: string]
const pathsOf = (deviations: readonly Deviation[]) => deviations.map(({ path, actual }) => [path, actual])

/** For each rule: a configuration that deviates, the settings that switch it on, and the deviations. */
const CASES: Record<
  Exclude<PolicyRuleId, 'secrets-in-file' | 'unused-classes'>,
  readonly [Partial<ProvisioningOptions>, SecurityPolicy['rules'], readonly Found[]]
> = {
  'https-only': [{ issuer: 'http://localhost:3000' }, {}, [['issuer', 'http://localhost:3000']]],
  'named-environment': [{ environment: undefined as never }, {}, [['environment', 'no name']]],
  'signing-algorithm': [{ signingKeys: generateSigningKeys('HS256') }, {}, [['signingKeys[0]', 'HS256']]],
  'signing-key-age': [
    { signingKeys: { ...JWK, iat: nowSeconds() - 100 * DAY_SECONDS } as never },
    {},
    [['signingKeys[0]', '100 days']],
  ],
  'hashed-secrets': [
    client({ secretHash: undefined as never, clientSecret: SECRET }),
    {},
    [['clients[0].clientSecret', 'a secret']],
  ],
  'secret-expiry': [{}, { 'secret-expiry': 'error' }, [['clients[0].secretExpiresAt', 'never']]],
  'key-lifetime': [
    { policy: { ...GOOD.policy, maxLifetimeSeconds: 3600 } },
    {},
    [['policy.maxLifetimeSeconds', '3600 s']],
  ],
  'access-token-lifetime': [
    ofClient({ accessTokenLifetimeSeconds: 3600 }),
    {},
    [['clients[0].policy.accessTokenLifetimeSeconds', '3600 s']],
  ],
  'clock-tolerance': [{ clockToleranceSeconds: 60 }, {}, [['clockToleranceSeconds', '60 s']]],
  'least-scope': [
    {
      policy: { ...GOOD.policy, scopes: ['devices:read', 'devices:create'] },
      clients: [{ clientId: 'wide', secretHash: hashSecret('w'.repeat(32)) }, CLIENT],
    },
    {},
    [['clients[0].policy.scopes', 'all scopes of the deployment']],
  ],
  'allowed-scopes': [
    {},
    { 'allowed-scopes': { allowed: ['devices:create'] } },
    [['clients[0].policy.scopes', 'devices:read']],
  ],
  'single-audience': [
    { audience: ['https://api.example.com', 'https://files.example.com'] },
    {},
    [['clients[0].policy.audiences', '2']],
  ],
  'sender-constraint': [{ policy: {} }, {}, [['clients[0].policy.senderConstraint', 'none']]],
  'client-authentication': [
    {},
    { 'client-authentication': 'warning' },
    [['clients[0].authenticationMethods', 'client_secret_basic client_secret_post']],
  ],
  'proof-age': [{ dpop: { proofAgeSeconds: 300 } }, {}, [['dpop.proofAgeSeconds', '300 s']]],
  'dpop-nonce': [{}, { 'dpop-nonce': 'error' }, [['dpop.nonceSecret', 'no nonce']]],
  networks: [
    ofClient({ networks: ['192.0.2.0/24'] }),
    { networks: { within: ['10.0.0.0/8'] } },
    [['clients[0].policy.networks', '192.0.2.0/24']],
  ],
  'rate-limits': [
    { rateLimit: { token: false, bind: { limit: 100, windowMs: 1000 }, store: () => ({}) as never } },
    {},
    [
      ['rateLimit.token', 'no limit'],
      ['rateLimit.bind', '6000 a minute'],
    ],
  ],
  'lease-within-lifetime': [{ redemptionLeaseSeconds: 301 }, {}, [['redemptionLeaseSeconds', '301 s']]],
  'shared-rate-limits': [{ rateLimit: {} }, {}, [['rateLimit.store', 'each process counts alone']]],
  'outstanding-keys': [
    ofClient({ outstandingKeys: 5000 }),
    {},
    [['clients[0].policy.outstandingKeys', '5000']],
  ],
  'replay-containment': [ofClient({ onReplay: 'flag' }), {}, [['clients[0].policy.onReplay', 'flag']]],
  'no-staging': [{ staging: true }, {}, [['staging', 'true']]],
  'own-clock': [{ now: () => Date.now() }, {}, [['now', 'a function']]],
  'copied-secrets': [
    { clients: [CLIENT, { ...CLIENT, clientId: 'device:2' }] },
    {},
    [['clients[1]', 'the secret of device:1']],
  ],
  'open-networks': [
    ofClient({ networks: ['10.0.0.0/8', '0.0.0.0/0'] }),
    {},
    [['clients[0].policy.networks[1]', '0.0.0.0/0']],
  ],
  'all-scopes': [
    {
      policy: { ...GOOD.policy, scopes: ['a', 'b', 'c', 'devices:read'] },
      clients: [
        CLIENT,
        {
          clientId: 'all',
          secretHash: hashSecret('g'.repeat(32)),
          policy: { scopes: ['a', 'b', 'c', 'devices:read'] },
        },
      ],
    },
    {},
    [['clients[1].policy.scopes', 'all 4 scopes']],
  ],
  'checked-registration': [
    ofClient({ scopes: ['provision:register'] }),
    {},
    [['clients[0].policy.requireSoftwareStatement', 'clients can register with any metadata']],
  ],
  'shared-store': [{ store: memoryStore() }, {}, [['store', 'memoryStore()']]],
  'stored-clients': [ofClient({ scopes: ['provision:bind'] }), {}, [['clients', 'an array']]],
  'store-hazards': [{ store: redis(['persistence']) }, {}, [['store.accept', 'persistence']]],
  observer: [{ observer: undefined as never }, {}, [['observer', 'none']]],
  'audit-log': [{}, { 'audit-log': 'error' }, [['audit.failClosed', 'no audit log']]],
  detection: [
    { monitoring: { rules: { replayed_key: false } } },
    {},
    [['monitoring.rules.replayed_key', 'off']],
  ],
  'exempt-networks': [
    { monitoring: { exempt: { networks: ['10.1.0.0/24', '0.0.0.0/0'] } } },
    {},
    [['monitoring.exempt.networks[1]', '0.0.0.0/0']],
  ],
}

describe('reviewPolicy', () => {
  it('finds nothing in a configuration that keeps the default policy', () => {
    expect(reviewPolicy(made())).toEqual([])
  })

  it.each(Object.entries(CASES))('finds a deviation from the rule %s', (rule, [options, rules, found]) => {
    const given = Object.fromEntries(
      Object.entries({ ...GOOD, ...options }).filter(([, one]) => one !== undefined),
    )
    const clients = Array.isArray(given['clients'])
      ? given['clients'].map((one) =>
          Object.fromEntries(Object.entries(one).filter(([, part]) => part !== undefined)),
        )
      : given['clients']
    const keys = provisioningKeys({ ...given, clients } as never)
    const deviations = reviewPolicy(keys, { ...(rules && { rules }) })
    expect(pathsOf(deviations.filter((one) => one.rule === rule))).toEqual(found)
  })

  it('has a case for each rule', () => {
    expect([...Object.keys(CASES), 'secrets-in-file', 'unused-classes'].sort()).toEqual(
      POLICY_RULES.map(({ id }) => id).sort(),
    )
  })

  it('names the rule, its severity, the client, the path and a fix', () => {
    expect(reviewPolicy(made({ policy: {} }))).toEqual([
      {
        rule: 'sender-constraint',
        severity: 'warning',
        clientId: 'device:1',
        path: 'clients[0].policy.senderConstraint',
        actual: 'none',
        expected: 'dpop or mtls',
        fix: expect.stringMatching(/^Set senderConstraint/),
      },
    ])
  })

  it('names the option that sets a value: that of the deployment, or that of the client', () => {
    const clients: ClientOptions[] = [
      CLIENT,
      { ...CLIENT, clientId: 'device:2', secretHash: hashSecret('i'.repeat(32)) },
      {
        clientId: 'device:3',
        secretHash: hashSecret('j'.repeat(32)),
        policy: { scopes: ['devices:read'], onReplay: 'flag', networks: ['0.0.0.0/0'] },
      },
    ]
    const policy = { ...GOOD.policy, onReplay: 'flag', networks: ['0.0.0.0/0'] } as const
    expect(reviewPolicy(made({ clients, policy })).map((one) => [one.path, one.clientId])).toEqual([
      ['policy.onReplay', 'device:1'],
      ['policy.onReplay', 'device:2'],
      ['clients[2].policy.onReplay', 'device:3'],
      ['policy.networks[0]', undefined],
      ['clients[2].policy.networks[0]', undefined],
    ])
  })

  it('reviews the bounds of the deployment if clients are looked up', () => {
    const keys = made({ clients: () => undefined, policy: { scopes: ['a'] } })
    expect(pathsOf(reviewPolicy(keys))).toEqual([['policy.senderConstraint', 'none']])
  })

  it('reviews a verifier', () => {
    const verifier = provisioningKeyVerifier({
      issuer: 'https://auth.example.com',
      audience: 'https://api.example.com',
      environment: 'production',
      jwks: 'https://auth.example.com/oauth/jwks',
      introspection: { clientId: 'api', clientSecret: SECRET },
    })
    expect(reviewPolicy(verifier).map(({ rule }) => rule)).toEqual(['observer'])
  })

  it('gives a class of clients its own settings, and each client the first class that has it', () => {
    const policy: SecurityPolicy = {
      rules: { 'key-lifetime': { maxSeconds: 900 }, 'copied-secrets': false, 'unused-classes': false },
      classes: [
        {
          name: 'devices',
          clients: ['device:*'],
          rules: { 'key-lifetime': { severity: 'warning', maxSeconds: 60 } },
        },
        { name: 'all', clients: ['d*', 'exact'], rules: { 'key-lifetime': false } },
      ],
    }
    const keys = made({
      clients: [CLIENT, { ...CLIENT, clientId: 'device' }, { ...CLIENT, clientId: 'exactly' }],
      policy: { senderConstraint: 'dpop', maxLifetimeSeconds: 1000 },
    })
    expect(reviewPolicy(keys, policy).map((one) => [one.clientId, one.severity, one.clientClass])).toEqual([
      ['device:1', 'warning', 'devices'],
      ['exactly', 'error', undefined],
    ])
  })

  it('finds entries of classes that match no client in the list', () => {
    const classes = [
      { name: 'devices', clients: ['device:*', 'devcie:*'], rules: {} },
      { name: 'others', clients: ['device'], rules: {} },
    ]
    expect(pathsOf(reviewPolicy(made(), { classes }))).toEqual([
      ['classes[0].clients[1]', 'devcie:*'],
      ['classes[1].clients[0]', 'device'],
    ])
    expect(reviewPolicy(made(), { rules: { 'unused-classes': false }, classes })).toEqual([])
    expect(reviewPolicy(made({ clients: () => undefined }), { classes })).toEqual([])
  })

  it('demands stored clients only if a policy lets devices enroll, and not of a local issuer', () => {
    const scopes = ['provision:bind', 'provision:register', 'devices:read']
    const has = (changes: Partial<ProvisioningOptions>) =>
      reviewPolicy(made(changes)).some(({ rule }) => rule === 'stored-clients')
    const registry = { find: () => undefined, save: () => true, delete: () => true } as never
    expect(has(ofClient({ scopes: ['provision:register'] }))).toBe(true)
    expect(has({ policy: { scopes }, clients: [{ clientId: 'device:1', secretHash: HASH }] })).toBe(true)
    expect(has({ policy: { scopes } })).toBe(false)
    expect(has({ policy: { scopes }, clients: registry })).toBe(false)
    expect(has({ ...ofClient({ scopes }), issuer: 'http://localhost:3000' })).toBe(false)
  })

  it('switches rules off, and changes their severity', () => {
    const keys = made({ policy: {}, store: memoryStore(), rateLimit: {} })
    const rules = { 'sender-constraint': false, 'shared-store': 'error' } as const
    expect(reviewPolicy(keys, { rules }).map(({ rule, severity }) => [rule, severity])).toEqual([
      ['shared-store', 'error'],
    ])
  })

  it('rejects something else than the result of provisioningKeys()', () => {
    for (const wrong of [{}, [], null, 'keys', GOOD])
      expect(() => reviewPolicy(wrong as never)).toThrow(/^keys: expected the result of provisioningKeys\(\)/)
  })
})

describe('keys of another version of this package', () => {
  it('are rejected, because their description can have other members', () => {
    const keys = {}
    Object.defineProperty(keys, Symbol.for('express-provisioning-keys.description'), { value: { format: 0 } })
    expect(() => reviewPolicy(keys)).toThrow(
      /^keys: expected keys of this version of express-provisioning-keys/,
    )
  })
})

describe('a policy', () => {
  const WRONG: readonly [title: string, policy: unknown, fault: string][] = [
    [
      'an unknown rule',
      { rules: { 'key-lifetimes': 'error' } },
      'rules.key-lifetimes: expected a known option; did you mean key-lifetime? got an unknown name',
    ],
    [
      'an unknown severity',
      { rules: { 'key-lifetime': 'fatal' } },
      'rules.key-lifetime: expected false or error or warning, got "fatal"',
    ],
    [
      'an unknown parameter',
      { rules: { 'key-lifetime': { maxSecond: 1 } } },
      'rules.key-lifetime.maxSecond: expected a known option; did you mean maxSeconds? got an unknown name',
    ],
    [
      'a wrong number',
      { rules: { 'key-lifetime': { maxSeconds: 'soon' } } },
      'rules.key-lifetime.maxSeconds: expected a whole number from 1 to 86400 seconds, got "soon"',
    ],
    [
      'a rule of the deployment in a class',
      { classes: [{ name: 'a', clients: ['a'], rules: { 'https-only': false } }] },
      'classes[0].rules.https-only: expected one of',
    ],
    [
      'no rules in a class',
      { classes: [{ name: 'a', clients: ['a'] }] },
      'classes[0].rules: expected an object',
    ],
    [
      'another member',
      { rule: {} },
      'rule: expected a known option; did you mean rules? got an unknown name',
    ],
    ['a list', [], ': expected an object, got an empty list'],
  ]
  const keys = made()
  const validate = new Ajv2020({ allErrors: true }).compile(policySchema())

  it.each(WRONG)('with %s is rejected by reviewPolicy and by the JSON Schema', (_, policy, fault) => {
    expect(() => reviewPolicy(keys, policy as never)).toThrow(ConfigurationError)
    expect(() => reviewPolicy(keys, policy as never)).toThrow(fault)
    expect(validate(policy)).toBe(false)
  })

  it('with all rules and their defaults is accepted by both', () => {
    const rules = Object.fromEntries(
      POLICY_RULES.map(({ id, parameters }) => [id, { severity: 'warning', ...parameters }]),
    )
    const policy = { $schema: 'a', rules, classes: [] }
    expect(() => reviewPolicy(keys, policy as never)).not.toThrow()
    expect([validate(policy), validate.errors]).toEqual([true, null])
  })
})

describe('the description of a configuration', () => {
  const plain = made({
    ...client({ secretHash: undefined as never, clientSecret: SECRET }),
    clients: [{ clientId: 'a', clientSecret: SECRET, policy: { scopes: ['a'] } }],
    dpop: { nonceSecret: 'n'.repeat(40) },
  })

  it('contains no secret, no hash and no text of a key', () => {
    for (const keys of [plain, made()]) {
      const text = JSON.stringify(descriptionOf(keys))
      for (const secret of [SECRET, HASH, 'nnnnnnnn', JWK.d, JWK.x]) expect(text).not.toContain(secret)
    }
  })

  it('survives JSON, so that another process can review it', () => {
    const keys = made({ rateLimit: { token: false } })
    const copy = JSON.parse(JSON.stringify(descriptionOf(keys)))
    expect(reviewDescription({ description: copy, now: Date.now() }, {})).toEqual(reviewPolicy(keys))
  })

  it('is no visible member of the keys', () => {
    const names = Object.keys(plain)
    expect(names.filter((name) => /descri/i.test(name))).toEqual([])
    expect(Object.getOwnPropertySymbols({ ...(plain as ProvisioningKeys) })).toEqual([])
    expect(Object.isFrozen(plain)).toBe(true)
  })
})

describe('a SARIF log', () => {
  const text = { type: 'object', required: ['text'], properties: { text: { type: 'string', minLength: 1 } } }
  /** The parts of the schema of SARIF 2.1.0 that code scanning needs. */
  const SARIF = {
    type: 'object',
    required: ['version', 'runs'],
    properties: {
      version: { const: '2.1.0' },
      runs: {
        type: 'array',
        minItems: 1,
        items: {
          type: 'object',
          required: ['tool', 'results'],
          properties: {
            tool: {
              type: 'object',
              required: ['driver'],
              properties: {
                driver: {
                  type: 'object',
                  required: ['name', 'rules'],
                  properties: {
                    rules: {
                      type: 'array',
                      items: {
                        type: 'object',
                        required: ['id', 'shortDescription', 'help', 'defaultConfiguration'],
                        properties: {
                          shortDescription: text,
                          fullDescription: text,
                          help: text,
                          helpUri: { type: 'string', pattern: '^https?://' },
                          defaultConfiguration: {
                            properties: { level: { enum: ['none', 'note', 'warning', 'error'] } },
                          },
                        },
                      },
                    },
                  },
                },
              },
            },
            results: {
              type: 'array',
              items: {
                type: 'object',
                required: ['ruleId', 'ruleIndex', 'level', 'message', 'locations', 'partialFingerprints'],
                properties: {
                  message: text,
                  ruleIndex: { type: 'integer', minimum: 0 },
                  level: { enum: ['none', 'note', 'warning', 'error'] },
                  locations: {
                    type: 'array',
                    minItems: 1,
                    items: {
                      type: 'object',
                      required: ['physicalLocation'],
                      properties: {
                        physicalLocation: {
                          type: 'object',
                          required: ['artifactLocation', 'region'],
                          properties: {
                            artifactLocation: { required: ['uri'] },
                            region: { properties: { startLine: { type: 'integer', minimum: 1 } } },
                          },
                        },
                      },
                    },
                  },
                },
              },
            },
          },
        },
      },
    },
  }

  it('has the structure of SARIF 2.1.0, and refers to its rules', () => {
    const deviations = reviewPolicy(
      made({ policy: {}, monitoring: false, store: memoryStore(), rateLimit: {} }),
    )
    const facts = { version: '1.2.3', file: 'src/my keys.ts', help: 'https://docs.example.com/rules' }
    const log = JSON.parse(sarifLog(deviations, facts))
    const validate = new Ajv2020({ strict: false, allErrors: true }).compile(SARIF)
    expect([validate(log), validate.errors]).toEqual([true, null])
    const [{ tool, results }] = log.runs
    for (const { ruleId, ruleIndex } of results) expect(tool.driver.rules[ruleIndex].id).toBe(ruleId)
    expect(results.map(({ ruleId }: { ruleId: string }) => ruleId)).toEqual(
      deviations.map(({ rule }) => rule),
    )
    expect(results[0].locations[0].physicalLocation.artifactLocation.uri).toBe('src/my%20keys.ts')
    expect(tool.driver.rules[0].helpUri).toBe('https://docs.example.com/rules#https-only')
  })
})

describe('the search for secrets in the file of the configuration', () => {
  it.each([
    ['after its name', `clientSecret: '${SECRET}'`],
    ['on the line after its name', `clientSecret:\n  '${SECRET}'`],
    ['as a default', `clientSecret: process.env.FLEET ?? '${SECRET}'`],
    ['as a default of a variable in brackets', `clientSecret: process.env['FLEET'] ??\n  '${SECRET}'`],
    ['as a default of a secret', `fleet: process.env.FLEET_SECRET || '${SECRET}'`],
    ['in a constant', `const fleetSecret = '${SECRET}'`],
    ['in a constant in capital letters', `const FLEET_SECRET_2 = '${SECRET}'`],
    ['in a variable of the environment', `process.env['FLEET_SECRET'] = "${SECRET}"`],
    ['in the name of RFC 6749', `{ "client_secret": "${SECRET}" }`],
    ['that is hashed', `secretHash: hashSecret(\n  '${SECRET}')`],
    ['at the end of a long line', `${' '.repeat(5000)}clientSecret: '${SECRET}'`],
  ])('finds a secret %s', (_, text) => {
    expect(secretsIn(`// A file\n${text}\n`)).toEqual([
      { path: 'line 2', actual: 'a secret', expected: 'no secret', line: 2 },
    ])
  })

  it.each([
    ['the hash of a secret', `secretHash: '${HASH}'`],
    ['the file of a secret', `secretFile: '/run/secrets/fleet-secret'`],
    ['a variable', `clientSecret: process.env['FLEET_SECRET_OF_THE_FLEET']`],
    ['a short text', `clientSecret: process.env.FLEET ?? 'fleet'`],
  ])('does not find %s', (_, text) => {
    expect(secretsIn(text)).toEqual([])
  })

  it.each(['secret', 'secret: ', `secret='`, 'hashSecret(', 'eyJ-', 'eyJhbGciOiJ.', 'a://b:', '\n'])(
    'takes bounded time for a long text of %j',
    (part) => {
      const start = performance.now()
      secretsIn(part.repeat(200_000))
      expect(performance.now() - start).toBeLessThan(3000)
    },
  )
})
