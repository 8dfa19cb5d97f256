import crypto from 'node:crypto'
import { ProvisioningError } from '../../../lib/base/errors.js'
import type { Parameters, PresentedRequest } from '../../../lib/base/request.js'
import { hashSecret } from '../../../lib/base/secret.js'
import { authenticateClient } from '../../../lib/clients/authentication/authenticate.js'
import { findClient } from '../../../lib/clients/registry.js'
import type { ClientOptions } from '../../../lib/options/client.js'
import { deployed, parameters, reasonOf, refusalOf, request, SECRET, START } from '../../support/deployed.js'

const HASH = hashSecret(SECRET)
const GRANTS = ['client_credentials', 'urn:ietf:params:oauth:grant-type:token-exchange'] as const

const CLIENTS: ClientOptions[] = [
  { clientId: 'plain', clientSecret: SECRET },
  { clientId: 'hashed', secretHash: HASH },
  { clientId: 'spaced out:100%', clientSecret: 'pässwörd + 密码, and a few more words' },
  { clientId: 'basic-only', secretHash: HASH, authenticationMethods: ['client_secret_basic'] },
  { clientId: 'post-only', secretHash: HASH, authenticationMethods: ['client_secret_post'] },
  { clientId: 'never', secretHash: HASH, authenticationMethods: [] },
  { clientId: 'expiring', secretHash: HASH, secretExpiresAt: START + 10 },
  { clientId: 'expired', secretHash: HASH, secretExpiresAt: START },
  { clientId: 'exchanging', secretHash: HASH, metadata: { grant_types: [GRANTS[1]] } },
]

function authenticator(clients: unknown = CLIENTS) {
  const given = deployed({ clients: clients as ClientOptions[], policy: { scopes: ['read'] } })
  const authenticate = (presented: PresentedRequest, form: Parameters) =>
    authenticateClient(given.deployment, presented, form)
  const encoded = (id: string, secret: string) =>
    Buffer.from([id, secret].map(encodeURIComponent).join(':')).toString('base64')
  return {
    ...given,
    post: (id: string, secret = SECRET) =>
      authenticate(request(), parameters({ client_id: id, client_secret: secret })),
    basic: (id: string, secret = SECRET) =>
      authenticate(request({ authorization: [`Basic ${encoded(id, secret)}`] }), parameters()),
    nothing: () => authenticate(request(), parameters({ client_id: 'plain' })),
  }
}

