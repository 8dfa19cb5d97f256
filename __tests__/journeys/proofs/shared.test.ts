import { ASSERTION_TYPE, type ClientKey, clientKey, signAssertion } from '../../support/client-assertion'
import { signProof } from '../../support/proof'
import { withInstances } from '../../support/redis/instances'
import { type RedisServer, startRedis } from '../../support/redis/servers'
import { EXCHANGE, JWT_TYPE, postForm, send } from '../../support/requests'
import { AUDIENCE, CLIENT, ISSUER, type RunningServer, SECRET } from '../../support/server'

const TOKEN = { method: 'POST', url: `${ISSUER}/oauth/token` }

let redis: RedisServer
beforeAll(async () => {
  redis = await startRedis()
})
afterAll(() => redis?.close())

/** Asks for a key that is bound to a DPoP key. */
function askBound(server: RunningServer, proof: string) {
  return postForm(server, '/oauth/token', {
    grant_type: 'client_credentials',
    scope: 'provision:token devices:create',
  })
    .auth(CLIENT, SECRET)
    .set('DPoP', proof)
}

/** A client that authenticates with `private_key_jwt`. */
function asserting(key: ClientKey) {
  const jwks = { keys: [{ ...key.jwk, kid: 'one' }] }
  return { clients: [{ clientId: 'signer', jwks, policy: { defaultScopes: ['provision:token'] } }] }
}

function askAsserting(server: RunningServer, assertion: string) {
  const form = { grant_type: 'client_credentials', client_assertion_type: ASSERTION_TYPE }
  return postForm(server, '/oauth/token', { ...form, client_assertion: assertion })
}

describe('instances over one Redis', () => {
  it('accept one DPoP proof once between them, when a key is asked for', () =>
    withInstances(redis, {}, async (one, other) => {
      const proof = signProof(clientKey(), TOKEN)
      await askBound(one, proof).expect(200)
      for (const server of [other, one]) {
        const { body } = await askBound(server, proof).expect(400)
        expect(body.error).toBe('invalid_dpop_proof')
        expect(server.events.at(-1)).toMatchObject({ reason: 'dpop_replayed' })
      }
    }))

  it('accept one DPoP proof once between them, at a route', () =>
    withInstances(redis, {}, async (one, other) => {
      const holder = clientKey()
      const { body } = await askBound(one, signProof(holder, TOKEN)).expect(200)
      const key: string = body.access_token
      const proof = signProof(holder, { method: 'POST', url: `${AUDIENCE}/devices` }, { token: key })
      const post = (server: RunningServer) =>
        send(server, 'post', '/devices').set({ Authorization: `DPoP ${key}`, DPoP: proof })
      await post(other).expect(201)
      await post(one).expect(401)
      // One instance issued the key, the other redeemed it.
      const form = { grant_type: EXCHANGE, subject_token: key, subject_token_type: JWT_TYPE }
      const again = signProof(holder, TOKEN, { token: key })
      await postForm(one, '/oauth/token', form).set('DPoP', again).expect(400)
    }))

  it('accept one client assertion once between them', () => {
    const key = clientKey()
    return withInstances(redis, { options: asserting(key) }, async (one, other) => {
      const now = Math.floor(Date.now() / 1000)
      const assertion = signAssertion(key, { clientId: 'signer', audience: ISSUER, now })
      await askAsserting(other, assertion).expect(200)
      const { body } = await askAsserting(one, assertion).expect(401)
      expect(body.error).toBe('invalid_client')
      expect(one.events.at(-1)).toMatchObject({ reason: 'client_assertion_replayed' })
    })
  })

  it('accept one of many assertions and proofs that race at both', () => {
    const key = clientKey()
    return withInstances(redis, { options: asserting(key) }, async (one, other) => {
      const now = Math.floor(Date.now() / 1000)
      const assertion = signAssertion(key, { clientId: 'signer', audience: ISSUER, now })
      const asked = Array.from({ length: 20 }, (_, i) => askAsserting(i % 2 === 0 ? one : other, assertion))
      const statuses = (await Promise.all(asked)).map(({ status }) => status)
      expect(statuses.filter((status) => status === 200)).toHaveLength(1)
      expect(statuses.filter((status) => status === 401)).toHaveLength(19)
    })
  })

  it('honour the nonces of each other, and those of nobody else', () =>
    withInstances(redis, { options: { dpop: { nonceSecret: 'n'.repeat(32) } } }, async (one, other) => {
      const holder = clientKey()
      const asked = await askBound(one, signProof(holder, TOKEN)).expect(400)
      expect(asked.body.error).toBe('use_dpop_nonce')
      const nonce = asked.headers['dpop-nonce']
      await askBound(other, signProof(holder, TOKEN, { claims: { nonce } })).expect(200)
      await askBound(other, signProof(holder, TOKEN, { claims: { nonce: `${nonce}x` } })).expect(400)
    }))
})
