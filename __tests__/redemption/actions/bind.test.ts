import { generateKeyPairSync } from 'node:crypto'
import type { PresentedCertificate } from '../../../lib/base/request.js'
import { BIND_SCOPE } from '../../../lib/clients/scopes.js'
import { thumbprint } from '../../../lib/jose/jwk.js'
import type { ClientOptions } from '../../../lib/options/client.js'
import type { Client, ClientRegistry } from '../../../lib/ports/client.js'
import { bindKey } from '../../../lib/redemption/actions/bind.js'
import { memoryClientRegistry } from '../../../lib/stores/memory/memory-clients.js'
import { compact } from '../../support/compact.js'
import {
  AUDIENCE,
  deployed,
  issueKey,
  reasonOf,
  refusalOf,
  START,
  storeBut,
  verifiedIn,
  verifyBearerKey,
} from '../../support/deployed.js'
import { PAIRS } from '../../support/signing-pairs.js'

const ENDPOINT = 'https://auth.example.com/oauth/bind'
const { ES256 } = PAIRS
const jwk = ES256.publicKey.export({ format: 'jwk' })

async function withKey(overrides = {}, asked: Record<string, string> = {}) {
  const given = deployed(overrides)
  const { key, verified, record } = await issueKey(given, { scope: 'provision:bind devices:read', ...asked })
  const { registry, store } = given.deployment
  const proofOf = (claims: object = {}, header: object = {}, pair = ES256) =>
    compact(
      { alg: pair.alg, typ: 'provisioning-binding+jwt', ...header },
      { aud: ENDPOINT, key_id: record.jti, iat: START, ...claims },
      pair.privateKey,
      pair.alg,
    )
  const ask = async (body: object = { jwk, proof: proofOf() }, certificate?: PresentedCertificate) =>
    bindKey(given.deployment, await verifyBearerKey(given, key, BIND_SCOPE), {
      body: body as Record<string, unknown>,
      endpoint: ENDPOINT,
      certificate,
    })
  const stateOf = async () => (await store.find(record))?.state
  return { ...given, key, verified, record, registry, proofOf, ask, stateOf }
}

