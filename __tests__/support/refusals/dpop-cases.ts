import type { Reason } from '../../../lib/base/errors.js'
import { memoryStore } from '../../../lib/stores/memory/memory.js'
import { clientKey } from '../client-assertion.js'
import { type ProofParts, signProof } from '../proof.js'
import { askForKey, obtainKey, send } from '../requests.js'
import { AUDIENCE, CLIENT, ISSUER, type RunningServer, SECRET } from '../server.js'
import { BEARER, type Case, READ } from './case.js'

const KEY = clientKey()
const TOKEN = { method: 'POST', url: `${ISSUER}/oauth/token` }
const RESOURCE = { method: 'GET', url: `${AUDIENCE}/devices` }
const NONCES = { dpop: { nonceSecret: 'n'.repeat(32) } }
const CHALLENGE = {
  'www-authenticate': /^DPoP realm="auth\.example\.com".* error="invalid_dpop_proof".* algs="ES256 /,
}

async function boundKey(server: RunningServer): Promise<string> {
  const { body } = await askForKey(server, READ).set('DPoP', signProof(KEY, TOKEN)).expect(200)
  return body.access_token
}

function presentBound(server: RunningServer, key: string) {
  return send(server, 'get', '/devices').set('Authorization', `DPoP ${key}`)
}

/** A refusal of a proof for a bound key at a guarded route. */
function refused(title: string, reason: Reason, parts: ProofParts): Case {
  return {
    title,
    reason,
    status: 401,
    error: 'invalid_dpop_proof',
    headers: CHALLENGE,
    description: /DPoP proof/,
    async act(server) {
      const key = await boundKey(server)
      return presentBound(server, key).set('DPoP', signProof(KEY, RESOURCE, { token: key, ...parts }))
    },
  }
}

/** One proof for each reason. `matrices/dpop.test.ts` has all proofs and all places. */
const PROOFS: Case[] = [
  refused('a proof with a crit header', 'dpop_malformed', { header: { crit: ['exp'] } }),
  refused('a proof of another type', 'dpop_type_wrong', { header: { typ: 'JWT' } }),
  refused('a proof with alg none', 'dpop_algorithm_refused', { header: { alg: 'none' } }),
  refused('a proof without its key', 'dpop_key_refused', { header: { jwk: undefined } }),
  refused('a proof signed by another key', 'dpop_signature_wrong', { signer: clientKey() }),
  refused('a proof without jti', 'dpop_claims_malformed', { claims: { jti: undefined } }),
  refused('a proof for another method', 'dpop_method_wrong', { claims: { htm: 'PUT' } }),
  refused('a proof for another address', 'dpop_target_wrong', { claims: { htu: ISSUER } }),
  refused('a proof that is old', 'dpop_stale', { claims: { iat: 1 } }),
  refused('a proof for another key', 'dpop_token_hash_wrong', { claims: { ath: 'another' } }),
]

export const DPOP_CASES: Case[] = [
  ...PROOFS,
  {
    title: 'two proofs in one request',
    reason: 'dpop_repeated',
    status: 400,
    error: 'invalid_dpop_proof',
    act: (server) => {
      const proofs = [signProof(KEY, TOKEN), signProof(KEY, TOKEN)]
      return askForKey(server, READ).set('DPoP', proofs as unknown as string)
    },
  },
  {
    title: 'a proof for the second time',
    reason: 'dpop_replayed',
    status: 401,
    error: 'invalid_dpop_proof',
    headers: CHALLENGE,
    async act(server) {
      const key = await boundKey(server)
      const proof = signProof(KEY, RESOURCE, { token: key })
      await presentBound(server, key).set('DPoP', proof).expect(200)
      return presentBound(server, key).set('DPoP', proof)
    },
  },
  {
    title: 'one proof too many with one key',
    reason: 'too_many_proofs',
    status: 429,
    error: 'slow_down',
    options: { store: memoryStore({ maxProofsPerKey: 1 }) },
    headers: { 'retry-after': /^60$/ },
    description: /^This key, its client, or all clients of its registrar have too many proofs/,
    async act(server) {
      const key = await boundKey(server)
      const proof = () => signProof(KEY, RESOURCE, { token: key })
      await presentBound(server, key).set('DPoP', proof()).expect(200)
      return presentBound(server, key).set('DPoP', proof())
    },
  },
  {
    title: 'a proof without the nonce, at the token endpoint',
    reason: 'dpop_nonce_wanted',
    status: 400,
    error: 'use_dpop_nonce',
    options: NONCES,
    headers: { 'dpop-nonce': /^[\w-]{43}$/, 'cache-control': /^no-store$/ },
    act: (server) => askForKey(server, READ).set('DPoP', signProof(KEY, TOKEN)),
  },
  {
    title: 'a proof without the nonce, at a guarded route',
    reason: 'dpop_nonce_wanted',
    status: 401,
    error: 'use_dpop_nonce',
    options: NONCES,
    headers: { 'dpop-nonce': /^[\w-]{43}$/, 'www-authenticate': /^DPoP .*error="use_dpop_nonce"/ },
    async act(server) {
      const key = await obtainKey(server, READ)
      const request = send(server, 'get', '/devices').set('Authorization', `Bearer ${key}`)
      return request.set('DPoP', signProof(KEY, RESOURCE, { token: key }))
    },
  },
  {
    title: 'a request for a key without a proof, where policy wants one',
    reason: 'dpop_missing',
    status: 400,
    error: 'invalid_dpop_proof',
    options: { clients: [{ clientId: CLIENT, clientSecret: SECRET, policy: { senderConstraint: 'dpop' } }] },
    description: /^The client must ask with a DPoP proof\.$/,
    act: (server) => askForKey(server, READ),
  },
  {
    title: 'a bound key presented as Bearer, though with a proof',
    reason: 'possession_unproven',
    status: 401,
    error: 'invalid_token',
    headers: BEARER,
    description: /^The provisioning key is not accepted\.$/,
    async act(server) {
      const key = await boundKey(server)
      const request = send(server, 'get', '/devices').set('Authorization', `Bearer ${key}`)
      return request.set('DPoP', signProof(KEY, RESOURCE, { token: key }))
    },
  },
  {
    title: 'a key that is not bound, presented as DPoP',
    reason: 'key_unbound',
    status: 401,
    error: 'invalid_token',
    headers: { 'www-authenticate': /^DPoP .*error="invalid_token".* Bearer / },
    description: /^The provisioning key is not accepted\.$/,
    async act(server) {
      const key = await obtainKey(server, READ)
      return presentBound(server, key).set('DPoP', signProof(KEY, RESOURCE, { token: key }))
    },
  },
]
