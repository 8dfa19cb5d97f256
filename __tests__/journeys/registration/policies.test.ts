import { generateKeyPairSync, type KeyObject, sign } from 'node:crypto'
import jsonwebtoken from 'jsonwebtoken'
import type { ProposedRegistration, ProvisioningOptions, RegistrationPolicy } from '../../../lib/index.js'
import { REGISTERING, registerClient, update } from '../../support/registering.js'
import { askForKey, obtainKey, send } from '../../support/requests.js'
import { CLIENT, ISSUER, type RunningServer, SECRET, startServer } from '../../support/server.js'

const AUTHORITY = 'https://authority.example.com'
const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })

async function withServer(
  registration: ProvisioningOptions['registration'],
  policy: ProvisioningOptions['policy'],
  test: (server: RunningServer) => Promise<void>,
) {
  const scopes = ['provision:register', 'provision:token', 'devices:read']
  const clients = [{ clientId: CLIENT, clientSecret: SECRET, policy: { scopes, ...policy } }]
  const server = await startServer({ options: { ...(registration && { registration }), clients } })
  try {
    await test(server)
  } finally {
    await server.close()
  }
}

async function register(server: RunningServer, metadata: object, key?: string) {
  const used = key ?? (await obtainKey(server, { scope: REGISTERING }))
  return send(server, 'post', '/oauth/register').set('Authorization', `Bearer ${used}`).send(metadata)
}

function statement(
  claims: object,
  key: KeyObject = privateKey,
  algorithm: 'ES256' | 'none' = 'ES256',
): string {
  const now = Math.floor(Date.now() / 1000)
  return jsonwebtoken.sign({ iss: AUTHORITY, iat: now, ...claims }, algorithm === 'none' ? '' : key, {
    algorithm,
  })
}

describe('a registration policy', () => {
  const named = (policy: RegistrationPolicy) => ({ policies: { mine: policy } })

  test('sees the registration, and checks every update again', () => {
    const seen: ProposedRegistration[] = []
    const policy: RegistrationPolicy = (proposed) => {
      seen.push(proposed)
      return proposed.metadata.client_name === 'bad' ? { refuse: 'No bad names here.' } : undefined
    }
    return withServer(named(policy), { registrationPolicies: ['mine'] }, async (server) => {
      const client = await registerClient(server, { client_name: 'good' })
      const { body } = await update(server, client, { client_name: 'bad' }).expect(400)
      expect(body).toEqual({ error: 'invalid_client_metadata', error_description: 'No bad names here.' })
      await update(server, client, { client_name: 'better' }).expect(200)
      const { client_id: clientId } = client
      expect(seen).toMatchObject([
        { operation: 'register', clientId, registeredBy: CLIENT, metadata: { client_name: 'good' } },
        { operation: 'update', metadata: { client_name: 'bad' }, current: { client_name: 'good' } },
        { operation: 'update', metadata: { client_name: 'better' }, current: { client_name: 'good' } },
      ])
      expect(JSON.stringify(seen)).not.toContain(client.client_secret)
      expect(Object.isFrozen(seen[0]?.metadata.grant_types)).toBe(true)
    })
  })

  test('can change a registration and its updates, and no update avoids it', () => {
    const policy: RegistrationPolicy = async ({ metadata }) => ({ ...metadata, client_name: 'ours' })
    return withServer(named(policy), { registrationPolicies: ['mine'] }, async (server) => {
      const client = await registerClient(server, { client_name: 'theirs' })
      expect(client.client_name).toBe('ours')
      expect((await update(server, client, { client_name: 'theirs' }).expect(200)).body.client_name).toBe(
        'ours',
      )
    })
  })

  test('sees the default scope, and takes all scopes away where it leaves the scope out', () => {
    const seen: unknown[] = []
    const policy: RegistrationPolicy = ({ metadata: { scope, ...others } }) => {
      seen.push(scope)
      return others
    }
    return withServer(named(policy), { registrationPolicies: ['mine'] }, async (server) => {
      const client = await registerClient(server, {})
      const { body } = await update(server, client, {}).expect(200)
      expect(seen).toEqual(['provision:token devices:read', 'provision:token devices:read'])
      expect(client).not.toHaveProperty('scope')
      expect(body).not.toHaveProperty('scope')
      const credentials = { id: client.client_id, secret: client.client_secret }
      await askForKey(server, {}, credentials).expect(400, /invalid_scope/)
      await askForKey(server, { scope: 'devices:read' }, credentials).expect(400, /invalid_scope/)
    })
  })

  test('comes after those of the deployment, and sees their result', () => {
    const add =
      (letter: string): RegistrationPolicy =>
      ({ metadata }) => ({ ...metadata, client_name: `${metadata.client_name ?? ''}${letter}` })
    const options = {
      registration: { policies: { a: add('a'), b: add('b') } },
      policy: {
        scopes: ['provision:register', 'provision:token', 'devices:create', 'devices:read'],
        registrationPolicies: ['a'],
      },
      clients: [{ clientId: CLIENT, clientSecret: SECRET, policy: { registrationPolicies: ['b', 'a'] } }],
    }
    return startServer({ options }).then(async (server) => {
      try {
        expect((await registerClient(server, {})).client_name).toBe('ab')
      } finally {
        await server.close()
      }
    })
  })

  const FAILING: [string, RegistrationPolicy][] = [
    [
      'throws',
      () => {
        throw new Error('secret detail')
      },
    ],
    ['rejects', () => Promise.reject(new Error('secret detail'))],
    ['answers true', () => true as never],
    ['answers a list', () => [] as never],
    ['answers null', () => null as never],
    ['answers metadata that are not valid', ({ metadata }) => ({ ...metadata, grant_types: ['implicit'] })],
    ['answers a scope beyond', ({ metadata }) => ({ ...metadata, scope: 'devices:create' })],
    ['answers what cannot be copied', () => ({ client_name: () => 'x' })],
    [
      'changes its argument',
      ({ metadata }) => {
        Object.assign(metadata, { scope: 'admin' })
      },
    ],
  ]
  test.each(FAILING)('that %s lets nothing pass, tells nothing, and spends nothing', (_title, policy) => {
    let good = false
    const switched: RegistrationPolicy = (proposed) => (good ? undefined : policy(proposed))
    return withServer(named(switched), { registrationPolicies: ['mine'] }, async (server) => {
      const key = await obtainKey(server, { scope: REGISTERING })
      const { status, body, text } = await register(server, { client_name: 'x' }, key)
      expect([status, body.error]).toEqual([500, 'server_error'])
      expect(text).not.toMatch(/secret|mine|policy/)
      expect(server.events.at(-1)).toMatchObject({ reason: 'server_fault' })
      good = true
      expect((await register(server, {}, key)).status).toBe(201)
    })
  })

  test('that is not there is a fault of the configuration', () => {
    const start = (registrationPolicies: string[]) =>
      withServer(
        named(() => undefined),
        { registrationPolicies },
        async () => undefined,
      )
    return expect(start(['mine', 'toString'])).rejects.toThrow(
      'clients[0].policy.registrationPolicies: expected names of registration.policies, got "toString"',
    )
  })

  test('that is not there, of a client found later, refuses its registrations and nothing else', async () => {
    const policy = { scopes: ['provision:register', 'devices:read'], registrationPolicies: ['lost'] }
    const found = { clientId: CLIENT, clientSecret: SECRET, policy }
    const kept = new Map<string, object>([[CLIENT, found]])
    const clients = {
      find: async (id: string) => kept.get(id) as never,
      save: async () => true,
      delete: async () => true,
    }
    const server = await startServer({ options: { clients } })
    try {
      const key = await obtainKey(server, { scope: 'provision:register devices:read' })
      expect((await register(server, {}, key)).status).toBe(500)
      expect(server.events.at(-1)).toMatchObject({
        reason: 'server_fault',
        detail: expect.stringContaining('lost'),
      })
    } finally {
      await server.close()
    }
  })
})

