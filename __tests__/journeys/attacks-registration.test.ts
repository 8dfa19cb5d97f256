import { hashSecret } from '../../lib/index.js'
import { memoryStore } from '../../lib/stores/memory.js'
import { memoryClientRegistry } from '../../lib/stores/memory-clients.js'
import { clientKey } from '../support/client-assertion.js'
import { REGISTERING, registerClient, update } from '../support/registering.js'
import { obtainKey, send } from '../support/requests.js'
import { CLIENT, SECRET, startServer } from '../support/server.js'

function registryWithAsker() {
  return memoryClientRegistry([
    {
      clientId: CLIENT,
      revision: 1,
      secretHash: hashSecret(SECRET),
      authenticationMethods: ['client_secret_basic'],
    },
  ])
}

test('a client from which all methods were taken away finds itself no other by an update', async () => {
  const clients = registryWithAsker()
  const server = await startServer({ options: { clients } })
  try {
    const registered = await registerClient(server)
    const kept = await clients.find(registered.client_id)
    if (kept === undefined) throw new Error('not kept')
    await clients.save({ ...kept, revision: kept.revision + 1, authenticationMethods: [] })
    const keys = { jwks: { keys: [clientKey().jwk] } }
    for (const changes of [
      {},
      { token_endpoint_auth_method: 'client_secret_post' },
      { token_endpoint_auth_method: 'private_key_jwt', ...keys },
      { token_endpoint_auth_method: 'tls_client_auth', tls_client_auth_san_dns: 'a.example.com' },
    ]) {
      const { body } = await update(server, registered, changes).expect(400)
      expect(body.error_description).toMatch(/may not authenticate in this way any more/)
    }
    expect(await clients.find(registered.client_id)).toMatchObject({ authenticationMethods: [] })
  } finally {
    await server.close()
  }
})

test('a client that could not be taken back when its key was revoked is told of', async () => {
  const registry = registryWithAsker()
  const clients = { ...registry, delete: () => Promise.reject(new Error('the registry is away')) }
  const store = { ...memoryStore(), settle: async () => 'revoked' as const }
  const server = await startServer({ options: { clients, store } })
  try {
    const key = await obtainKey(server, { scope: REGISTERING })
    const metadata = { token_endpoint_auth_method: 'private_key_jwt', jwks: { keys: [clientKey().jwk] } }
    await send(server, 'post', '/oauth/register').auth(key, { type: 'bearer' }).send(metadata).expect(401)
    const told = server.events.find(({ type }) => type === 'client.registered')
    expect(told).toMatchObject({ clientId: CLIENT, registeredClientId: expect.any(String) })
  } finally {
    await server.close()
  }
})
