import { inspect } from 'node:util'
import { memoryStore } from '../../lib/stores/memory/memory.js'
import { ISSUER } from '../support/deployed.js'
import { faultsOf } from './faults-of.js'

describe('an option is refused', () => {
  const URL_ =
    'an https URL without query, fragment or credentials (RFC 8414 2), or http://localhost:PORT for a local deployment'
  const URI = 'an absolute URI without fragment or wildcard (RFC 8707 2)'
  const PATH = 'a path such as /oauth, without a slash at its end'
  const NAME = '1 to 64 letters, digits, dots, hyphens'
  const STORE = 'a ProvisioningStore, such as memoryStore()'
  const LIMIT = 'a positive whole number'
  const CLOCK = 'a function that returns milliseconds since the epoch, such as Date.now'
  const { revokeFamily: _missing, ...halfAStore } = memoryStore()
  const REFUSED: [string, unknown[], string][] = [
    ['issuer', [undefined, null, '', 'auth.example.com', '/auth', 7, new URL(ISSUER), [ISSUER]], URL_],
    [
      'issuer',
      [
        'http://auth.example.com',
        'http://localhost.evil.example',
        'http://localhost:3000/a',
        'http://127.1',
        'ftp://a.example',
        'urn:a',
        'https://',
      ],
      URL_,
    ],
    [
      'issuer',
      ['https://a.example?b=c', 'https://a.example?', 'https://a.example#b', 'https://a.example/#'],
      URL_,
    ],
    ['issuer', ['https://user@a.example', 'https://user:password@a.example', 'https://:@a.example'], URL_],
    [
      'issuer',
      ['https:a.example', 'https:\\\\a.example', 'https://a.example/b/../c', 'HTTPS://a.example'],
      URL_,
    ],
    [
      'issuer',
      [
        ' https://a.example',
        'https://a.example ',
        'https://a.example\n',
        'https://A.example',
        'https://ä.example',
      ],
      URL_,
    ],
    ['issuer', ['https://a.example:443', 'https://a.example/"b', 'https://a.example/b c'], URL_],
    [
      'audience',
      [undefined, null, '', 'api', '*', 'https://*.example.com', 'https://a.example#b', 7, {}, []],
      URI,
    ],
    [
      'store',
      [null, {}, halfAStore, 'redis://:password@redis', memoryStore, { ...memoryStore(), find: true }],
      STORE,
    ],
    [
      'mountPath',
      ['', '/', 'oauth', '/oauth/', '//oauth', '/a//b', '/a?b', '/a#b', '/:a', '/*', '/a b', null, 7],
      PATH,
    ],
    ['mountPath', ['/.', '/..', '/a/..', '/../a', '/a/./b', '/%2e', '/ä', '/a\\b', '\\a', /\/oauth/], PATH],
    ['realm', ['', 'a"b', 'a\\b', 'ä', 'a\nb', null, 7], 'printable ASCII without quotes'],
    ['environment', ['', 'a b', 'x'.repeat(65), 'ä', null, 7, ['a']], NAME],
    ['clockToleranceSeconds', [-1, 61, 1.5, '5', null, Number.NaN], 'a whole number from 0 to 60 seconds'],
    ['observer', [null, 'console', {}, [() => 0]], 'a function'],
    ['now', [null, 1_700_000_000_000, new Date(), () => undefined, () => Number.NaN], CLOCK],
    ['now', [() => new Date(), () => '0', async () => 0, () => 1n, () => 1 / 0], CLOCK],
    ['now', [() => performance.now(), () => process.uptime(), () => 1_234.5], CLOCK],
    ['rateLimit', [null, true, 100, 'none', []], 'false, or an object with limits per endpoint'],
    ['rateLimit.token', [true, 100, null, []], 'false, or options of express-rate-limit'],
    ['rateLimit.token.limit', [0, -1, 1.5, '5', null, Number.POSITIVE_INFINITY], `${LIMIT}, or a function`],
    [
      'rateLimit.redeem.windowMs',
      [0, 60, 99, 100.5, '1m', null, () => 5, 30 * 86_400_000],
      'a whole number from 100 to 2147483647 milliseconds',
    ],
    ['rateLimit.bind.skip', [true, null, 'never'], 'a function'],
    [
      'rateLimit.store',
      [null, {}, 'redis://:password@redis'],
      'a function that makes a store for each limiter',
    ],
  ]
  const refused = REFUSED.flatMap(([path, values, expected]) =>
    values.map((value) => [path, inspect(value).slice(0, 60), value, expected] as const),
  )
  it.each(refused)('%s %s', (path, _, value, expected) => {
    const [name = '', ...inner] = path.split('.')
    const given = inner.reduceRight<unknown>((around, key) => ({ [key]: around }), value)
    const [fault, ...others] = faultsOf({ clients: [], [name]: given })
    expect(others).toEqual([])
    expect(fault?.slice(0, `${path}: expected ${expected}, got `.length)).toBe(
      `${path}: expected ${expected}, got `,
    )
    expect(fault).not.toMatch(/password/)
  })

  it('for each entry of a list that is none', () => {
    expect(faultsOf({ audience: ['https://a.example', 'b', 7] })).toEqual([
      `audience[1]: expected ${URI}, got "b"`,
      `audience[2]: expected ${URI}, got 7`,
    ])
  })

  it('when its clock throws', () => {
    const now = () => {
      throw new Error('no time')
    }
    expect(faultsOf({ now })).toEqual([`now: expected ${CLOCK}, got one that returns undefined`])
  })

  it('when its clock counts seconds or microseconds', () => {
    for (const time of [1_700_000_000, 1_700_000_000.5, 1_700_000_000_000_000])
      expect(faultsOf({ now: () => time })).toEqual([`now: expected ${CLOCK}, got one that returns ${time}`])
  })

  it('but not when the clock of a test begins at the epoch', () => {
    for (const time of [0, 5, -1, 86_400_000, performance.timeOrigin + performance.now()])
      expect(faultsOf({ now: () => time })).toEqual([])
  })
})
