import { memoryStore } from '../../../lib/stores/memory/memory.js'
import { ASSERTION_TYPE, type ClientKey, clientKey, signAssertion } from '../../support/client-assertion.js'
import { registerClient } from '../../support/registering.js'
import { askForKey, postForm } from '../../support/requests.js'
import { CLIENT, ISSUER, type RunningServer, SECRET, startServer } from '../../support/server.js'

const NEIGHBOUR = { clientId: 'neighbour', key: clientKey() }

/** A store for 40 keys and 40 assertions, a client that may register others, and a neighbour without any part in it. */
async function withSmallStore(attack: (server: RunningServer) => Promise<void>): Promise<void> {
  const scopes = ['provision:register', 'provision:token', 'devices:read']
  const clients = [
    { clientId: CLIENT, clientSecret: SECRET, policy: { scopes } },
    { clientId: NEIGHBOUR.clientId, jwks: { keys: [NEIGHBOUR.key.jwk] }, policy: { scopes } },
  ]
  const server = await startServer({ options: { clients, store: memoryStore({ maxKeys: 40 }) } })
  try {
    await attack(server)
    await askByAssertion(server, NEIGHBOUR).expect(200)
  } finally {
    await server.close()
  }
}

function askByAssertion(
  server: RunningServer,
  { clientId, key }: { readonly clientId: string; readonly key: ClientKey },
  scope = 'devices:read',
) {
  const now = Math.floor(Date.now() / 1000)
  return postForm(server, '/oauth/token', {
    grant_type: 'client_credentials',
    scope,
    client_assertion_type: ASSERTION_TYPE,
    client_assertion: signAssertion(key, { clientId, audience: ISSUER, now }),
  })
}

describe('a client that registers others', () => {
  test('cannot fill the store with their keys: half of it stays free', () =>
    withSmallStore(async (server) => {
      const statuses: number[] = []
      for (let i = 0; i < 3; i += 1) {
        const { client_id: id, client_secret: secret } = await registerClient(server)
        for (let j = 0; j < 8; j += 1) {
          const { status } = await askForKey(server, { scope: 'devices:read' }, { id, secret })
          statuses.push(status)
        }
      }
      expect(statuses).toEqual([...Array(20).fill(200), ...Array(4).fill(429)])
      expect(server.events.at(-1)).toMatchObject({ reason: 'too_many_keys_outstanding' })
    }))

  test('cannot fill the memory of used assertions with theirs', () =>
    withSmallStore(async (server) => {
      const refusals: unknown[] = []
      for (let i = 0; i < 3; i += 1) {
        const key = clientKey()
        const keys = { token_endpoint_auth_method: 'private_key_jwt', jwks: { keys: [key.jwk] } }
        const { client_id: clientId } = await registerClient(server, { scope: 'devices:read', ...keys })
        for (let j = 0; j < 8; j += 1) {
          await askByAssertion(server, { clientId, key }, 'not:permitted')
          refusals.push(server.events.at(-1))
        }
      }
      expect(refusals).toMatchObject([
        ...Array(20).fill({ reason: 'scope_not_permitted' }),
        ...Array(4).fill({ reason: 'too_many_proofs' }),
      ])
    }))
})
