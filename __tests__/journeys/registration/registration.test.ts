import { generateKeyPairSync } from 'node:crypto'
import {
  type ClientRegistry,
  hashSecret,
  memoryStore,
  type PolicyOptions,
  type ProvisioningEvent,
  type RegistrationPolicy,
} from '../../../lib/index.js'
import { memoryClientRegistry } from '../../../lib/stores/memory/memory-clients.js'
import { bindWithProof } from '../../support/binding.js'
import { exactly } from '../../support/exact.js'
import { until } from '../../support/redeeming.js'
import { manage, pathOf, registerClient, update } from '../../support/registering.js'
import { askForKey, exchangeKey, obtainKey, postForm, send } from '../../support/requests.js'
import {
  AUDIENCE,
  CLIENT,
  ISSUER,
  OTHER_AUDIENCE,
  type RunningServer,
  SECRET,
  type ServerPlan,
  startServer,
  WITH_ADMIN,
} from '../../support/server.js'

async function withServer(test: (server: RunningServer) => Promise<void>, plan: ServerPlan = {}) {
  const server = await startServer(plan)
  try {
    await test(server)
  } finally {
    await server.close()
  }
}

/** A registry with the client that asks for keys. */
async function registryWithRunner(policy?: PolicyOptions): Promise<ClientRegistry> {
  const registry = memoryClientRegistry([])
  await registry.save({
    clientId: CLIENT,
    revision: 1,
    secretHash: hashSecret(SECRET),
    authenticationMethods: ['client_secret_basic'],
    ...(policy !== undefined && { policy }),
  })
  return registry
}

const typesOf = (events: readonly ProvisioningEvent[]) => events.map(({ type }) => type)
const jwkOf = () => generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey.export({ format: 'jwk' })

