import type { Reason } from '../../../lib/base/errors.js'
import { memoryStore, type ProvisioningOptions } from '../../../lib/index.js'
import { callApi, callApiProving, mountAccess, obtainBoundToken, obtainToken } from '../access-tokens.js'
import { type Forgery, forgeKey, signBare, signedAs } from '../forge.js'
import { prover } from '../prover.js'
import { exchangeKey, obtainKey, postForm, send } from '../requests.js'
import { CLIENT, OTHER_AUDIENCE, SECRET } from '../server.js'
import type { Case } from './case.js'

const nowSeconds = () => Math.floor(Date.now() / 1000)

const REFUSED = {
  status: 401,
  error: 'invalid_token',
  mount: mountAccess,
  headers: {
    'www-authenticate':
      /^Bearer realm="auth\.example\.com", resource_metadata="https:\/\/api\.example\.com\/\.well-known\/oauth-protected-resource", error="invalid_token".*DPoP realm=/,
  },
  description: /^The access token is not accepted\.$/,
} satisfies Partial<Case>

/** A refusal of a token that differs from a genuine one. All get the same answer. */
function forgedToken(
  title: string,
  reason: Reason,
  forgery: Forgery,
  options?: Partial<ProvisioningOptions>,
): Case {
  return {
    ...REFUSED,
    title,
    reason,
    ...(options && { options }),
    act: async (server) => callApi(server, forgeKey((await obtainToken(server)).token, forgery)),
  }
}

const FORGED: Case[] = [
  forgedToken('an access token whose typ is JWT', 'key_type_wrong', { header: { typ: 'JWT' } }),
  forgedToken('an access token whose typ is that of keys', 'key_type_wrong', {
    header: { typ: 'provisioning-key+jwt' },
  }),
  forgedToken('an access token with a crit header', 'key_header_refused', {
    sign: ({ header, claims }) => signBare({ header: { ...header, crit: ['exp'] }, claims }),
  }),
  forgedToken('an access token of an unknown kid', 'signing_key_unknown', { header: { kid: 'nobody' } }),
  forgedToken('an access token with alg none', 'key_algorithm_refused', {
    sign: ({ header, claims }) => signedAs('AAAA')({ header: { ...header, alg: 'none' }, claims }),
  }),
  forgedToken('an access token with a wrong signature', 'signature_wrong', { sign: signedAs('AAAA') }),
  forgedToken('an access token without a family', 'claims_malformed', { claims: { key_id: undefined } }),
  forgedToken('an access token of another issuer', 'issuer_wrong', {
    claims: { iss: 'https://evil.example' },
  }),
  forgedToken('an access token for another audience', 'audience_wrong', { claims: { aud: OTHER_AUDIENCE } }),
  forgedToken('an access token of another environment', 'environment_wrong', { claims: { env: 'staging' } }),
  forgedToken(
    'an access token of no environment',
    'environment_wrong',
    { claims: { env: undefined } },
    { environment: 'production' },
  ),
  forgedToken('an access token that has expired', 'key_expired', {
    claims: { iat: nowSeconds() - 606, exp: nowSeconds() - 6 },
  }),
  forgedToken('an access token from the future', 'key_not_yet_valid', {
    claims: { iat: nowSeconds() + 60, exp: nowSeconds() + 120 },
  }),
  forgedToken('an access token that is not valid yet', 'key_not_yet_valid', {
    claims: { nbf: nowSeconds() + 60 },
  }),
  forgedToken('an access token that lives for a year', 'lifetime_excessive', {
    claims: { exp: nowSeconds() + 365 * 86_400 },
  }),
  forgedToken('an access token for another than its key was for', 'token_forged', {
    claims: { sub: 'device:1', client_id: 'device:1' },
  }),
  forgedToken('an access token with more scope than its key had', 'token_forged', {
    claims: { scope: 'devices:read devices:create' },
  }),
  forgedToken('an access token that is bound to something unknown', 'possession_unproven', {
    claims: { cnf: { kid: 'x' } },
  }),
  forgedToken('an access token that is bound to a certificate, without one', 'possession_unproven', {
    claims: { cnf: { 'x5t#S256': 'A'.repeat(43) } },
  }),
  forgedToken('an access token of a family that the store does not know', 'token_unknown', {
    claims: { key_id: 'nobody' },
  }),
]