describe('bind', () => {
  it('leaves the binding of an attempt that has completed the redemption in the meantime', async () => {
    const store = storeBut({})
    const registry = memoryClientRegistry([
      (await deployed().deployment.registry.find('ci-runner')) as Client,
    ])
    const bindingId = 'c'.repeat(27)
    let isCompleted = false
    async function save(saved: Client): Promise<boolean> {
      const bindings = saved.bindings?.map((one) => ({ ...one, bindingId })) ?? []
      if (!isCompleted) await registry.save({ ...saved, bindings })
      isCompleted = true
      return registry.save(saved)
    }
    async function find(...key: Parameters<typeof store.find>): ReturnType<typeof store.find> {
      const entry = await store.find(...key)
      return entry && isCompleted ? { ...entry, state: 'redeemed' } : entry
    }
    const { ask } = await withKey({ store: { ...store, find }, clients: { ...registry, save } })
    expect(await reasonOf(ask)).toBe('key_redeemed')
    expect(await registry.find('ci-runner')).toMatchObject({ revision: 2, bindings: [{ bindingId }] })
  })

  it('ties the key whose possession is proven to the client that asked for itself', async () => {
    const { ask, registry, stateOf, events, record } = await withKey()
    const answer = await ask()
    const jkt = thumbprint(ES256.publicKey)
    expect(answer).toEqual({
      client_id: 'ci-runner',
      binding_id: expect.stringMatching(/^[\w-]{27}$/),
      cnf: { jkt },
      bound_at: START,
    })
    const binding = {
      bindingId: answer.binding_id,
      confirmation: { jkt },
      jwk,
      boundAt: START,
      keyId: record.jti,
    }
    const client = await registry.find('ci-runner')
    expect(client).toMatchObject({ clientId: 'ci-runner', revision: 2, bindings: [binding] })
    expect(client?.secretHash).toBeDefined()
    expect(await stateOf()).toBe('redeemed')
    expect(events.slice(1)).toMatchObject([
      { type: 'key.redeemed', action: 'bind' },
      { type: 'client.bound', bindingId: answer.binding_id, confirmation: { jkt }, subject: 'ci-runner' },
    ])
  })

  it('makes a client of a subject that is none yet, with no more than the key has', async () => {
    const { ask, registry, record } = await withKey({}, { requested_subject: 'device:7' })
    expect(await ask()).toMatchObject({ client_id: 'device:7' })
    expect(await registry.find('device:7')).toMatchObject({
      clientId: 'device:7',
      revision: 1,
      authenticationMethods: ['private_key_jwt'],
      boundMethods: ['private_key_jwt'],
      policy: { scopes: ['provision:bind', 'devices:read'], audiences: [AUDIENCE] },
      registeredBy: { clientId: 'ci-runner', keyId: record.jti },
    })
  })

  it('leaves a new client no right to register others, nor what the client of the key has lost since', async () => {
    const scopes = ['provision:bind', 'provision:register', 'devices:read']
    const clientSecret = 'correct-horse-battery-staple'
    const kept = new Map<string, ClientOptions | Client>()
    const permit = (...now: string[]) =>
      kept.set('ci-runner', {
        clientId: 'ci-runner',
        clientSecret,
        policy: { scopes: now, subjects: ['device:*'] },
      })
    const clients = {
      find: async (id: string) => kept.get(id),
      save: async (client: Client) => kept.set(client.clientId, client).size > 0,
      delete: async (id: string) => kept.delete(id),
    }
    permit(...scopes)
    const asked = { requested_subject: 'device:7', scope: scopes.join(' ') }
    const { ask } = await withKey({ clients, policy: { scopes } }, asked)
    permit('provision:bind')
    await ask()
    expect(kept.get('device:7')?.policy?.scopes).toEqual(['provision:bind'])
  })

  it.each([PAIRS.ES384, PAIRS.ES512, PAIRS.RS256, PAIRS.PS256])(
    'takes a key and a proof of $alg',
    async (pair) => {
      const { ask, proofOf } = await withKey()
      const body = { jwk: pair.publicKey.export({ format: 'jwk' }), proof: proofOf({}, {}, pair) }
      expect(await ask(body)).toMatchObject({ cnf: { jkt: thumbprint(pair.publicKey) } })
    },
  )

  it.each([-300, 0, 5])('takes a proof that was made %d s from now', async (offset) => {
    const { ask, proofOf } = await withKey()
    expect(await reasonOf(() => ask({ jwk, proof: proofOf({ iat: START + offset }) }))).toBeUndefined()
  })

  const stranger = { ...ES256, privateKey: generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey }
  const wrong = 'binding_proof_wrong'
  type Body = (proofOf: Awaited<ReturnType<typeof withKey>>['proofOf']) => object
  const REFUSED: [string, Body, string][] = [
    ['no jwk', (proofOf) => ({ proof: proofOf() }), 'parameter_missing'],
    ['no proof', () => ({ jwk }), 'parameter_missing'],
    ['a proof that is no text', () => ({ jwk, proof: {} }), 'parameter_missing'],
    [
      'a private jwk',
      (proofOf) => ({ jwk: ES256.privateKey.export({ format: 'jwk' }), proof: proofOf() }),
      'binding_key_refused',
    ],
    [
      'a symmetric jwk',
      (proofOf) => ({ jwk: { kty: 'oct', k: 'AAAA' }, proof: proofOf() }),
      'binding_key_refused',
    ],
    [
      'a jwk of a made-up kty',
      (proofOf) => ({ jwk: { kty: 'constructor' }, proof: proofOf() }),
      'binding_key_refused',
    ],
    ['a proof that is no JWT', () => ({ jwk, proof: 'a.b' }), wrong],
    ['a proof of another typ', (proofOf) => ({ jwk, proof: proofOf({}, { typ: 'dpop+jwt' }) }), wrong],
    ['a proof of alg none', (proofOf) => ({ jwk, proof: proofOf({}, { alg: 'none' }) }), wrong],
    ['a proof by a stranger', (proofOf) => ({ jwk, proof: proofOf({}, {}, stranger) }), wrong],
    ['a proof for another endpoint', (proofOf) => ({ jwk, proof: proofOf({ aud: `${ENDPOINT}/` }) }), wrong],
    ['a proof for a list of endpoints', (proofOf) => ({ jwk, proof: proofOf({ aud: [ENDPOINT] }) }), wrong],
    ['a proof for another provisioning key', (proofOf) => ({ jwk, proof: proofOf({ key_id: 'b' }) }), wrong],
    ['a proof for no provisioning key', (proofOf) => ({ jwk, proof: proofOf({ key_id: undefined }) }), wrong],
    ['a proof that is too old', (proofOf) => ({ jwk, proof: proofOf({ iat: START - 306 }) }), wrong],
    ['a proof from the future', (proofOf) => ({ jwk, proof: proofOf({ iat: START + 6 }) }), wrong],
    ['a proof without a time', (proofOf) => ({ jwk, proof: proofOf({ iat: undefined }) }), wrong],
    ['a proof whose time is a text', (proofOf) => ({ jwk, proof: proofOf({ iat: String(START) }) }), wrong],
  ]
  it.each(REFUSED)('refuses %s, and spends no key on it', async (_, bodyOf, reason) => {
    const { ask, proofOf, stateOf, registry } = await withKey()
    expect(await refusalOf(() => ask(bodyOf(proofOf)))).toMatchObject({
      reason,
      code: 'invalid_request',
      disclosed: true,
    })
    expect(await stateOf()).toBe('issued')
    expect((await registry.find('ci-runner'))?.bindings).toBeUndefined()
  })

  it('refuses a key without the scope for it', async () => {
    const { ask, stateOf } = await withKey({}, { scope: 'devices:read' })
    expect([await reasonOf(ask), await stateOf()]).toEqual(['scope_insufficient', 'issued'])
  })

  it('puts no second key in the place of a first, and spends no key on the attempt', async () => {
    const given = deployed()
    const first = await withKey({ clients: given.deployment.registry })
    await first.ask()
    const second = await withKey({ clients: given.deployment.registry })
    expect([await reasonOf(second.ask), await second.stateOf()]).toEqual(['binding_exists', 'issued'])
  })
})