describe('authenticate', () => {
  it.each(['plain', 'hashed', 'expiring'])(
    'lets the client %s in with its secret, either way',
    async (id) => {
      const { basic, post } = authenticator()
      for (const client of [await basic(id), await post(id)]) {
        expect(client).toMatchObject({ clientId: id, grantTypes: GRANTS })
        expect(client.policy.scopes).toEqual(new Set(['read']))
        expect(Object.isFrozen(client)).toBe(true)
      }
    },
  )

  it('lets a client in whose id and secret have characters of their own', async () => {
    const { basic, post } = authenticator()
    const [id, secret] = ['spaced out:100%', 'pässwörd + 密码, and a few more words']
    expect([(await basic(id, secret)).clientId, (await post(id, secret)).clientId]).toEqual([id, id])
  })

  it('returns only the permissions of the client', async () => {
    const client = await authenticator().post('plain')
    expect(Object.keys(client).sort()).toEqual([
      'ancestors',
      'clientId',
      'grantTypes',
      'method',
      'policy',
      'source',
    ])
  })

  it('answers the grants a client has registered', async () => {
    expect((await authenticator().post('exchanging')).grantTypes).toEqual([GRANTS[1]])
  })

  it('refuses a request that presents no credentials', async () => {
    const refusal = await refusalOf(authenticator().nothing)
    expect(refusal).toMatchObject({ reason: 'client_authentication_missing', code: 'invalid_client' })
  })

  it.each(['', 'x', SECRET.slice(0, -1), `${SECRET} `, SECRET.toUpperCase(), HASH, `${SECRET}\u0000`])(
    'refuses the wrong secret %j',
    async (secret) => {
      const { basic, post } = authenticator()
      const refusal = await refusalOf(() => post('hashed', secret))
      expect(refusal).toMatchObject({
        reason: 'client_secret_wrong',
        code: 'invalid_client',
        disclosed: false,
      })
      expect(refusal.facts).toEqual({ clientId: 'hashed' })
      expect(refusal.message).not.toContain(SECRET)
      expect(await reasonOf(() => basic('hashed', secret))).toBe('client_secret_wrong')
    },
  )

  it.each(['nobody', 'Plain', 'plain ', '__proto__', 'constructor', 'ünknown', 'x'.repeat(256), 'plain\n'])(
    'refuses the unknown client %j, and keeps its name out of the event',
    async (id) => {
      const refusal = await refusalOf(() => authenticator().post(id))
      expect(refusal).toMatchObject({
        reason: 'client_unknown',
        code: 'invalid_client',
        disclosed: false,
      })
      expect(refusal.facts).toEqual({})
      expect(refusal.message).toBe('No client has this id (client_secret_post).')
    },
  )

  it('refuses a secret from the second it expires at', async () => {
    const { post, clock } = authenticator()
    expect(await reasonOf(() => post('expired'))).toBe('client_secret_wrong')
    clock.seconds = START + 9
    expect(await reasonOf(() => post('expiring'))).toBeUndefined()
    clock.seconds = START + 10
    expect(await reasonOf(() => post('expiring'))).toBe('client_secret_wrong')
  })

  it('refuses a forbidden method, and says so only to a client with the right secret', async () => {
    const { basic, post } = authenticator()
    expect([await reasonOf(() => basic('basic-only')), await reasonOf(() => post('post-only'))]).toEqual([
      undefined,
      undefined,
    ])
    for (const act of [() => post('basic-only'), () => basic('post-only'), () => post('never')]) {
      expect(await refusalOf(act)).toMatchObject({ reason: 'client_method_refused', code: 'invalid_client' })
    }
    expect(await reasonOf(() => post('basic-only', 'wrong'))).toBe('client_secret_wrong')
  })

  it('does the same work for an unknown client, a wrong secret and a right one', async () => {
    const { post } = authenticator()
    const work = async (id: string, secret: string) => {
      const spies = (['createHmac', 'timingSafeEqual'] as const).map((name) => jest.spyOn(crypto, name))
      await reasonOf(() => post(id, secret))
      const calls = spies.map((spy) => spy.mock.calls.length)
      for (const spy of spies) spy.mockRestore()
      return calls
    }
    const right = await work('hashed', SECRET)
    expect(right).toEqual([1, 1])
    for (const id of ['nobody', 'ünknown', 'hashed', 'expired', 'never'])
      expect(await work(id, 'wrong')).toEqual(right)
  })
})

describe('a registry', () => {
  const fault = new Error('connect ECONNREFUSED')
  it.each([
    ['rejects', () => Promise.reject(fault)],
    [
      'throws',
      () => {
        throw fault
      },
    ],
  ])('that %s lets nobody in', async (_, find) => {
    const refusal = await refusalOf(() => authenticator(find).post('plain'))
    expect(refusal).toMatchObject({
      reason: 'registry_unavailable',
      code: 'temporarily_unavailable',
      disclosed: false,
    })
    expect(refusal.cause).toBe(fault)
  })

  it('that refuses on its own is heard', async () => {
    const own = new ProvisioningError('too_many_requests', 'why')
    await expect(authenticator(() => Promise.reject(own)).post('plain')).rejects.toBe(own)
  })

  it('is not asked for a name that no client can have', async () => {
    const asked: string[] = []
    const { deployment } = authenticator((id: string) => void asked.push(id))
    for (const id of ['', 'ünknown', 'a\nb', 'x'.repeat(256)])
      expect(await findClient(deployment, id)).toBeUndefined()
    expect(asked).toEqual([])
    await findClient(deployment, 'x'.repeat(255))
    expect(asked).toHaveLength(1)
  })
})