describe('a client that has registered', () => {
  test('gets the address and the token to manage its registration (RFC 7592 3)', () =>
    withServer(async (server) => {
      const client = await registerClient(
        server,
        { scope: 'devices:read' },
        { requested_subject: 'device:7' },
      )
      expect(client.registration_client_uri).toBe(`${ISSUER}/oauth/register/device%3A7`)
      expect(client.registration_access_token).toMatch(/^ZGV2aWNlOjc\.[\w-]{43}$/)
    }))

  test('reads its registration, without its secret', () =>
    withServer(async (server) => {
      const client = await registerClient(server, { scope: 'devices:read', client_name: 'Sensor' })
      const { body, headers } = await manage(server, 'get', client).expect(200)
      const { client_secret: _, ...told } = client
      expect(body).toEqual(told)
      expect(headers['cache-control']).toBe('no-store')
      await manage(server, 'head', client).expect(200)
    }))

  test('replaces it completely: omitted members are removed (RFC 7592 2.2)', () =>
    withServer(async (server) => {
      const client = await registerClient(server, {
        scope: 'devices:read',
        client_name: 'Sensor',
        contacts: ['a'],
      })
      const { body } = await update(server, client, { contacts: undefined, client_name: 'Other' }).expect(200)
      expect(body).toMatchObject({ client_name: 'Other', scope: 'devices:read' })
      expect(body).not.toHaveProperty('contacts')
      expect(body).not.toHaveProperty('client_secret')
      expect((await manage(server, 'get', client).expect(200)).body).toEqual(body)
      expect(server.events.at(-1)).toMatchObject({
        type: 'client.updated',
        clientId: client.client_id,
        tokenRotated: false,
        secretRenewed: false,
      })
      const { client_id: id, client_secret: secret } = client
      await askForKey(server, {}, { id, secret }).expect(200)
    }))

  test('loses a scope that an update does not name, and can have it back', () =>
    withServer(async (server) => {
      const client = await registerClient(server)
      const credentials = { id: client.client_id, secret: client.client_secret }
      await update(server, client, { scope: 'provision:token' }).expect(200)
      await askForKey(server, { scope: 'devices:read' }, credentials).expect(400)
      await update(server, client, { scope: 'provision:token devices:read' }).expect(200)
      await askForKey(server, { scope: 'devices:read' }, credentials).expect(200)
    }))

  test('without a scope is told its scopes, and gets a key by its first request', () =>
    withServer(async (server) => {
      const client = await registerClient(server, {})
      expect(client['scope']).toBe('provision:token devices:read')
      const credentials = { id: client.client_id, secret: client.client_secret }
      const { body } = await askForKey(server, {}, credentials).expect(200)
      expect(body.scope).toBe('provision:token devices:read')
      await askForKey(server, { scope: 'provision:register' }, credentials).expect(400)
      expect((await manage(server, 'get', client).expect(200)).body.scope).toBe(client['scope'])
    }))

  test('gets by an update without a scope all that it may still have', () =>
    withServer(async (server) => {
      const client = await registerClient(server)
      const { body } = await update(server, client, { scope: undefined }).expect(200)
      expect(body.scope).toBe('provision:token devices:read')
      const credentials = { id: client.client_id, secret: client.client_secret }
      expect((await askForKey(server, {}, credentials).expect(200)).body.scope).toBe(body.scope)
    }))

  test('that named no method can use every method after it repeats the answer', () =>
    withServer(async (server) => {
      const client = await registerClient(server)
      const { client_id, client_secret } = client
      const byPost = () =>
        postForm(server, '/oauth/token', { grant_type: 'client_credentials', client_id, client_secret })
      await update(server, client).expect(200)
      await byPost().expect(200)
      await update(server, client, { token_endpoint_auth_method: undefined }).expect(200)
      await byPost().expect(200)
      await update(server, client, { token_endpoint_auth_method: 'client_secret_post' }).expect(200)
      await byPost().expect(200)
      await askForKey(server, {}, { id: client_id, secret: client_secret }).expect(401)
    }))

  test('goes over to private_key_jwt and back, with a new secret then', () =>
    withServer(async (server) => {
      const client = await registerClient(server)
      const method = 'private_key_jwt'
      const { body } = await update(server, client, {
        token_endpoint_auth_method: method,
        jwks: { keys: [jwkOf()] },
      }).expect(200)
      expect(body).not.toHaveProperty('client_secret_expires_at')
      const credentials = { id: client.client_id, secret: client.client_secret }
      await askForKey(server, {}, credentials).expect(401)
      const back = await update(server, client, {
        client_secret: undefined,
        token_endpoint_auth_method: 'client_secret_basic',
      }).expect(200)
      expect(back.body.client_secret).toMatch(/^[\w-]{43}$/)
      expect(back.body.client_secret).not.toBe(client.client_secret)
      await askForKey(server, {}, credentials).expect(401)
      await askForKey(server, {}, { ...credentials, secret: back.body.client_secret }).expect(200)
    }))

  test('registers with private_key_jwt, and gets no secret', () =>
    withServer(async (server) => {
      const client = await registerClient(server, {
        token_endpoint_auth_method: 'private_key_jwt',
        jwks: { keys: [jwkOf()] },
      })
      expect(client).not.toHaveProperty('client_secret')
      expect(client).not.toHaveProperty('client_secret_expires_at')
    }))

  test('can be told by no other method than these', () =>
    withServer(async (server) => {
      const client = await registerClient(server)
      await manage(server, 'post', client).send({}).expect(405).expect('Allow', 'GET, HEAD, PUT, DELETE')
      await send(server, 'get', '/oauth/register').expect(405).expect('Allow', 'POST')
    }))
})

describe('a client that has registered and bound a key', () => {
  test('keeps its method through an update if only a thumbprint names its certificate', async () => {
    const registry = await registryWithRunner()
    await withServer(
      async (server) => {
        const jwks = { keys: [{ ...jwkOf(), 'x5t#S256': `${'x'.repeat(42)}A` }] }
        const client = await registerClient(server, {
          token_endpoint_auth_method: 'self_signed_tls_client_auth',
          jwks,
        })
        await update(server, client).expect(200)
        expect(await registry.find(client.client_id)).toMatchObject({
          authenticationMethods: ['self_signed_tls_client_auth'],
        })
      },
      { options: { clients: registry } },
    )
  })

  test('keeps its bindings through every update, and loses them when it is deleted', () =>
    withServer(async (server) => {
      const subject = { requested_subject: 'device:7' }
      const client = await registerClient(server, { scope: 'devices:read' }, subject)
      expect((await bindWithProof(server, {}, subject)).status).toBe(201)
      expect(await server.keys.listBindings('device:7')).toHaveLength(1)
      // The bound key need not be registered.
      const changes = { token_endpoint_auth_method: 'private_key_jwt', client_secret: undefined }
      await update(server, client, changes).expect(200)
      await update(server, client, { client_secret: undefined }).expect(200)
      expect(await server.keys.listBindings('device:7')).toHaveLength(1)
      await manage(server, 'delete', client).expect(204)
      expect(await server.keys.listBindings('device:7')).toEqual([])
    }))
})