/** Other mistakes in presenting a token. */
const PRESENTED: Case[] = [
  {
    title: 'a route for access tokens without any',
    reason: 'credentials_missing',
    status: 401,
    mount: mountAccess,
    headers: {
      'www-authenticate': /^Bearer realm="auth\.example\.com", resource_metadata="[^"]+", DPoP realm=/,
    },
    description: /^Present the access token as Authorization: Bearer <token>, or DPoP <token>\.$/,
    act: (server) => send(server, 'get', '/config'),
  },
  {
    ...REFUSED,
    title: 'an access token in the query',
    reason: 'token_in_query',
    status: 400,
    error: 'invalid_request',
    headers: {},
    description: /never accepted in the query/,
    act: async (server) => send(server, 'get', `/config?access_token=${(await obtainToken(server)).token}`),
  },
  {
    ...REFUSED,
    title: 'a provisioning key where an access token is wanted',
    reason: 'key_type_wrong',
    act: async (server) => callApi(server, await obtainKey(server, { scope: 'devices:read' })),
  },
  {
    ...REFUSED,
    title: 'an access token where a provisioning key is wanted',
    reason: 'key_type_wrong',
    description: /^The provisioning key is not accepted\.$/,
    act: async (server) => callApi(server, (await obtainToken(server)).token, '/key'),
  },
  {
    ...REFUSED,
    title: 'an access token of too little scope',
    reason: 'scope_insufficient',
    status: 403,
    error: 'insufficient_scope',
    headers: { 'www-authenticate': /error="insufficient_scope".*scope="devices:read"/ },
    description: /^The access token lacks the scope for this\.$/,
    act: async (server) => {
      const { token } = await obtainToken(server, { key: { scope: 'provision:token devices:create' } })
      return callApi(server, token)
    },
  },
  {
    ...REFUSED,
    title: 'an access token that is bound to no DPoP key, presented as DPoP',
    reason: 'key_unbound',
    headers: { 'www-authenticate': /^DPoP .*error="invalid_token"/ },
    act: async (server) => callApiProving(server, (await obtainToken(server)).token, prover()),
  },
  {
    ...REFUSED,
    title: 'a DPoP-bound access token presented as Bearer',
    reason: 'possession_unproven',
    act: async (server) => callApi(server, (await obtainBoundToken(server)).token),
  },
  {
    ...REFUSED,
    title: 'a DPoP-bound access token with the proof of another key',
    reason: 'possession_unproven',
    headers: { 'www-authenticate': /^DPoP .*error="invalid_token"/ },
    act: async (server) => callApiProving(server, (await obtainBoundToken(server)).token, prover()),
  },
  {
    ...REFUSED,
    title: 'a DPoP-bound access token with a proof for another token',
    reason: 'dpop_token_hash_wrong',
    error: 'invalid_dpop_proof',
    headers: { 'www-authenticate': /^DPoP .*error="invalid_dpop_proof"/ },
    description: /ath of the DPoP proof/,
    act: async (server) => {
      const { token, holder } = await obtainBoundToken(server)
      return callApiProving(server, token, holder, { ath: 'A'.repeat(43) })
    },
  },
]

/** States of the family. */
const FAMILY: Case[] = [
  {
    ...REFUSED,
    title: 'an access token after a replay of its key',
    reason: 'token_revoked',
    act: async (server) => {
      const { key, token } = await obtainToken(server)
      await callApi(server, token).expect(200)
      await exchangeKey(server, key).expect(400)
      return callApi(server, token)
    },
  },
  {
    ...REFUSED,
    title: 'an access token that was revoked',
    reason: 'token_revoked',
    act: async (server) => {
      const { token } = await obtainToken(server)
      await postForm(server, '/oauth/revoke', { token }).auth(CLIENT, SECRET).expect(200)
      return callApi(server, token)
    },
  },
  {
    ...REFUSED,
    title: 'a revoked DPoP-bound access token, with the reason for its holder',
    reason: 'token_revoked',
    headers: { 'www-authenticate': /^DPoP .*error="invalid_token"/ },
    description: /^The access token has been revoked/,
    act: async (server) => {
      const { token, holder } = await obtainBoundToken(server)
      await postForm(server, '/oauth/revoke', { token }).auth(CLIENT, SECRET).expect(200)
      return callApiProving(server, token, holder)
    },
  },
  {
    ...REFUSED,
    title: 'any access token while the store does not answer',
    reason: 'store_unavailable',
    status: 503,
    error: 'temporarily_unavailable',
    headers: { 'retry-after': /^5$/ },
    description: /try again later/,
    options: storeThatFails(),
    act: async (server) => callApi(server, (await obtainToken(server)).token),
  },
]

/** A store that fails at the third read: after issuance and redemption, when the token is used. */
function storeThatFails(): Partial<ProvisioningOptions> {
  const store = memoryStore()
  const find: typeof store.find = async (ref) => {
    const entry = await store.find(ref)
    if (entry?.state === 'redeemed') throw new Error('down')
    return entry
  }
  return { store: { ...store, find } }
}

function delegated(title: string, reason: Reason, status: number, issueAccessToken: unknown): Case {
  const error = status === 503 ? 'temporarily_unavailable' : 'server_error'
  const options = { issueAccessToken } as Partial<ProvisioningOptions>
  const act: Case['act'] = async (server) =>
    exchangeKey(server, await obtainKey(server, { scope: 'provision:token devices:read' }))
  return { title, reason, status, error, options, act }
}

/** Mistakes of the host's own authorization server. */
const DELEGATED: Case[] = [
  delegated('an exchange while the other server is down', 'token_issuer_unavailable', 503, () => {
    throw new Error('ECONNREFUSED')
  }),
  delegated('an exchange for a token that lives too long', 'server_fault', 500, () => ({
    accessToken: 'x',
    expiresIn: 601,
  })),
]

export const ACCESS_CASES: Case[] = [...FORGED, ...PRESENTED, ...FAMILY, ...DELEGATED]
