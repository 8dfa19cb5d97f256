import { generateKeyPairSync } from 'node:crypto'
import fc from 'fast-check'
import { ProvisioningError } from '../../lib/base/errors.js'
import { acceptMetadata } from '../../lib/clients/client-metadata.js'
import { refusalOf } from '../support/deployed.js'

const PERMITTED = new Set(['read', 'write'])
const DEFAULTS = {
  token_endpoint_auth_method: 'client_secret_basic',
  grant_types: ['client_credentials', 'urn:ietf:params:oauth:grant-type:token-exchange'],
}
const EXCHANGE = 'urn:ietf:params:oauth:grant-type:token-exchange'
const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const jwk = publicKey.export({ format: 'jwk' })

const accept = (body: object) => acceptMetadata(body as Record<string, unknown>, { scopes: PERMITTED })

describe('accepted metadata', () => {
  it('are the defaults of RFC 7591 2 as far as this server has them, when nothing is said', () => {
    expect(accept({})).toEqual(DEFAULTS)
  })

  const KEPT: [string, unknown[]][] = [
    ['token_endpoint_auth_method', ['client_secret_basic', 'client_secret_post']],
    ['grant_types', [['client_credentials'], ['client_credentials', EXCHANGE], [EXCHANGE]]],
    ['response_types', [[]]],
    ['client_name', ['a', 'Gerät Nº 7 🚀', 'x'.repeat(256)]],
    ['client_uri', ['https://example.com', 'HTTPS://example.com/a?b#c']],
    ['logo_uri', ['https://example.com/logo.png']],
    ['tos_uri', ['https://example.com/tos']],
    ['policy_uri', ['https://example.com/policy']],
    ['contacts', [['ops@example.com'], Array(32).fill('a')]],
    ['scope', ['read', 'write read']],
    ['software_id', ['4NRB1-0XZABZI9E6-5SM3R']],
    ['software_version', ['2.2']],
    ['jwks', [{ keys: [jwk] }, { keys: Array(8).fill({ ...jwk, use: 'sig' }) }]],
    ['redirect_uris', [['https://example.com/cb']]],
  ]
  const kept = KEPT.flatMap(([name, values]) => values.map((value): [string, unknown] => [name, value]))
  it.each(kept)('keep a %s as it was sent: case %#', (name, value) => {
    expect(accept({ [name]: value })).toEqual({ ...DEFAULTS, [name]: value })
  })

  it('leave out what this server does not know (RFC 7591 2)', () => {
    const unknown = {
      client_id: 'mine',
      client_secret: 'mine',
      'scope#de': 'a',
      'client_name#': 'a',
      tls_client_auth: 1,
    }
    expect(accept({ ...unknown, constructor: 'a', toString: 'b' })).toEqual(DEFAULTS)
    expect(accept(JSON.parse('{"__proto__":{"scope":"admin"}}'))).toEqual(DEFAULTS)
  })

  it.each([
    'https://example.com',
    'https://example.com:8443/cb?x=y',
    'http://127.0.0.1/cb',
    'http://127.0.0.1:51004/cb',
    'http://[::1]:51004/cb',
    'http://localhost:3000/cb',
    'com.example.app:/oauth2redirect',
    'com.example.app://cb',
  ])('keep the redirect URI %s', (uri) => {
    expect(accept({ redirect_uris: [uri] })).toMatchObject({ redirect_uris: [uri] })
  })
})

