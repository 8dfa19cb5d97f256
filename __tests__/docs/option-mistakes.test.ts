import { makeSandbox, type Sandbox } from './sandbox'

jest.setTimeout(60_000)

/** The lines before the mistakes. */
const HEAD = [
  "import { memoryStore, provisioningKeys as make, provisioningKeyVerifier as verify } from 'express-provisioning-keys'",
  "import { redisStore } from 'express-provisioning-keys/redis'",
  "const issuer = 'https://auth.example.com'",
  "const jwks = 'https://auth.example.com/oauth/jwks'",
  "const audience = 'https://api.example.com'",
  "const given = { issuer, audience, signingKeys: process.env.SIGNING_KEY ?? '', clients: [] }",
  'const keys = make(given)',
]

/** A mistake, the option that its error must name, and a line that makes it. */
const MISTAKES = [
  ['a misspelled option', 'mountpath', "make({ ...given, mountpath: '/auth' })"],
  ['a missing option', 'issuer', "make({ audience, signingKeys: '', clients: [] })"],
  [
    'a text instead of a number',
    'redemptionLeaseSeconds',
    "make({ ...given, redemptionLeaseSeconds: '30' })",
  ],
  ['a number instead of a function', 'now', 'make({ ...given, now: Date.now() })'],
  ['a store without verbs', 'store', 'make({ ...given, store: new Map() })'],
  ['an unknown member of an option', 'nonce', 'make({ ...given, dpop: { nonce: true } })'],
  ['a misspelled member of a policy', 'scope', "make({ ...given, policy: { scope: ['devices:read'] } })"],
  ['a text instead of a list', 'scopes', "make({ ...given, policy: { scopes: 'devices:read' } })"],
  ['an unknown constraint', 'senderConstraint', "make({ ...given, policy: { senderConstraint: 'bearer' } })"],
  ['an unknown endpoint', 'login', 'make({ ...given, rateLimit: { login: { limit: 5 } } })'],
  ['an unknown member of a limit', 'max', 'make({ ...given, rateLimit: { token: { max: 5 } } })'],
  ['an unknown algorithm', 'alg', "make({ ...given, signingKeys: { key: '', alg: 'ES257' } })"],
  ['an unknown algorithm in a list', 'alg', "make({ ...given, signingKeys: [{ key: '', alg: 'ES257' }] })"],
  ['a client without an id', 'clientId', "make({ ...given, clients: [{ clientSecret: '' }] })"],
  [
    'an unknown member of a client',
    'secret',
    "make({ ...given, clients: [{ clientId: 'fleet', secret: '' }] })",
  ],
  [
    'a variable that may be missing',
    'clientSecret',
    "make({ ...given, clients: [{ clientId: 'fleet', clientSecret: process.env.SECRET }] })",
  ],
  ['a verifier without keys', 'jwks', 'verify({ issuer, audience, store: memoryStore() })'],
  [
    'a limit of an endpoint of the issuer',
    'token',
    'verify({ issuer, audience, jwks, rateLimit: { token: false } })',
  ],
  [
    'introspection without a client',
    'clientId',
    "verify({ issuer, audience, jwks, introspection: { clientSecret: '' } })",
  ],
  ['a guard without a scope', 'scope', 'keys.requireProvisioningKey({})'],
  ['a guard with an audience alone', 'scope', 'keys.requireProvisioningKey({ audience })'],
  ['a guard with a misspelled scope', 'scopes', "keys.requireAccessToken({ scopes: ['devices:read'] })"],
  [
    'a guard with a scope and any scope',
    'anyScope',
    "keys.requireAccessToken({ scope: 'devices:read', anyScope: true })",
  ],
  ['a redeeming guard without a scope', 'scope', 'keys.redeemProvisioningKey({}, () => ({ status: 204 }))'],
  ['a misspelled option of a store', 'maxkeys', 'memoryStore({ maxkeys: 5 })'],
  ['a Redis store without a client', 'sendCommand', 'redisStore({})'],
] as const

/** The errors of the compiler, by line: each message, and the code from the place that an editor underlines. */
const errors = new Map<number, { readonly message: string; readonly code: string }[]>()

let sandbox: Sandbox

beforeAll(() => {
  sandbox = makeSandbox()
  const lines = [...HEAD, ...MISTAKES.map(([, , line]) => line)]
  sandbox.write('mistakes.mts', lines.join('\n'))
  const text = sandbox.typeErrors().join('\n')
  // Further lines of a message are indented.
  for (const [, line, column, message = ''] of text.matchAll(
    /^mistakes\.mts\((\d+),(\d+)\): (.*(?:\n .*)*)/gm,
  )) {
    const code = lines[Number(line) - 1]?.slice(Number(column) - 1) ?? ''
    errors.set(Number(line), [...(errors.get(Number(line)) ?? []), { message, code }])
  }
})

afterAll(() => sandbox?.remove())

describe('the compiler', () => {
  const cases = MISTAKES.map(([mistake, option], index) => ({
    mistake,
    option,
    line: HEAD.length + 1 + index,
  }))

  it.each(cases)('names $option for $mistake', ({ option, line }) => {
    const isNamed = (errors.get(line) ?? []).map(
      ({ message, code }) =>
        new RegExp(`'${option}'|\\b${option}\\??: `).test(message) || code.startsWith(`${option}:`),
    )
    expect(isNamed).toEqual([true])
  })

  it('finds no other mistake', () => {
    expect([...errors.keys()]).toEqual(cases.map(({ line }) => line))
  })
})
