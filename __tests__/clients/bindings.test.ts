import { generateKeyPairSync } from 'node:crypto'
import { authenticateClient } from '../../lib/clients/authentication/authenticate.js'
import {
  bindingsOf,
  listOwnBindings,
  type RevokeBindingOutcome,
  revokeBinding,
  revokeOwnBinding,
} from '../../lib/clients/bindings.js'
import { publicJwk, thumbprint } from '../../lib/jose/jwk.js'
import type { ClientOptions } from '../../lib/options/client.js'
import type { Binding, ClientRegistry } from '../../lib/ports/client.js'
import { memoryClientRegistry } from '../../lib/stores/memory/memory-clients.js'
import { ASSERTION_TYPE, signAssertion } from '../support/client-assertion.js'
import { authenticated, deployed, parameters, reasonOf, request, SECRET, START } from '../support/deployed.js'

const binding = (bindingId: string) => {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const kept: Binding = {
    bindingId,
    confirmation: { jkt: thumbprint(publicKey) },
    jwk: publicJwk(publicKey),
    boundAt: START,
    keyId: `key-${bindingId}`,
  }
  return { kept, key: { alg: 'ES256', privateKey, jwk: kept.jwk ?? {} } }
}

const FIRST = binding('first')
const SECOND = binding('second')

function withBound(more: object = {}) {
  const given = deployed({
    clients: [
      { clientId: 'ci-runner', clientSecret: SECRET, bindings: [FIRST.kept, SECOND.kept] },
      { clientId: 'bystander', clientSecret: SECRET },
    ] as readonly ClientOptions[],
    ...more,
  })
  const enter = (key: (typeof FIRST)['key']) => {
    const names = { clientId: 'ci-runner', audience: given.deployment.issuer, now: START }
    return authenticateClient(
      given.deployment,
      request(),
      parameters({ client_assertion: signAssertion(key, names), client_assertion_type: ASSERTION_TYPE }),
    )
  }
  return { ...given, enter }
}

const revoke = (given: ReturnType<typeof withBound>, bindingId: string, clientId = 'ci-runner') =>
  revokeBinding(given.deployment, { clientId, bindingId })

describe('bindingsOf', () => {
  it('returns the bindings of a client, or an empty list', async () => {
    const { deployment } = withBound()
    expect(await bindingsOf(deployment, 'ci-runner')).toEqual([FIRST.kept, SECOND.kept])
    expect(await bindingsOf(deployment, 'bystander')).toEqual([])
    expect(await bindingsOf(deployment, 'nobody')).toEqual([])
  })

  it('returns a copy, so that a change of it changes no client', async () => {
    const { deployment } = withBound()
    const answered = (await bindingsOf(deployment, 'ci-runner')) as Binding[]
    answered.pop()
    expect(await bindingsOf(deployment, 'ci-runner')).toHaveLength(2)
  })

  it('answers those of clients that are looked up, too', async () => {
    const found = { clientId: 'ci-runner', clientSecret: SECRET, bindings: [FIRST.kept] }
    const { deployment } = withBound({ clients: () => found })
    expect(await bindingsOf(deployment, 'ci-runner')).toEqual([FIRST.kept])
  })
})

describe('the bindings endpoint', () => {
  it('tells a client of its own, in the names of the wire, and nothing of the keys themselves', async () => {
    const { deployment } = withBound()
    expect(await listOwnBindings(deployment, await authenticated(deployment))).toEqual({
      bindings: [FIRST, SECOND].map(({ kept }) => ({
        binding_id: kept.bindingId,
        cnf: kept.confirmation,
        bound_at: START,
      })),
    })
    expect(await listOwnBindings(deployment, await authenticated(deployment, 'bystander'))).toEqual({
      bindings: [],
    })
  })
})