describe('a client that deletes itself', () => {
  test('cannot authenticate afterwards, and its keys and tokens are invalid', () =>
    withServer(async (server) => {
      const client = await registerClient(server, { scope: 'provision:token devices:read' })
      const credentials = { id: client.client_id, secret: client.client_secret }
      const ask = async () => (await askForKey(server, {}, credentials).expect(200)).body.access_token
      const [key, spent] = [await ask(), await ask()]
      const { body: exchanged } = await exchangeKey(server, spent).expect(200)
      await manage(server, 'delete', client).expect(204, '')

      await askForKey(server, {}, credentials).expect(401)
      await send(server, 'get', '/devices').set('Authorization', `Bearer ${key}`).expect(401)
      const [refusal] = server.events.slice(-1)
      expect(refusal).toMatchObject({ type: 'request.refused', reason: 'key_revoked' })
      const introspect = postForm(server, '/oauth/introspect', { token: exchanged.access_token })
      expect((await introspect.auth('ci-runner', 'correct-horse-battery-staple')).body).toEqual({
        active: false,
      })
      await manage(server, 'get', client).expect(401)
      await manage(server, 'delete', client).expect(401)
      expect(server.events).toContainEqual(
        expect.objectContaining({ type: 'client.deleted', clientId: client.client_id, by: 'client' }),
      )
    }))

  test('takes with it what others asked for in its name', () =>
    withServer(async (server) => {
      const subject = { requested_subject: 'device:7' }
      const client = await registerClient(server, {}, subject)
      const key = await obtainKey(server, { scope: 'devices:read', ...subject })
      await manage(server, 'delete', client).expect(204)
      await send(server, 'get', '/devices').set('Authorization', `Bearer ${key}`).expect(401)
    }))

  test('cannot authenticate although the store fails, and can finish when it answers again', async () => {
    const store = memoryStore()
    let fails = true
    const revokeIssuedBefore: typeof store.revokeIssuedBefore = async (bound) => {
      if (fails) throw new Error('down')
      return store.revokeIssuedBefore(bound)
    }
    const options = { store: { ...store, revokeIssuedBefore } }
    await withServer(
      async (server) => {
        const client = await registerClient(server, { scope: 'provision:token devices:read' })
        const credentials = { id: client.client_id, secret: client.client_secret }
        const { body: issued } = await askForKey(server, {}, credentials).expect(200)
        await manage(server, 'delete', client).expect(503)
        // It is not revoked yet, but it has no client.
        await exchangeKey(server, issued.access_token).expect(400)
        expect(server.events.at(-1)).toMatchObject({ reason: 'client_unknown' })
        await askForKey(server, {}, credentials).expect(401)
        await manage(server, 'get', client).expect(401)
        await update(server, client).expect(401)
        expect(typesOf(server.events)).not.toContain('client.deleted')
        fails = false
        await manage(server, 'delete', client).expect(204)
        await manage(server, 'delete', client).expect(401)
      },
      { options },
    )
  })
})

describe('an operator', () => {
  test('removes what an interrupted redemption has registered, by revoking its key', async () => {
    const registry = await registryWithRunner()
    const registered: string[] = []
    const clients = {
      ...registry,
      save(client: Parameters<typeof registry.save>[0]) {
        registered.push(client.clientId)
        return registry.save(client)
      },
    }
    const store = { ...memoryStore(), settle: () => new Promise<never>(() => undefined) }
    await withServer(
      async (server) => {
        registerClient(server).catch(() => undefined)
        await until(async () => registered.length === 1)
        const [issued] = server.events
        if (issued?.type !== 'key.issued') throw new Error('no key')
        const { keyId, clientId } = issued
        expect(await server.keys.revokeKey({ keyId, clientId })).toBe('revoked')
        expect((await registry.find(registered[0] ?? ''))?.authenticationMethods ?? []).toEqual([])
      },
      { options: { clients, store } },
    )
  })

  test('deletes a client, no matter who saved it', () =>
    withServer(async (server) => {
      const key = await obtainKey(server, { scope: 'devices:read' })
      expect(await server.keys.deleteClient('ci-runner')).toBe('deleted')
      expect(await server.keys.deleteClient('ci-runner')).toBe('unknown')
      await askForKey(server).expect(401)
      await send(server, 'get', '/devices').set('Authorization', `Bearer ${key}`).expect(401)
      expect(server.events).toContainEqual(
        expect.objectContaining({ type: 'client.deleted', clientId: 'ci-runner', by: 'operator' }),
      )
      await expect(server.keys.deleteClient('')).rejects.toThrow('clientId: expected the id of a client')
    }))

  test('is told that clients of a lookup function cannot be deleted', () =>
    withServer(
      async (server) => {
        await expect(server.keys.deleteClient('ci-runner')).rejects.toThrow('lookup function')
        await send(server, 'get', '/oauth/register/ci-runner').expect(404)
      },
      { options: { clients: () => undefined } },
    ))
})

