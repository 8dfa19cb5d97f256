import type { ClientOptions } from '../../../lib/index.js'
import { hashSecret } from '../../../lib/index.js'
import type { PolicyOptions } from '../../../lib/ports/policy-options.js'
import { memoryClientRegistry } from '../../../lib/stores/memory/memory-clients.js'
import { bindByProof, postSigned } from '../../support/bound-client.js'
import { clientKey } from '../../support/client-assertion.js'
import { type Registered, registerClient, update } from '../../support/registering.js'
import { askForKey } from '../../support/requests.js'
import { CLIENT, type RunningServer, SECRET, startServer } from '../../support/server.js'

const SUBJECTS = ['device:*']

async function withPolicy(policy: PolicyOptions, test: (server: RunningServer) => Promise<void>) {
  const clients: ClientOptions[] = [{ clientId: CLIENT, clientSecret: SECRET, policy }]
  const server = await startServer({ options: { clients } })
  try {
    await test(server)
  } finally {
    await server.close()
  }
}

const DECISIVE =
  'The scopes of a provisioned client are those of its key, or policy.clientScopes of the client that asked for the key.'

const credentialsOf = ({ client_id: id, client_secret: secret }: Registered) => ({ id, secret })

describe('a client that a key registers', () => {
  test('gets the scopes of policy.clientScopes, though its key has others', () =>
    withPolicy({ clientScopes: ['devices:create', 'provision:token'] }, async (server) => {
      const client = await registerClient(server, {}, { scope: 'provision:register devices:read' })
      expect(client.scope).toBe('devices:create provision:token')
      const { body } = await askForKey(server, {}, credentialsOf(client)).expect(200)
      expect(body.scope).toBe('devices:create provision:token')
    }))

  test('gets the scopes of its key without provision:register, if the option is not set', () =>
    withPolicy({}, async (server) => {
      const scope = 'provision:register provision:bind devices:read'
      const client = await registerClient(server, {}, { scope })
      expect(client.scope).toBe('provision:bind devices:read')
    }))

  test('is refused another scope, and learns which option decides', () =>
    withPolicy({ clientScopes: ['devices:create'] }, async (server) => {
      const client = await registerClient(server, {})
      const asked = { scope: 'devices:read' }
      const { body } = await askForKey(server, asked, credentialsOf(client)).expect(400)
      expect(body).toEqual({
        error: 'invalid_scope',
        error_description: `scope: expected only devices:create. ${DECISIVE}`,
      })
      const { body: refused } = await update(server, client, asked).expect(400)
      expect(refused).toEqual({
        error: 'invalid_client_metadata',
        error_description: `scope: expected only scopes that the client may have. ${DECISIVE}`,
      })
    }))

  test('loses by an update what policy.clientScopes of the other client has lost since', async () => {
    const clients = memoryClientRegistry([])
    const save = (revision: number, clientScopes: readonly string[]) =>
      clients.save({
        clientId: CLIENT,
        revision,
        secretHash: hashSecret(SECRET),
        authenticationMethods: ['client_secret_basic'],
        policy: { clientScopes },
      })
    await save(1, ['devices:create', 'devices:read'])
    const server = await startServer({ options: { clients } })
    try {
      const client = await registerClient(server, {})
      expect(client.scope).toBe('devices:create devices:read')
      await save(2, ['devices:read'])
      await update(server, client).expect(400, /invalid_client_metadata/)
      const { body } = await update(server, client, { scope: undefined }).expect(200)
      expect(body.scope).toBe('devices:read')
    } finally {
      await server.close()
    }
  })
})

describe('a client that a key binds', () => {
  const key = clientKey()
  const device = { key, clientId: 'device:7' }
  const ask = (server: RunningServer, scope: string) =>
    postSigned(server, '/oauth/token', device, { grant_type: 'client_credentials', scope })

  test('gets the scopes of policy.clientScopes, though its key has others', () =>
    withPolicy({ subjects: SUBJECTS, clientScopes: ['devices:create', 'devices:read'] }, async (server) => {
      const bound = await bindByProof(server, key, { requested_subject: 'device:7' })
      expect(bound.status).toBe(201)
      const { body } = await ask(server, 'devices:read devices:create').expect(200)
      expect(body.scope).toBe('devices:read devices:create')
      const { body: refused } = await ask(server, 'provision:bind').expect(400)
      expect(refused).toEqual({
        error: 'invalid_scope',
        error_description: `scope: expected only devices:create, devices:read. ${DECISIVE}`,
      })
    }))

  test('gets the scopes of its key without provision:register, if the option is not set', () =>
    withPolicy({ subjects: SUBJECTS }, async (server) => {
      const scope = 'provision:bind provision:register devices:read'
      const bound = await bindByProof(server, key, { requested_subject: 'device:7', scope })
      expect(bound.status).toBe(201)
      await ask(server, 'provision:bind devices:read').expect(200)
      await ask(server, 'provision:register').expect(400, /invalid_scope/)
      await ask(server, 'devices:create').expect(400, /invalid_scope/)
    }))
})

test('a client of the configuration that asks for too much learns only its own scopes', () =>
  withPolicy({ scopes: ['devices:read'], clientScopes: ['devices:read'] }, async (server) => {
    const { body } = await askForKey(server, { scope: 'devices:create' }).expect(400)
    expect(body.error_description).toBe('scope: expected only devices:read.')
  }))
