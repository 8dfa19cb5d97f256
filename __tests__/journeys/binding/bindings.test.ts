import { memoryStore, type PolicyOptions, type ProvisioningOptions } from '../../../lib/index.js'
import { bindWithProof } from '../../support/binding.js'
import { askSigned, bindByProof, postSigned } from '../../support/bound-client.js'
import { makeCertificate } from '../../support/certificates.js'
import { CLIENT_ALGORITHMS, clientKey } from '../../support/client-assertion.js'
import { sendMutual, startMutualServer } from '../../support/mutual-tls.js'
import { signProof } from '../../support/proof.js'
import { until } from '../../support/redeeming.js'
import { askForKey, obtainKey, postForm, send } from '../../support/requests.js'
import {
  CLIENT,
  ISSUER,
  type RunningServer,
  SECRET,
  startServer,
  workingOptions,
} from '../../support/server.js'

const DEVICE = 'device:7'
const FOR_DEVICE = { requested_subject: DEVICE, scope: 'provision:bind devices:read' }

async function withServer(
  policy: PolicyOptions,
  test: (server: RunningServer) => Promise<void>,
  more: Partial<ProvisioningOptions> = {},
): Promise<void> {
  const server = await startServer({
    options: { policy: { ...workingOptions().policy, ...policy }, ...more },
  })
  try {
    await test(server)
  } finally {
    await server.close()
  }
}

const list = (server: RunningServer, clientId = CLIENT) =>
  postForm(server, '/oauth/bindings', {}).auth(clientId, SECRET)
const unbind = (server: RunningServer, binding_id: string, clientId = CLIENT) =>
  postForm(server, '/oauth/bindings/revoke', { binding_id }).auth(clientId, SECRET)

describe('a device without a secret', () => {
  test.each(CLIENT_ALGORITHMS)(
    'binds its %s key by a DPoP proof alone, and is a client from then on',
    (alg) =>
      withServer({}, async (server) => {
        const key = clientKey(alg)
        const bound = await bindByProof(server, key, FOR_DEVICE)
        expect(bound.status).toBe(201)
        expect(bound.body).toMatchObject({ client_id: DEVICE, cnf: { jkt: expect.any(String) } })
        expect((await askSigned(server, key, DEVICE)).body).toMatchObject({ scope: 'provision:bind' })
        await askSigned(server, clientKey(alg), DEVICE).expect(401)
        await askSigned(server, key, CLIENT).expect(401)
      }),
  )

  test('replaces its key where policy allows it, and the old key stops immediately', () =>
    withServer({ rebinding: 'replace' }, async (server) => {
      const [first, second] = [clientKey(), clientKey('Ed25519')]
      expect(await bindByProof(server, first, FOR_DEVICE)).toMatchObject({ status: 201 })
      const { body } = await askSigned(server, first, DEVICE).expect(200)
      const token = body.access_token as string
      const proof = signProof(second, { method: 'POST', url: `${ISSUER}/oauth/bind` }, { token })
      await send(server, 'post', '/oauth/bind')
        .set({ Authorization: `Bearer ${token}`, DPoP: proof })
        .expect(201)
      await askSigned(server, first, DEVICE).expect(401)
      await askSigned(server, second, DEVICE).expect(200)
      expect(server.events).toContainEqual(
        expect.objectContaining({ type: 'client.unbound', clientId: DEVICE, by: 'replacement' }),
      )
    }))

  test('lists and revokes its keys by one of them, and locks itself out with the last', () =>
    withServer({ rebinding: 'add' }, async (server) => {
      const [first, second] = [clientKey(), clientKey('RS256')]
      const ids: string[] = []
      for (const key of [first, second])
        ids.push((await bindByProof(server, key, FOR_DEVICE)).body.binding_id)
      const self = { key: second, clientId: DEVICE }
      const listed = await postSigned(server, '/oauth/bindings', self).expect(200)
      expect(listed.headers).toMatchObject({ 'cache-control': 'no-store' })
      expect(listed.body.bindings.map((one: { binding_id: string }) => one.binding_id)).toEqual(ids)
      const revoke = (id = '') => postSigned(server, '/oauth/bindings/revoke', self, { binding_id: id })
      const revoked = await revoke(ids[0]).expect(200)
      expect(revoked.text).toBe('')
      await askSigned(server, first, DEVICE).expect(401)
      await revoke(ids[1]).expect(200)
      await postSigned(server, '/oauth/bindings', self).expect(401)
      // The client remains, but nobody can authenticate as it until another client binds a key to it.
      const third = clientKey()
      expect(await bindByProof(server, third, FOR_DEVICE)).toMatchObject({ status: 201 })
      await askSigned(server, third, DEVICE).expect(200)
    }))

  test('gets a new binding from the operator after it has lost its key', () =>
    withServer({}, async (server) => {
      const lost = clientKey()
      await bindByProof(server, lost, FOR_DEVICE)
      expect(await bindByProof(server, clientKey(), FOR_DEVICE)).toMatchObject({ status: 400 })
      const [binding] = await server.keys.listBindings(DEVICE)
      const { bindingId } = binding ?? { bindingId: '' }
      expect(await server.keys.revokeBinding({ clientId: DEVICE, bindingId })).toBe('revoked')
      const fresh = clientKey()
      expect(await bindByProof(server, fresh, FOR_DEVICE)).toMatchObject({ status: 201 })
      await askSigned(server, lost, DEVICE).expect(401)
      await askSigned(server, fresh, DEVICE).expect(200)
    }))
})