describe('a token for another client', () => {
  test('is refused, told of, and revoked; the other client is not touched', () =>
    withServer(async (server) => {
      const [one, other] = [await registerClient(server), await registerClient(server)]
      const mixed = { ...other, registration_access_token: one.registration_access_token }
      await manage(server, 'delete', mixed).expect(401)
      expect(server.events.slice(-2)).toMatchObject([
        { type: 'registration.misused', severity: 'high', clientId: one.client_id, tokenRevoked: true },
        { type: 'request.refused', reason: 'registration_token_misused', clientId: one.client_id },
      ])
      await manage(server, 'get', one).expect(401)
      await manage(server, 'get', other).expect(200)
    }))

  test('revokes nothing when it is forged', () =>
    withServer(async (server) => {
      const [one, other] = [await registerClient(server), await registerClient(server)]
      const forged = one.registration_access_token.replace(/.{4}$/, 'AAAA')
      await manage(server, 'get', { ...other, registration_access_token: forged }).expect(401)
      await manage(server, 'get', { ...one, registration_access_token: forged }).expect(401)
      await manage(server, 'get', one).expect(200)
      await manage(server, 'get', other).expect(200)
      expect(typesOf(server.events)).not.toContain('registration.misused')
    }))

  test('is refused in the same words as any other, whatever clients there are', () =>
    withServer(async (server) => {
      const [one, other] = [await registerClient(server), await registerClient(server)]
      const random = 'A'.repeat(43)
      const tokenFor = (id: string) => `${Buffer.from(id).toString('base64url')}.${random}`
      const asks = [
        [pathOf(one), tokenFor(one.client_id)],
        [pathOf(one), tokenFor('nobody')],
        ['/oauth/register/nobody', tokenFor('nobody')],
        ['/oauth/register/nobody', tokenFor(one.client_id)],
        ['/oauth/register/ci-runner', tokenFor('ci-runner')],
        [pathOf(one), 'nonsense'],
        [pathOf(other), one.registration_access_token],
      ] as const
      const answers = []
      for (const [path, token] of asks) {
        const { status, body, headers } = await send(server, 'get', path).set(
          'Authorization',
          `Bearer ${token}`,
        )
        answers.push(JSON.stringify([status, body, headers['www-authenticate'], headers['content-length']]))
      }
      expect(new Set(answers).size).toBe(1)
      expect(answers[0]).toContain('Bearer realm=\\"auth.example.com\\", error=\\"invalid_token\\"')
      expect(answers[0]).not.toContain('DPoP')
    }))

  test.each([
    ...[
      '%2e%2e',
      '..%2f..',
      '%00',
      '__proto__',
      'constructor',
      '%zz',
      '%c3%28',
      '%',
      '%E0%A4%A',
      '*',
      ':client_id',
    ],
    ...['a'.repeat(6000), `${'%41'.repeat(1500)}`, ';', 'x%2Fy', '%252e'],
  ])('is refused at a path without a client: case %#', (segment) =>
    withServer(async (server) => {
      const client = await registerClient(server)
      const headers = { Authorization: `Bearer ${client.registration_access_token}` }
      for (const method of ['GET', 'DELETE']) {
        const { status, text } = await exactly(server, {
          method,
          path: `/oauth/register/${segment}`,
          headers,
        })
        expect([status, JSON.parse(text).error]).toEqual([401, 'invalid_token'])
      }
      expect(JSON.stringify(server.events)).not.toContain(client.registration_access_token.slice(-20))
    }),
  )

  test.each(['/oauth/register/', '/oauth/register/a/b', '/oauth/Register/a'])('finds nothing at %s', (path) =>
    withServer(async (server) => {
      const { status } = await exactly(server, { method: 'GET', path })
      expect(status).toBe(404)
    }),
  )

  test('is not decoded twice, and its client is found whatever characters its id has', () => {
    const clients = [
      {
        clientId: 'ci-runner',
        clientSecret: 'correct-horse-battery-staple',
        policy: { subjects: ['a/b %2e?#&+~', '.', '..', '__proto__'] },
      },
    ]
    return withServer(
      async (server) => {
        for (const requested_subject of ['a/b %2e?#&+~', '__proto__']) {
          const client = await registerClient(server, {}, { requested_subject })
          await manage(server, 'get', client).expect(200)
          await update(server, client).expect(200)
          await manage(server, 'delete', client).expect(204)
        }
        for (const requested_subject of ['.', '..'])
          await expect(registerClient(server, {}, { requested_subject })).rejects.toThrow(/consists of dots/)
      },
      { options: { clients } },
    )
  })
})