describe('revokeBinding', () => {
  it('locks out the key immediately, keeps the others, and emits an event', async () => {
    const given = withBound()
    expect(await given.enter(FIRST.key)).toMatchObject({ method: 'private_key_jwt' })
    expect(await revoke(given, 'first')).toBe<RevokeBindingOutcome>('revoked')
    expect(await reasonOf(() => given.enter(FIRST.key))).toBe('client_assertion_signature_wrong')
    expect(await given.enter(SECOND.key)).toMatchObject({ method: 'private_key_jwt' })
    expect(given.events).toEqual([
      {
        type: 'client.unbound',
        code: 'client.unbound:by_operator',
        severity: 'notice',
        at: new Date(START * 1000),
        clientId: 'ci-runner',
        keyId: 'key-first',
        bindingId: 'first',
        confirmation: FIRST.kept.confirmation,
        by: 'operator',
      },
    ])
  })

  it('takes the method away with the last key, and leaves the secret', async () => {
    const given = withBound()
    for (const id of ['first', 'second']) await revoke(given, id)
    const client = await given.deployment.registry.find('ci-runner')
    expect(client).toMatchObject({ bindings: [], revision: 3 })
    expect(client?.authenticationMethods).toEqual(['client_secret_basic', 'client_secret_post'])
    expect(await authenticated(given.deployment)).toBeDefined()
  })

  it.each([
    ['ci-runner', 'other'],
    ['bystander', 'first'],
    ['nobody', 'first'],
    ['ci-runner', ''],
  ])('changes nothing where %s has no binding %j', async (clientId, bindingId) => {
    const given = withBound()
    expect(await revoke(given, bindingId, clientId)).toBe<RevokeBindingOutcome>('unknown')
    expect(await bindingsOf(given.deployment, 'ci-runner')).toHaveLength(2)
    expect(given.events).toEqual([])
  })

  it('emits one event for concurrent calls, and loses no other change', async () => {
    const given = withBound()
    const asked = ['first', 'second', 'first', 'second', 'first'].map((id) => revoke(given, id))
    expect((await Promise.all(asked)).sort()).toEqual(['revoked', 'revoked', 'unknown', 'unknown', 'unknown'])
    expect(await bindingsOf(given.deployment, 'ci-runner')).toEqual([])
    expect(given.events).toHaveLength(2)
  })

  it('says that clients which are looked up cannot be changed', async () => {
    const given = withBound({ clients: () => ({ clientId: 'ci-runner', clientSecret: SECRET }) })
    expect(await reasonOf(() => revoke(given, 'first'))).toBe('server_fault')
  })

  it.each<[Partial<ClientRegistry>, string]>([
    [{ save: async () => false }, 'client_contended'],
    [{ save: () => Promise.reject(new Error('down')) }, 'registry_unavailable'],
    [{ find: () => Promise.reject(new Error('down')) }, 'registry_unavailable'],
  ])('refuses when the registry cannot do it: %#', async (verbs, reason) => {
    const { deployment } = withBound()
    const client = await deployment.registry.find('ci-runner')
    const kept = memoryClientRegistry(client === undefined ? [] : [client])
    const given = withBound({ clients: { ...kept, ...verbs } })
    expect(await reasonOf(() => revoke(given, 'first'))).toBe(reason)
    expect(given.events).toEqual([])
  })
})

describe('revokeOwnBinding', () => {
  it('revokes a binding of the client, and never one of another', async () => {
    const { deployment, events } = withBound()
    const bystander = await authenticated(deployment, 'bystander')
    await revokeOwnBinding(deployment, bystander, parameters({ binding_id: 'first' }))
    expect(await bindingsOf(deployment, 'ci-runner')).toHaveLength(2)
    await revokeOwnBinding(deployment, await authenticated(deployment), parameters({ binding_id: 'first' }))
    expect(await bindingsOf(deployment, 'ci-runner')).toEqual([SECOND.kept])
    expect(events).toMatchObject([{ type: 'client.unbound', bindingId: 'first', by: 'client' }])
  })

  it('wants to know which', async () => {
    const { deployment } = withBound()
    const client = await authenticated(deployment)
    expect(await reasonOf(() => revokeOwnBinding(deployment, client, parameters()))).toBe('parameter_missing')
  })
})