describe('a device with a client certificate', () => {
  const clients: ProvisioningOptions['clients'] = [
    { clientId: CLIENT, clientSecret: SECRET, policy: { subjects: ['device:*'] } },
  ]
  const policy = workingOptions().policy ?? {}
  const certificate = makeCertificate()

  async function bindOver(server: RunningServer, headers: readonly string[] = [], shown = certificate) {
    const key = await obtainKey(server, FOR_DEVICE)
    const authorization = ['Authorization', `Bearer ${key}`]
    return sendMutual(server, {
      certificate: shown,
      path: '/oauth/bind',
      headers: [...authorization, ...headers],
    })
  }

  async function withMutual(test: (server: RunningServer) => Promise<void>) {
    const server = await startMutualServer({ clients, policy })
    try {
      await test(server)
    } finally {
      await server.close()
    }
  }

  const ask = (server: RunningServer, shown: typeof certificate | undefined) =>
    sendMutual(server, {
      certificate: shown,
      form: { grant_type: 'client_credentials', client_id: DEVICE, scope: 'devices:read' },
    })

  test('binds that, and authenticates by it from then on, until it is revoked', () =>
    withMutual(async (server) => {
      const bound = await bindOver(server)
      expect(bound).toMatchObject({
        status: 201,
        body: { client_id: DEVICE, cnf: { 'x5t#S256': certificate.thumbprint } },
      })
      expect(await ask(server, certificate)).toMatchObject({ status: 200 })
      expect(await ask(server, makeCertificate())).toMatchObject({ status: 401 })
      expect(await ask(server, undefined)).toMatchObject({ status: 401 })
      const [binding] = await server.keys.listBindings(DEVICE)
      await server.keys.revokeBinding({ clientId: DEVICE, bindingId: binding?.bindingId ?? '' })
      expect(await ask(server, certificate)).toMatchObject({ status: 401 })
    }))

  test('binds the key of its DPoP proof where it sends one', () =>
    withMutual(async (server) => {
      const token = await obtainKey(server, FOR_DEVICE)
      const proof = signProof(clientKey(), { method: 'POST', url: `${ISSUER}/oauth/bind` }, { token })
      const headers = ['Authorization', `Bearer ${token}`, 'DPoP', proof]
      const bound = await sendMutual(server, { certificate, path: '/oauth/bind', headers })
      expect(bound).toMatchObject({ status: 201, body: { cnf: { jkt: expect.any(String) } } })
      expect(bound.body).not.toHaveProperty(['cnf', 'x5t#S256'])
    }))

  test('binds none that has expired, and spends no key on it', () =>
    withMutual(async (server) => {
      const expired = makeCertificate({ notAfter: new Date(Date.now() - 60_000) })
      expect(await bindOver(server, [], expired)).toMatchObject({
        status: 400,
        body: { error: 'invalid_request', error_description: expect.stringMatching(/expired/) },
      })
      expect(server.events.some(({ type }) => type === 'key.redeemed' || type === 'key.released')).toBe(false)
    }))
})