describe('a registration access token', () => {
  test('is revoked when it comes in clear, and the client is told nothing', () =>
    withServer(async (server) => {
      const client = await registerClient(server)
      const cleartextPort = await server.openHttp()
      const headers = { Authorization: `Bearer ${client.registration_access_token}` }
      const path = pathOf(client)
      const answer = await exactly(server, { method: 'GET', path, headers, cleartextPort })
      const without = await exactly(server, { method: 'GET', path, cleartextPort })
      expect([answer.status, answer.text]).toEqual([403, without.text])
      await until(() => server.events.some(({ type }) => type === 'registration.exposed'))
      const exposed = { type: 'registration.exposed', clientId: client.client_id, tokenRevoked: true }
      expect(server.events).toContainEqual(expect.objectContaining(exposed))
      await manage(server, 'get', client).expect(401)
    }))

  test('is presented in the header alone, as Bearer, once', () =>
    withServer(async (server) => {
      const client = await registerClient(server)
      const token = client.registration_access_token
      await send(server, 'get', `${pathOf(client)}?access_token=${token}`).expect(400)
      await send(server, 'get', pathOf(client))
        .expect(401)
        .expect('WWW-Authenticate', 'Bearer realm="auth.example.com"')
      await send(server, 'get', pathOf(client)).set('Authorization', `DPoP ${token}`).expect(401)
      const basic = Buffer.from(`${client.client_id}:${client.client_secret}`).toString('base64')
      await send(server, 'get', pathOf(client)).set('Authorization', `Basic ${basic}`).expect(401)
      await manage(server, 'get', client).expect(200)
    }))

  test('ends with its time, which each update starts again', async () => {
    let seconds = Math.floor(Date.now() / 1000)
    const options = {
      now: () => seconds * 1000,
      registration: { accessTokenLifetimeSeconds: 1000 },
    }
    await withServer(
      async (server) => {
        const client = await registerClient(server)
        seconds += 999
        await update(server, client).expect(200)
        seconds += 999
        await manage(server, 'get', client).expect(200)
        seconds += 1
        await manage(server, 'get', client).expect(401)
        expect(server.events.at(-1)).toMatchObject({ reason: 'registration_token_expired' })
        await manage(server, 'delete', client).expect(401)
      },
      { options },
    )
  })

  test('is replaced at each update where that is wanted, and works on for the overlap', async () => {
    let seconds = Math.floor(Date.now() / 1000)
    const options = {
      now: () => seconds * 1000,
      registration: { rotateAccessToken: true, overlapSeconds: 30 },
    }
    await withServer(
      async (server) => {
        const first = await registerClient(server)
        const second = { ...first, ...(await update(server, first).expect(200)).body }
        expect(second.registration_access_token).not.toBe(first.registration_access_token)
        seconds += 29
        // The answer was lost. The token before it still works, and neither gets more time.
        const third = { ...first, ...(await update(server, first).expect(200)).body }
        await manage(server, 'get', second).expect(200)
        seconds += 1
        await manage(server, 'get', first).expect(401)
        await manage(server, 'get', second).expect(200)
        seconds += 29
        await manage(server, 'get', second).expect(401)
        await manage(server, 'get', third).expect(200)
        expect(server.events.filter(({ type }) => type === 'client.updated')).toMatchObject([
          { tokenRotated: true },
          { tokenRotated: true },
        ])
      },
      { options },
    )
  })
})

