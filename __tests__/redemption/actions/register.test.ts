import { authenticateClient } from '../../../lib/clients/authentication/authenticate.js'
import { REGISTER_SCOPE } from '../../../lib/clients/scopes.js'
import type { Client } from '../../../lib/ports/client.js'
import { registerClient } from '../../../lib/redemption/actions/register.js'
import { memoryClientRegistry } from '../../../lib/stores/memory/memory-clients.js'
import {
  AUDIENCE,
  deployed,
  issueKey,
  parameters,
  reasonOf,
  refusalOf,
  request,
  START,
  storeBut,
  verifyBearerKey,
} from '../../support/deployed.js'

const SCOPE = 'provision:register devices:read'

async function withKey(overrides = {}, asked: Record<string, string> = {}) {
  const given = deployed(overrides)
  const { key, verified, record } = await issueKey(given, { scope: SCOPE, ...asked })
  const ask = async (metadata: Record<string, unknown> = {}) =>
    registerClient(given.deployment, await verifyBearerKey(given, key, REGISTER_SCOPE), { body: metadata })
  const stateOf = async () => (await given.deployment.store.find(record))?.state
  return { ...given, verified, record, ask, stateOf, registry: given.deployment.registry }
}

describe('register', () => {
  it('registers a new client on behalf of the one that asked for itself (RFC 7591 3.2.1)', async () => {
    const { ask, registry, stateOf, record, events } = await withKey()
    const answer = await ask({ client_name: 'Sensor', scope: 'devices:read' })
    expect(answer).toEqual({
      client_id: expect.stringMatching(/^[\w-]{27}$/),
      client_secret: expect.stringMatching(/^[\w-]{43}$/),
      client_id_issued_at: START,
      client_secret_expires_at: 0,
      registration_access_token: expect.stringMatching(/^[\w-]+\.[\w-]{43}$/),
      client_name: 'Sensor',
      scope: 'devices:read',
      token_endpoint_auth_method: 'client_secret_basic',
      grant_types: ['client_credentials', 'urn:ietf:params:oauth:grant-type:token-exchange'],
    })
    const client = await registry.find(answer.client_id)
    expect(client).toMatchObject({
      clientId: answer.client_id,
      revision: 1,
      authenticationMethods: ['client_secret_basic', 'client_secret_post'],
      policy: { scopes: ['devices:read'], defaultScopes: ['devices:read'], audiences: [AUDIENCE] },
      metadata: { client_name: 'Sensor' },
      registeredBy: { clientId: 'ci-runner', keyId: record.jti },
    })
    expect(await stateOf()).toBe('redeemed')
    const { client_id: registeredClientId, client_secret } = answer
    expect(events.slice(1)).toMatchObject([
      { type: 'key.redeemed', action: 'register' },
      { type: 'client.registered', keyId: record.jti, clientId: 'ci-runner', registeredClientId },
    ])
    expect(JSON.stringify([client, events])).not.toContain(client_secret)
  })

  it('registers the subject that a key was asked for', async () => {
    const { ask, registry } = await withKey({}, { requested_subject: 'device:7' })
    expect(await ask()).toMatchObject({ client_id: 'device:7' })
    expect(await registry.find('device:7')).toBeDefined()
  })

  it('answers a secret with which the client can authenticate, by the method it named alone', async () => {
    const { ask, deployment } = await withKey()
    const { client_id, client_secret } = await ask({ token_endpoint_auth_method: 'client_secret_post' })
    const client = await authenticateClient(
      deployment,
      request(),
      parameters({ client_id, client_secret: client_secret ?? '' }),
    )
    expect(client).toMatchObject({ clientId: client_id })
    const authorization = [`Basic ${Buffer.from(`${client_id}:${client_secret}`).toString('base64')}`]
    const basic = () => authenticateClient(deployment, request({ authorization }), parameters())
    expect(await reasonOf(basic)).toBe('client_method_refused')
  })

  it('gives a client that names no scope those of the key, without the right to register others', async () => {
    const { ask, registry, deployment } = await withKey()
    const answer = await ask()
    expect(answer.scope).toBe('devices:read')
    const client = (await registry.find(answer.client_id)) as Client
    const { scopes, defaultScopes } = deployment.policyOf(client)
    expect([scopes, defaultScopes]).toEqual([new Set(['devices:read']), ['devices:read']])
  })

  it('gives a client none where the key leaves none to it', async () => {
    const { ask, registry, deployment } = await withKey({}, { scope: 'provision:register' })
    const answer = await ask()
    expect(answer).not.toHaveProperty('scope')
    const client = (await registry.find(answer.client_id)) as Client
    expect(deployment.policyOf(client).scopes).toEqual(new Set())
  })

  it.each(['provision:register', 'provision:token', 'admin', '*'])(
    'gives no client the scope %s',
    async (scope) => {
      const { ask, stateOf } = await withKey()
      expect(await refusalOf(() => ask({ scope }))).toMatchObject({
        reason: 'metadata_invalid',
        disclosed: true,
      })
      expect(await stateOf()).toBe('issued')
    },
  )

  it('gives no scope that the client of the key has lost since', async () => {
    const policy = { scopes: ['provision:register', 'devices:read'] }
    const kept = { client: { clientId: 'ci-runner', clientSecret: 'correct-horse-battery-staple', policy } }
    const find = async (id: string) => (id === 'ci-runner' ? kept.client : undefined)
    const clients = { find, save: async () => true, delete: async () => true }
    const { ask } = await withKey({ clients })
    kept.client = { ...kept.client, policy: { scopes: ['provision:register'] } }
    expect(await reasonOf(() => ask({ scope: 'devices:read' }))).toBe('metadata_invalid')
  })

  it('refuses a key without the scope for it, and metadata that are none, and spends no key', async () => {
    const without = await withKey({}, { scope: 'devices:read' })
    expect([await reasonOf(without.ask), await without.stateOf()]).toEqual(['scope_insufficient', 'issued'])
    const { ask, stateOf } = await withKey()
    expect(await reasonOf(() => ask({ grant_types: ['implicit'] }))).toBe('metadata_invalid')
    expect(await reasonOf(() => ask({ redirect_uris: ['javascript:alert(1)'] }))).toBe('redirect_uri_invalid')
    expect(await stateOf()).toBe('issued')
  })

  it('takes no identity that is taken, and spends no key on the attempt', async () => {
    const { ask, stateOf } = await withKey({ clients: taken }, { requested_subject: 'gateway-1' })
    expect(await refusalOf(ask)).toMatchObject({ reason: 'client_exists', code: 'invalid_client_metadata' })
    expect(await stateOf()).toBe('issued')
  })

  it.each([
    ['somebody else was first', async () => false, 'client_exists'],
    ['the registry does not answer', () => Promise.reject(new Error('down')), 'registry_unavailable'],
  ])('releases the key when %s', async (_, save, reason) => {
    const client = (await deployed().deployment.registry.find('ci-runner')) as Client
    const { ask, stateOf, events } = await withKey({ clients: { ...memoryClientRegistry([client]), save } })
    expect([await reasonOf(ask), await stateOf()]).toEqual([reason, 'issued'])
    expect(events.map(({ type }) => type)).toEqual(['key.issued', 'key.released'])
  })

  it('leaves the client of an attempt that has completed the redemption in the meantime', async () => {
    const store = storeBut({ settle: () => Promise.reject(new Error('down')) })
    const client = (await deployed().deployment.registry.find('ci-runner')) as Client
    const registry = memoryClientRegistry([client])
    let isCompleted = false
    async function save(saved: Client): Promise<boolean> {
      if (!isCompleted) await registry.save({ ...saved, metadata: { client_name: 'completed' } })
      isCompleted = true
      return registry.save(saved)
    }
    async function find(...key: Parameters<typeof store.find>): ReturnType<typeof store.find> {
      const entry = await store.find(...key)
      return entry && isCompleted ? { ...entry, state: 'redeemed' } : entry
    }
    const overrides = { store: { ...store, find }, clients: { ...registry, save } }
    const { ask } = await withKey(overrides, { requested_subject: 'device:7' })
    expect(await reasonOf(ask)).toBe('key_redeemed')
    expect(await registry.find('device:7')).toMatchObject({
      revision: 1,
      metadata: { client_name: 'completed' },
    })
  })

  it('forgets the client again when the key was revoked in the meantime', async () => {
    const store = storeBut({ settle: async () => 'revoked' })
    const { ask, registry, events } = await withKey({ store }, { requested_subject: 'device:7' })
    expect(await reasonOf(ask)).toBe('key_revoked')
    expect(await registry.find('device:7')).toBeUndefined()
    expect(events.map(({ type }) => type)).toEqual(['key.issued'])
  })
})

const taken = [
  {
    clientId: 'ci-runner',
    clientSecret: 'correct-horse-battery-staple',
    policy: { subjects: ['gateway-1'] },
  },
  { clientId: 'gateway-1', clientSecret: 'correct-horse-battery-staple' },
]