describe('the key set for private_key_jwt', () => {
  const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 }).publicKey.export({ format: 'jwk' })
  const refusalWith = (...keys: object[]) =>
    refusalOf(() => accept({ token_endpoint_auth_method: 'private_key_jwt', jwks: { keys } }))

  it.each([
    ['for encryption', { ...jwk, use: 'enc' }],
    ['for other operations', { ...jwk, key_ops: ['deriveKey'] }],
    ['with operations that are no list', { ...jwk, key_ops: 'verify' }],
    ['with the alg none', { ...jwk, alg: 'none' }],
    ['with the alg HS256', { ...jwk, alg: 'HS256' }],
    ['with the alg of another curve', { ...jwk, alg: 'ES384' }],
    ['with an alg for encryption', { ...rsa, alg: 'RSA-OAEP-256' }],
  ])('is refused if its only key is one %s', async (_title, key) => {
    expect(await refusalWith(key)).toMatchObject({
      reason: 'metadata_invalid',
      message:
        'jwks: expected a public key for signatures, with a use, key_ops and alg that allow private_key_jwt.',
    })
  })

  it.each([
    ['symmetric', { kty: 'oct', k: 'x'.repeat(43) }, 'it holds private key material'],
    ['symmetric and empty', { kty: 'oct' }, 'its kty is none of EC, OKP, RSA'],
  ])('is refused with a key that is %s', async (_title, key, fault) => {
    expect((await refusalWith(jwk, key)).message).toContain(fault)
  })

  it('may hold such a key beside one that can sign', () => {
    const signing = [{ ...jwk, use: 'sig', alg: 'ES256', key_ops: ['verify'] }]
    const keys = [{ ...rsa, use: 'enc' }, ...signing]
    expect(accept({ token_endpoint_auth_method: 'private_key_jwt', jwks: { keys } })).toMatchObject({
      jwks: { keys },
    })
  })

  it('may hold only keys for encryption if the client has another method', () => {
    expect(accept({ jwks: { keys: [{ ...rsa, use: 'enc' }] } })).toHaveProperty('jwks')
  })
})