describe('a client secret that ends', () => {
  test('is renewed by an update in the second half of its life, and again when that answer was lost', async () => {
    let seconds = Math.floor(Date.now() / 1000)
    const options = { now: () => seconds * 1000, registration: { clientSecretLifetimeSeconds: 1000 } }
    await withServer(
      async (server) => {
        const client = await registerClient(server)
        expect(client.client_secret_expires_at).toBe(seconds + 1000)
        const asks = (secret: unknown) =>
          askForKey(server, {}, { id: client.client_id, secret: String(secret) })
        seconds += 499
        expect((await update(server, client).expect(200)).body).not.toHaveProperty('client_secret')
        seconds += 1
        const { body } = await update(server, client).expect(200)
        expect(body.client_secret_expires_at).toBe(seconds + 1000)
        await asks(client.client_secret).expect(401)
        const { body: again } = await update(server, client, { client_secret: undefined }).expect(200)
        await asks(body.client_secret).expect(401)
        await asks(again.client_secret).expect(200)
        const shown = await update(server, client, { client_secret: again.client_secret }).expect(200)
        expect(shown.body).not.toHaveProperty('client_secret')
        seconds += 1000
        await asks(again.client_secret).expect(401)
        const { body: late } = await update(server, client, { client_secret: undefined }).expect(200)
        await asks(late.client_secret).expect(200)
      },
      { options },
    )
  })
})