describe('a software statement', () => {
  const trusting = { softwareStatements: [{ issuer: AUTHORITY, key: publicKey }] }

  test('wins over what its bearer says, in every language, and comes back as it is (RFC 7591 2.3)', () =>
    withServer(trusting, {}, async (server) => {
      const software_statement = statement({ software_id: 'a', client_name: 'Attested', aud: ISSUER })
      const body = {
        software_statement,
        software_id: 'b',
        client_name: 'Mine',
        'client_name#de': 'Meins',
        contacts: ['c'],
      }
      const client = await registerClient(server, body)
      expect(client).toMatchObject({
        software_id: 'a',
        client_name: 'Attested',
        software_statement,
        contacts: ['c'],
      })
      expect(client).not.toHaveProperty('client_name#de')
      expect(client).not.toHaveProperty('iss')
      const updated = await update(server, client, { software_id: 'b' }).expect(200)
      expect(updated.body).toMatchObject({ software_id: 'a', software_statement })
    }))

  test('says which scope a client gets that names none', () =>
    withServer(trusting, {}, async (server) => {
      const client = await registerClient(server, {
        software_statement: statement({ scope: 'devices:read' }),
      })
      expect(client['scope']).toBe('devices:read')
    }))

  test('is validated like what a registrant says itself', () =>
    withServer(trusting, {}, async (server) => {
      for (const claims of [
        { scope: 'admin' },
        { jwks_uri: 'https://a.example' },
        { grant_types: ['implicit'] },
      ]) {
        const { status, body } = await register(server, { software_statement: statement(claims) })
        expect([status, body.error]).toEqual([400, 'invalid_client_metadata'])
      }
      const { body } = await register(server, { software_statement: statement({ redirect_uris: ['x'] }) })
      expect(body.error).toBe('invalid_redirect_uri')
    }))

  const now = Math.floor(Date.now() / 1000)
  const other = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey
  /** Signed without the checks of a JWT library. */
  const bare = (header: object, claims: object) => {
    const parts = [header, claims].map((part) => Buffer.from(JSON.stringify(part)).toString('base64url'))
    const options = { key: privateKey, dsaEncoding: 'ieee-p1363' } as const
    return `${parts.join('.')}.${sign('sha256', Buffer.from(parts.join('.')), options).toString('base64url')}`
  }
  const INVALID: [string, unknown][] = [
    ['that is no text', 7],
    ['that is no JWT', 'a.b'],
    ['by another key', statement({}, other)],
    ['without a signature', statement({}, privateKey, 'none')],
    [
      'signed with a secret',
      jsonwebtoken.sign({ iss: AUTHORITY }, publicKey.export({ format: 'pem', type: 'spki' }).toString(), {
        algorithm: 'HS256',
        allowInvalidAsymmetricKeyTypes: true,
      } as never),
    ],
    ['with a crit header', bare({ alg: 'ES256', crit: ['x'] }, { iss: AUTHORITY })],
    [
      'of another type',
      jsonwebtoken.sign({ iss: AUTHORITY }, privateKey, {
        algorithm: 'ES256',
        header: { alg: 'ES256', typ: 'at+jwt' },
      }),
    ],
    ['that has expired', statement({ exp: now - 60 })],
    ['that expires in words', bare({ alg: 'ES256' }, { iss: AUTHORITY, exp: 'never' })],
    ['that is not valid yet', statement({ nbf: now + 60 })],
    ['that is from the future', statement({ iat: now + 60 })],
    ['for another server', statement({ aud: 'https://other.example.com' })],
    ['without an issuer', statement({ iss: undefined })],
  ]
  test.each(INVALID)('%s is invalid', (_title, software_statement) =>
    withServer(trusting, {}, async (server) => {
      const { status, body } = await register(server, { software_statement })
      expect([status, body.error]).toEqual([400, 'invalid_software_statement'])
    }),
  )

  test('may use no other algorithm than its key names', () => {
    const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 })
    const jwk = { ...rsa.publicKey.export({ format: 'jwk' }), alg: 'PS256' }
    const registration = { softwareStatements: [{ issuer: AUTHORITY, jwks: { keys: [jwk] } }] }
    const signedBy = (algorithm: 'RS256' | 'PS256') =>
      jsonwebtoken.sign({ iss: AUTHORITY }, rsa.privateKey, { algorithm })
    return withServer(registration, {}, async (server) => {
      const refused = await register(server, { software_statement: signedBy('RS256') })
      expect([refused.status, refused.body.error]).toEqual([400, 'invalid_software_statement'])
      const { status } = await register(server, { software_statement: signedBy('PS256') })
      expect(status).toBe(201)
    })
  })

  test('is verified with the keys of its own issuer, not of another one or of its header', () => {
    const jwk = other.export({ format: 'jwk' })
    const { d: _, ...publicJwk } = jwk
    const [VENDOR, header] = ['https://vendor.example.com', { alg: 'ES256', jwk: publicJwk } as never]
    const issuers = [...trusting.softwareStatements, { issuer: VENDOR, jwks: { keys: [publicJwk] } }]
    return withServer({ softwareStatements: issuers }, {}, async (server) => {
      const embedded = jsonwebtoken.sign({ iss: AUTHORITY }, other, { algorithm: 'ES256', header })
      for (const software_statement of [statement({}, other), statement({ iss: VENDOR }), embedded]) {
        const { status, body } = await register(server, { software_statement })
        expect([status, body.error]).toEqual([400, 'invalid_software_statement'])
      }
      expect((await register(server, { software_statement: statement({ iss: VENDOR }, other) })).status).toBe(
        201,
      )
    })
  })

  test('by an issuer that is not trusted is not approved', () =>
    withServer(trusting, {}, async (server) => {
      const software_statement = statement({ iss: 'https://evil.example.com' }, other)
      const { status, body } = await register(server, { software_statement })
      expect([status, body.error]).toEqual([400, 'unapproved_software_statement'])
    }))

  test('can be required, at every update too', () =>
    withServer(trusting, { requireSoftwareStatement: true }, async (server) => {
      expect((await register(server, {})).body.error).toBe('invalid_software_statement')
      const client = await registerClient(server, { software_statement: statement({ software_id: 'a' }) })
      const { body } = await update(server, client, { software_statement: undefined }).expect(400)
      expect(body.error_description).toMatch(/required/)
    }))

  test('is shown to registration policies with all its claims', () => {
    let seen: unknown
    const policies = {
      see: ({ softwareStatement }: ProposedRegistration) => {
        seen = softwareStatement
      },
    }
    return withServer({ ...trusting, policies }, { registrationPolicies: ['see'] }, async (server) => {
      await registerClient(server, { software_statement: statement({ grade: 7 }) })
      expect(seen).toMatchObject({ iss: AUTHORITY, grade: 7 })
    })
  })
})