describe('bind with a registry that others use too', () => {
  /** A registry in memory in which some verbs are replaced. */
  async function registryBut(verbs: (kept: ClientRegistry) => Partial<ClientRegistry>) {
    const client = (await deployed().deployment.registry.find('ci-runner')) as Client
    const kept = memoryClientRegistry([client])
    return { kept, clients: { ...kept, ...verbs(kept) } }
  }

  it('refuses, and releases the key, when others are always first', async () => {
    const { clients } = await registryBut(() => ({ save: async () => false }))
    const { ask, stateOf, events } = await withKey({ clients })
    expect([await reasonOf(ask), await stateOf()]).toEqual(['client_contended', 'issued'])
    expect(events.at(-1)).toMatchObject({ type: 'key.released', action: 'bind' })
  })

  it.each(['before', 'after'])(
    'refuses with 503 when it does not answer, and the owner can continue: %s it has saved',
    async (when) => {
      let saves = 0
      const { clients, kept } = await registryBut((inner) => ({
        async save(client: Client) {
          saves += 1
          if (saves > 1) return inner.save(client)
          if (when === 'after') await inner.save(client)
          throw new Error('down')
        },
      }))
      const { ask, deployment, key, verified, proofOf, stateOf, record } = await withKey({ clients })
      expect([await reasonOf(ask), await stateOf()]).toEqual(['registry_unavailable', 'redeeming'])
      const request = { body: { jwk, proof: proofOf() }, endpoint: ENDPOINT }
      const { binding_id: bindingId } = await bindKey(
        deployment,
        verifiedIn('redeeming', verified, key),
        request,
      )
      expect((await kept.find(record.subject))?.bindings).toEqual([expect.objectContaining({ bindingId })])
      expect(await stateOf()).toBe('redeemed')
    },
  )

  it.each([{}, { requested_subject: 'device:7' }])(
    'takes the binding back when the key was revoked: %j',
    async (asked) => {
      const { kept, clients } = await registryBut(() => ({}))
      const store = storeBut({ settle: async () => 'revoked' })
      const { ask, events, record } = await withKey({ clients, store }, asked)
      const before = await kept.find(record.subject)
      expect(await reasonOf(ask)).toBe('key_revoked')
      const after = await kept.find(record.subject)
      expect(after && { ...after, revision: 1 }).toEqual(before)
      expect(events.map(({ type }) => type)).toEqual(['key.issued'])
    },
  )
})