describe('an update that asks for more', () => {
  const REFUSED: [string, Record<string, unknown>, string][] = [
    ['a scope that the key did not carry', { scope: 'devices:create' }, 'invalid_client_metadata'],
    ['the right to register others', { scope: 'provision:register' }, 'invalid_client_metadata'],
    ['another identity', { client_id: 'ci-runner' }, 'invalid_client_metadata'],
    ['no identity', { client_id: undefined }, 'invalid_client_metadata'],
    ['a secret of its own choice', { client_secret: 'chosen-by-myself' }, 'invalid_client_metadata'],
    ['a secret that is none', { client_secret: null }, 'invalid_client_metadata'],
    ['a secret that never ends', { client_secret_expires_at: 0 }, 'invalid_client_metadata'],
    ['another date of birth', { client_id_issued_at: 1 }, 'invalid_client_metadata'],
    ['another token', { registration_access_token: 'x.y' }, 'invalid_client_metadata'],
    ['another address', { registration_client_uri: 'https://evil.example.com' }, 'invalid_client_metadata'],
    ['another address of keys', { jwks_uri: 'https://evil.example.com' }, 'invalid_client_metadata'],
    ['no authentication', { token_endpoint_auth_method: 'none' }, 'invalid_client_metadata'],
    [
      'keys that it does not send',
      { token_endpoint_auth_method: 'private_key_jwt' },
      'invalid_client_metadata',
    ],
    ['private keys', { jwks: { keys: [{ ...jwkOf(), d: 'AAAA' }] } }, 'invalid_client_metadata'],
    ['a redirect in clear', { redirect_uris: ['http://evil.example.com'] }, 'invalid_redirect_uri'],
    ['a software statement', { software_statement: 'e30.e30.AAAA' }, 'invalid_software_statement'],
  ]
  test.each(REFUSED)('is refused, and changes nothing: %s', (_title, changes, error) =>
    withServer(async (server) => {
      const client = await registerClient(server)
      const before = (await manage(server, 'get', client).expect(200)).body
      const { body } = await update(server, client, changes).expect(400)
      expect(body.error).toBe(error)
      expect((await manage(server, 'get', client).expect(200)).body).toEqual(before)
      expect(typesOf(server.events)).not.toContain('client.updated')
    }),
  )

  test('gets nothing that the client which asked for the key has lost since', async () => {
    const secret = 'correct-horse-battery-staple'
    const policy = { scopes: ['provision:register', 'provision:token', 'devices:read'], lifetimeSeconds: 300 }
    const asker = memoryClientRegistry([])
    const save = async (revision: number, changed: object) =>
      expect(
        await asker.save({
          clientId: 'ci-runner',
          revision,
          secretHash: hashSecret(secret),
          authenticationMethods: ['client_secret_basic'],
          policy: { ...policy, ...changed },
        }),
      ).toBe(true)
    await save(1, {})
    await withServer(
      async (server) => {
        const client = await registerClient(server)
        await save(2, {
          scopes: ['provision:register', 'provision:token'],
          lifetimeSeconds: 60,
          maxLifetimeSeconds: 60,
        })
        await update(server, client).expect(400)
        await update(server, client, { scope: 'provision:token' }).expect(200)
        const kept = await asker.find(client.client_id)
        expect(kept?.policy).toMatchObject({ maxLifetimeSeconds: 60, lifetimeSeconds: 60 })
        // Wider again: the narrowed members stay narrow, but the client can get everything that the key allowed.
        await save(3, { maxLifetimeSeconds: 900 })
        await update(server, client, { scope: 'devices:read' }).expect(200)
        expect((await asker.find(client.client_id))?.policy).toMatchObject({ maxLifetimeSeconds: 60 })
        await asker.delete('ci-runner')
        await update(server, client, { scope: 'provision:token' }).expect(400)
        await update(server, client).expect(200)
        const { body: defaulted } = await update(server, client, { scope: undefined }).expect(200)
        expect(defaulted.scope).toBe('devices:read')
      },
      { options: { clients: asker } },
    )
  })

  test('does not replace a client that was registered again in the meantime', async () => {
    const registry = await registryWithRunner({ ...WITH_ADMIN, registrationPolicies: ['slow'] })
    const other = { authenticationMethods: [], registeredBy: { clientId: 'ci-runner', keyId: 'another' } }
    const slow: RegistrationPolicy = async ({ operation, clientId }) => {
      if (operation !== 'update') return
      await registry.delete(clientId, 1)
      await registry.save({ ...other, clientId, revision: 1 })
    }
    await withServer(
      async (server) => {
        const client = await registerClient(server)
        const { body } = await update(server, client).expect(409)
        expect(body.error_description).toMatch(/changed by another request/)
        expect(await registry.find(client.client_id)).toMatchObject({ ...other, revision: 1 })
      },
      { options: { clients: registry, registration: { policies: { slow } } } },
    )
  })

  test('keeps what the operator has granted', async () => {
    const registry = await registryWithRunner()
    await withServer(
      async (server) => {
        const client = await registerClient(server)
        const kept = await registry.find(client.client_id)
        if (kept === undefined) throw new Error('not kept')
        const granted = {
          audiences: [AUDIENCE, OTHER_AUDIENCE],
          introspectAudiences: [AUDIENCE],
          subjects: ['sensor:*'],
        }
        await registry.save({ ...kept, revision: 2, policy: { ...kept.policy, ...granted } })
        await update(server, client).expect(200)
        expect((await registry.find(client.client_id))?.policy).toMatchObject(granted)
      },
      { options: { clients: registry } },
    )
  })

  test('does not get back what the operator took away', async () => {
    const registry = await registryWithRunner()
    await withServer(
      async (server) => {
        const client = await registerClient(server, { scope: 'provision:token devices:read' })
        const kept = await registry.find(client.client_id)
        if (kept === undefined) throw new Error('not kept')
        const policy = { ...kept.policy, scopes: ['provision:token'], networks: ['192.0.2.0/24'] }
        await registry.save({ ...kept, revision: 2, policy, authenticationMethods: ['client_secret_post'] })
        await update(server, client).expect(400)
        const changes = { scope: 'provision:token' }
        const { body } = await update(server, client, changes).expect(400)
        expect(body.error_description).toMatch(/may no longer authenticate by this method/)
        await update(server, client, { ...changes, token_endpoint_auth_method: 'client_secret_post' }).expect(
          200,
        )
        await update(server, client, {
          scope: 'devices:read',
          token_endpoint_auth_method: 'client_secret_post',
        }).expect(400)
        const { body: defaulted } = await update(server, client, {
          scope: undefined,
          token_endpoint_auth_method: 'client_secret_post',
        }).expect(200)
        expect(defaulted.scope).toBe('provision:token')
        const after = await registry.find(client.client_id)
        expect(after?.policy).toMatchObject({ scopes: ['provision:token'], networks: ['192.0.2.0/24'] })
      },
      { options: { clients: registry } },
    )
  })
})
