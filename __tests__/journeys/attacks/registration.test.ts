import { hashSecret } from '../../../lib/index.js'
import { memoryStore } from '../../../lib/stores/memory/memory.js'
import { memoryClientRegistry } from '../../../lib/stores/memory/memory-clients.js'
import { clientKey } from '../../support/client-assertion.js'
import { REGISTERING, type Registered, registerClient, update } from '../../support/registering.js'
import { obtainKey, send } from '../../support/requests.js'
import { CLIENT, type RunningServer, SECRET, startServer } from '../../support/server.js'

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
      expect(body.error_description).toMatch(/may no longer authenticate by this method/)
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

describe('a client that narrowed itself before the operator narrowed it', () => {
  const BOTH = 'provision:token devices:read'
  type Operated = { server: RunningServer; client: Registered; setScopes(scopes: string[]): Promise<void> }

  /** The client has registered both scopes, and has removed `devices:read` in its own update. */
  async function withNarrowed(act: (operated: Operated) => Promise<void>): Promise<void> {
    const clients = registryWithAsker()
    const server = await startServer({ options: { clients } })
    try {
      const client = await registerClient(server, { scope: BOTH })
      await update(server, client, { scope: 'provision:token' }).expect(200)
      const setScopes = async (scopes: string[]) => {
        const kept = await clients.find(client.client_id)
        if (kept === undefined) throw new Error('not kept')
        const saved = { ...kept, revision: kept.revision + 1, policy: { ...kept.policy, scopes } }
        expect(await clients.save(saved)).toBe(true)
      }
      await act({ server, client, setScopes })
    } finally {
      await server.close()
    }
  }

  async function expectNothingLeft({ server, client }: Operated): Promise<void> {
    for (const scope of ['devices:read', 'provision:token', BOTH]) {
      const { body } = await update(server, client, { scope }).expect(400)
      expect(body.error).toBe('invalid_client_metadata')
    }
  }

  test('does not get back a removed scope when the operator removes all scopes', () =>
    withNarrowed(async (operated) => {
      await operated.setScopes([])
      await expectNothingLeft(operated)
    }))

  test('gets no scope by an update without a scope, nor by any update after it', () =>
    withNarrowed(async (operated) => {
      const { server, client, setScopes } = operated
      await setScopes([])
      const { body } = await update(server, client, { scope: undefined }).expect(200)
      expect(body).not.toHaveProperty('scope')
      await expectNothingLeft(operated)
      await update(server, client, { scope: undefined }).expect(200)
      await expectNothingLeft(operated)
    }))

  test('keeps what the operator left, and that alone', () =>
    withNarrowed(async ({ server, client, setScopes }) => {
      await update(server, client, { scope: BOTH }).expect(200)
      await setScopes(['devices:read'])
      await update(server, client, { scope: 'provision:token' }).expect(400)
      await update(server, client, { scope: 'devices:read' }).expect(200)
      await update(server, client, { scope: BOTH }).expect(400)
      const { body } = await update(server, client, { scope: undefined }).expect(200)
      expect(body.scope).toBe('devices:read')
    }))

  test('takes its own narrowing back, when the operator took nothing away', () =>
    withNarrowed(async ({ server, client }) => {
      const { body } = await update(server, client, { scope: 'devices:read' }).expect(200)
      expect(body.scope).toBe('devices:read')
      await update(server, client, { scope: BOTH }).expect(200)
    }))
})