describe('the bindings of a client', () => {
  test('are told to itself alone', () =>
    withServer({}, async (server) => {
      const { body } = await bindWithProof(server)
      const { binding_id, cnf, bound_at } = body
      expect((await list(server).expect(200)).body).toEqual({ bindings: [{ binding_id, cnf, bound_at }] })
      expect((await list(server, 'bystander').expect(200)).body).toEqual({ bindings: [] })
    }))

  test('are revoked by itself alone; nobody learns which there are', () =>
    withServer({}, async (server) => {
      const { body } = await bindWithProof(server)
      const answers = [
        await unbind(server, body.binding_id, 'bystander'),
        await unbind(server, 'unknown'),
        await unbind(server, `${body.binding_id} `),
      ]
      for (const { status, text } of answers) expect([status, text]).toEqual([200, ''])
      expect((await list(server)).body.bindings).toHaveLength(1)
      expect(server.events.some(({ type }) => type === 'client.unbound')).toBe(false)
      await unbind(server, body.binding_id).expect(200)
      expect((await list(server)).body).toEqual({ bindings: [] })
      expect(server.events.at(-1)).toMatchObject({
        type: 'client.unbound',
        clientId: CLIENT,
        bindingId: body.binding_id,
        confirmation: body.cnf,
        by: 'client',
      })
      await askForKey(server).expect(200)
    }))

  test('are never more than policy allows, also with concurrent requests', () =>
    withServer({ rebinding: 'add', maxBindings: 3 }, async (server) => {
      const answers = await Promise.all(Array.from({ length: 30 }, () => bindWithProof(server)))
      const statuses = answers.map(({ status }) => status)
      expect(statuses.filter((status) => status === 201)).toHaveLength(3)
      expect(statuses.filter((status) => status === 400)).toHaveLength(27)
      expect((await list(server)).body.bindings).toHaveLength(3)
      expect(server.events.filter(({ type }) => type === 'client.bound')).toHaveLength(3)
    }))

  test('stay as they are when the key cannot be settled', () => {
    const store = { ...memoryStore(), settle: () => Promise.reject(new Error('connection lost')) }
    return withServer(
      {},
      async (server) => {
        expect(await bindByProof(server, clientKey(), FOR_DEVICE)).toMatchObject({ status: 503 })
        await until(async () => (await server.keys.listBindings(DEVICE)).length === 0)
      },
      { store },
    )
  })

  test('end with a revoked key, if its redemption was interrupted', () => {
    const store = { ...memoryStore(), settle: () => new Promise<never>(() => undefined) }
    return withServer(
      {},
      async (server) => {
        bindByProof(server, clientKey(), FOR_DEVICE).catch(() => undefined)
        await until(async () => (await server.keys.listBindings(DEVICE)).length === 1)
        const [issued] = server.events
        if (issued?.type !== 'key.issued') throw new Error('no key')
        const { keyId, clientId } = issued
        expect(await server.keys.revokeKey({ keyId, clientId })).toBe('revoked')
        expect(await server.keys.listBindings(DEVICE)).toEqual([])
      },
      { store },
    )
  })
})

describe('the endpoints for bindings', () => {
  const METADATA = '/.well-known/oauth-authorization-server'
  const PROMISED = [
    'provisioning_bindings_endpoint',
    'provisioning_binding_revocation_endpoint',
    'provisioning_bindings_endpoint_auth_methods_supported',
    'provisioning_binding_revocation_endpoint_auth_methods_supported',
  ]

  test('are there by themselves, and promised then', async () => {
    const server = await startServer({
      mount: (app, keys) => void app.use(keys.bindings(), keys.metadata()),
    })
    try {
      const { body } = await send(server, 'get', METADATA).expect(200)
      expect(body).toMatchObject({
        provisioning_bindings_endpoint: `${ISSUER}/oauth/bindings`,
        provisioning_binding_revocation_endpoint: `${ISSUER}/oauth/bindings/revoke`,
        provisioning_bindings_endpoint_auth_methods_supported: expect.arrayContaining(['private_key_jwt']),
      })
      expect(body).not.toHaveProperty('provisioning_binding_endpoint')
      await list(server).expect(200)
      await send(server, 'post', '/oauth/bind').expect(404)
    } finally {
      await server.close()
    }
  })

  test('are not there where clients cannot be saved', () =>
    withServer(
      {},
      async (server) => {
        const { body } = await send(server, 'get', METADATA).expect(200)
        for (const name of PROMISED) expect(body).not.toHaveProperty(name)
        await list(server).expect(404)
        await unbind(server, 'a').expect(404)
      },
      { clients: () => ({ clientId: CLIENT, clientSecret: SECRET }) },
    ))
})
