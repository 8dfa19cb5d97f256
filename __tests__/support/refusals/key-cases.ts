import { generateKeyPairSync } from 'node:crypto'
import { signBare, signedAs, signWith } from '../forge.js'
import { exchangeKey, obtainKey, postForm, send } from '../requests.js'
import { AUDIENCE, CLIENT, OTHER_AUDIENCE, SECRET } from '../server.js'
import { BEARER, type Case, forged, present, publicJwk, READ } from './case.js'

const stranger = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey
const nowSeconds = () => Math.floor(Date.now() / 1000)

export const KEY_CASES: Case[] = [
  {
    title: 'text that is no JWT',
    reason: 'key_malformed',
    status: 401,
    error: 'invalid_token',
    headers: BEARER,
    act: (server) => present(server, 'not-a-key'),
  },
  {
    title: 'a key of 15 kB',
    reason: 'key_malformed',
    status: 401,
    error: 'invalid_token',
    act: (server) => present(server, `${'e'.repeat(5000)}.${'e'.repeat(5000)}.${'e'.repeat(5000)}`),
  },
  {
    title: 'another spelling of a genuine key',
    reason: 'key_malformed',
    status: 401,
    error: 'invalid_token',
    act: async (server) => {
      const key = await obtainKey(server, READ)
      // The last character of a 64-byte signature carries four spare bits.
      const last = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
      const index = last.indexOf(key.slice(-1))
      return present(server, key.slice(0, -1) + last[index ^ 1])
    },
  },
  forged('a key whose typ is JWT', 'key_type_wrong', { header: { typ: 'JWT' } }),
  forged('a key whose typ is at+jwt', 'key_type_wrong', { header: { typ: 'at+jwt' } }),
  forged('a key whose typ is dpop+jwt', 'key_type_wrong', { header: { typ: 'dpop+jwt' } }),
  forged('a key without typ', 'key_type_wrong', {
    sign: ({ header, claims }) => signedAs('AAAA')({ header: { ...header, typ: undefined }, claims }),
  }),
  forged('a key with a crit header', 'key_header_refused', {
    sign: ({ header, claims }) => signBare({ header: { ...header, crit: ['exp'] }, claims }),
  }),
  forged('a key with an unknown kid', 'signing_key_unknown', { header: { kid: 'nobody' } }),
  forged('a key with a hostile kid', 'signing_key_unknown', { header: { kid: '../../../../etc/passwd' } }),
  forged('a key whose kid is no string', 'signing_key_unknown', {
    sign: ({ header, claims }) => signedAs('AAAA')({ header: { ...header, kid: { $ne: null } }, claims }),
  }),
  forged('a key with alg none', 'key_malformed', {
    sign: ({ header, claims }) => signedAs('')({ header: { ...header, alg: 'none' }, claims }),
  }),
  forged('a key with alg none and a signature', 'key_algorithm_refused', {
    sign: ({ header, claims }) => signedAs('AAAA')({ header: { ...header, alg: 'none' }, claims }),
  }),
  forged('a key signed with the public key as HMAC secret', 'key_algorithm_refused', {
    sign: signWith(JSON.stringify(publicJwk), 'HS256'),
  }),
  forged('a key signed by a stranger', 'signature_wrong', { sign: signWith(stranger, 'ES256') }),
  forged('a key with a changed signature', 'signature_wrong', { sign: signedAs('AAAA') }),
  forged('a key that brings its own jwk', 'signature_wrong', {
    header: { jwk: publicJwk },
    sign: signWith(stranger, 'ES256'),
  }),
  forged('a key without jti', 'claims_malformed', { claims: { jti: undefined } }),
  forged('a key whose aud is a list', 'claims_malformed', { claims: { aud: [AUDIENCE] } }),
  forged('a key whose exp is text', 'claims_malformed', {
    sign: ({ header, claims }) => signBare({ header, claims: { ...claims, exp: '9999999999' } }),
  }),
  forged('a key without exp', 'claims_malformed', { claims: { exp: undefined } }),
  forged('a key of another issuer', 'issuer_wrong', { claims: { iss: 'https://evil.example.com' } }),
  forged('a key for another audience', 'audience_wrong', { claims: { aud: OTHER_AUDIENCE } }),
  forged('a key of another environment', 'environment_wrong', { claims: { env: 'staging' } }),
  forged(
    'a key without environment where one is configured',
    'environment_wrong',
    { claims: { env: undefined } },
    { environment: 'production' },
  ),
  forged('an expired key', 'key_expired', {
    claims: { iat: nowSeconds() - 400, nbf: nowSeconds() - 400, exp: nowSeconds() - 100 },
  }),
  forged('a key that is not valid yet', 'key_not_yet_valid', { claims: { nbf: nowSeconds() + 100 } }),
  forged('a key issued in the future', 'key_not_yet_valid', {
    claims: { iat: nowSeconds() + 100, exp: nowSeconds() + 200 },
  }),
  forged('a key that lives too long', 'lifetime_excessive', { claims: { exp: nowSeconds() + 5000 } }),
  forged('a key that is bound to a key not proven', 'possession_unproven', { claims: { cnf: { jkt: 'x' } } }),
  forged('a key from another network', 'network_wrong', { claims: { cidr: ['192.0.2.0/24'] } }),
  forged('a key with more scope than the one that was issued', 'key_forged', {
    claims: { scope: 'devices:read devices:create' },
  }),
  forged('a genuine key that the store does not know', 'key_unknown', { claims: { jti: 'never-recorded' } }),
  {
    title: 'a redeemed key',
    reason: 'key_redeemed',
    status: 401,
    error: 'invalid_token',
    act: async (server) => {
      const key = await obtainKey(server, { scope: 'devices:read provision:token' })
      await exchangeKey(server, key).expect(200)
      return present(server, key)
    },
  },
  {
    title: 'a revoked key',
    reason: 'key_revoked',
    status: 401,
    error: 'invalid_token',
    act: async (server) => {
      const key = await obtainKey(server, READ)
      await postForm(server, '/oauth/revoke', { token: key }).auth(CLIENT, SECRET).expect(200)
      return present(server, key)
    },
  },
  {
    title: 'a key that is being redeemed by another request',
    reason: 'key_redeeming',
    status: 401,
    error: 'invalid_token',
    act: async (server) => {
      const key = await obtainKey(server, { scope: 'devices:create devices:read' })
      const first = send(server, 'post', '/slow').set('Authorization', `Bearer ${key}`)
      const firstDone = first.then((response) => response.status)
      let second = await present(server, key)
      while (second.status === 200) second = await present(server, key)
      expect(await firstDone).toBe(201)
      return second
    },
  },
  {
    title: 'a key without the scope',
    reason: 'scope_insufficient',
    status: 403,
    error: 'insufficient_scope',
    headers: { 'www-authenticate': /error="insufficient_scope".*scope="devices:read"/ },
    act: async (server) => present(server, await obtainKey(server, { scope: 'devices:create' })),
  },
]