describe('refused metadata', () => {
  const text = (longest: number) =>
    `a string of 1 to ${longest} characters without control characters, line separators, direction marks and lone surrogates`
  const grants = `a list in which each entry is one of client_credentials, ${EXCHANGE}`
  const REFUSED: [string, unknown[], string][] = [
    [
      'token_endpoint_auth_method',
      ['none', 'client_secret_jwt', '', null, 1, ['client_secret_basic']],
      'one of client_secret_basic, client_secret_post, private_key_jwt, tls_client_auth, self_signed_tls_client_auth',
    ],
    [
      'grant_types',
      ['client_credentials', null, {}, [], Array(33).fill('client_credentials')],
      'a list of 1 to 32 entries',
    ],
    ['grant_types', [['authorization_code'], ['client_credentials', 'implicit'], [null]], grants],
    ['response_types', [['code'], 'code', null], 'an empty list'],
    ['client_name', ['', 'x'.repeat(257), 'a\nb', 'a\u0000', 'a\u009b', 1, null, ['a']], text(256)],
    ['client_name', ['a\ud800', '\udc00a', 'a\u202eb', 'a\u2066b', 'a\u200fb', 'a\u2028b'], text(256)],
    ['client_name#de', ['a\u202eb'], text(256)],
    [
      'client_uri',
      ['http://example.com', 'example.com', 'javascript:alert(1)', 'https://', 'https:// a', 1, ''],
      'an https URL',
    ],
    [
      'client_uri',
      ['\u001b[2J', '\u009b2J', '\u202e', '\ud800'].map((end) => `https://a.example/${end}`),
      'an https URL',
    ],
    ['logo_uri', ['data:image/png;base64,AAAA', `https://example.com/${'x'.repeat(2048)}`], 'an https URL'],
    ['tos_uri', [null], 'an https URL'],
    ['policy_uri', [[]], 'an https URL'],
    ['contacts', ['ops@example.com', [], Array(33).fill('a')], 'a list of 1 to 32 entries'],
    ['contacts', [['a', ''], [1]], `a list in which each entry is ${text(320)}`],
    ['scope', ['', 1, null, ['read'], 'x'.repeat(4097), 'read\nwrite'], text(4096)],
    ['scope', [' read', 'read  write', 'r"d', 'lesé'], 'scope tokens separated by single spaces'],
    ['software_id', ['', 1], text(256)],
    ['software_version', [2.2], text(256)],
    [
      'jwks',
      [{}, null, 'x', [], { keys: {} }, { keys: [] }, { keys: Array(9).fill(jwk) }],
      'a JWK Set of 1 to 8 keys',
    ],
    [
      'jwks',
      [{ keys: [jwk, privateKey.export({ format: 'jwk' })] }],
      'public keys only (one is refused: it holds private key material)',
    ],
    ['jwks', [{ keys: [null] }], 'public keys only (one is refused: it is not a JSON object)'],
    [
      'jwks',
      [{ keys: [{ kty: 'constructor' }] }],
      'public keys only (one is refused: its kty is none of EC, OKP, RSA)',
    ],
  ]
  const refused = REFUSED.flatMap(([name, values, expected]) =>
    values.map((value): [string, unknown, string] => [name, value, expected]),
  )
  it.each(refused)('are refused with a wrong %s: case %#', async (name, value, expected) => {
    const refusal = await refusalOf(() => accept({ [name]: value }))
    expect(refusal).toMatchObject({
      reason: 'metadata_invalid',
      code: 'invalid_client_metadata',
      disclosed: true,
    })
    expect(refusal.message).toBe(`${name.replace('#de', ' (in a language)')}: expected ${expected}.`)
  })

  it.each(['admin', 'read admin', 'READ', '*'])('have the scope %j; they name the option', async (scope) => {
    const refusal = await refusalOf(() => accept({ scope }))
    expect(refusal).toMatchObject({ reason: 'metadata_invalid', disclosed: true })
    expect(refusal.message).toBe(
      'scope: expected only scopes that the client may have. The scopes of a provisioned client are those of its key, ' +
        'or policy.clientScopes of the client that asked for the key.',
    )
  })

  it('name an address from which keys would have to be fetched', async () => {
    const refusal = await refusalOf(() => accept({ jwks_uri: 'https://example.com/jwks' }))
    expect(refusal).toMatchObject({
      reason: 'metadata_invalid',
      message: expect.stringMatching(/^jwks_uri: send/),
    })
  })

  it.each([
    ...['http://example.com/cb', 'http://localhost.evil.example/cb', 'http://127.0.0.1.evil.example/cb'],
    ...[
      'https://example.com/#fragment',
      'https://example.com/cb#',
      'https://*.example.com/cb',
      'https://example.com/*',
    ],
    ...[
      'https://user@example.com/cb',
      'https://user:password@example.com/cb',
      'javascript:alert(1)',
      'data:text/html,a',
    ],
    ...['myapp:/cb', 'urn:ietf:wg:oauth:2.0:oob', '/cb', '//example.com/cb', 'example.com/cb', '', ' ', '*'],
    ...[
      'https://example.com/ cb',
      'https://example.com/cb\n',
      ' https://example.com',
      'https://exämple.com/cb',
    ],
    ...['https:example.com', 'https:///example.com', 'https://example.com\\@evil.example', 'https://'],
    ...[`https://example.com/${'x'.repeat(2048)}`, null, 1, ['https://example.com'], {}],
  ])('have the redirect URI %j', async (uri) => {
    const refusal = await refusalOf(() => accept({ redirect_uris: ['https://example.com/cb', uri] }))
    expect(refusal).toMatchObject({
      reason: 'redirect_uri_invalid',
      code: 'invalid_redirect_uri',
      disclosed: true,
    })
  })

  it.each(['https://example.com', null, {}, [], Array(33).fill('https://example.com')])(
    'have redirect_uris that are no list of a few: %j',
    async (redirect_uris) => {
      expect(await refusalOf(() => accept({ redirect_uris }))).toMatchObject({
        reason: 'redirect_uri_invalid',
      })
    },
  )

  it('are refused in words, whatever a stranger sends', () => {
    const name = fc.constantFrom(...KNOWN)
    fc.assert(
      fc.property(fc.dictionary(name, fc.jsonValue()), (body) => {
        try {
          const accepted = accept(body)
          expect(Object.keys(accepted).every((member) => KNOWN.includes(member))).toBe(true)
        } catch (error) {
          expect(error).toBeInstanceOf(ProvisioningError)
        }
      }),
    )
  })
})

const KNOWN = [
  ...['token_endpoint_auth_method', 'grant_types', 'response_types', 'client_name', 'client_uri', 'logo_uri'],
  ...[
    'tos_uri',
    'policy_uri',
    'contacts',
    'scope',
    'software_id',
    'software_version',
    'jwks',
    'redirect_uris',
  ],
]
