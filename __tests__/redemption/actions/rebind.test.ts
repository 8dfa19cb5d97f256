import { generateKeyPairSync } from 'node:crypto'
import type { PresentedCertificate } from '../../../lib/base/request.js'
import { hashSecret } from '../../../lib/base/secret.js'
import { BIND_SCOPE } from '../../../lib/clients/scopes.js'
import { type AsymmetricAlgorithm, thumbprint } from '../../../lib/jose/jwk.js'
import type { Client, ClientRegistry } from '../../../lib/ports/client.js'
import type { PolicyOptions } from '../../../lib/ports/policy-options.js'
import type { KeyRef, ProvisioningStore } from '../../../lib/ports/store.js'
import { bindKey } from '../../../lib/redemption/actions/bind.js'
import { memoryClientRegistry } from '../../../lib/stores/memory/memory-clients.js'
import { makeCertificate } from '../../support/certificates.js'
import { compact } from '../../support/compact.js'
import {
  CLIENT,
  deployed,
  ISSUER,
  issueKey,
  reasonOf,
  refusalOf,
  SECRET,
  START,
  storeBut,
  verifyBearerKey,
} from '../../support/deployed.js'

const ENDPOINT = `${ISSUER}/oauth/bind`

function runner(policy: PolicyOptions = {}): Client {
  return {
    clientId: CLIENT,
    revision: 1,
    secretHash: hashSecret(SECRET),
    authenticationMethods: ['client_secret_basic', 'client_secret_post'],
    policy: { scopes: [BIND_SCOPE, 'devices:read'], subjects: ['device:*'], ...policy },
  }
}

interface Plan {
  readonly policy?: PolicyOptions
  readonly verbs?: (kept: ClientRegistry) => Partial<ClientRegistry>
  readonly store?: Partial<ProvisioningStore>
}

/** Everything that binding needs, with a registry in which some verbs are replaced. */
function bindable({ policy, verbs = () => ({}), store }: Plan = {}) {
  const kept = memoryClientRegistry([runner(policy)])
  const clients = { ...kept, ...verbs(kept) }
  const given = deployed({ clients, policy: {}, ...(store && { store: storeBut(store) }) })
  const { deployment } = given

  async function ask(asked: Record<string, string> = {}, certificate?: PresentedCertificate) {
    const { key, record } = await issueKey(given, { scope: BIND_SCOPE, ...asked })
    const verified = await verifyBearerKey(given, key, BIND_SCOPE)
    const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    const claims = { aud: ENDPOINT, key_id: record.jti, iat: START }
    const alg: AsymmetricAlgorithm = 'ES256'
    const proof = compact({ alg, typ: 'provisioning-binding+jwt' }, claims, privateKey, alg)
    const body = certificate ? {} : { jwk: publicKey.export({ format: 'jwk' }), proof }
    return {
      record,
      jkt: thumbprint(publicKey),
      bind: () => bindKey(deployment, verified, { body, endpoint: ENDPOINT, certificate }),
      stateOf: async () => (await deployment.store.find(record))?.state,
    }
  }

  async function idsOf(clientId = CLIENT) {
    return ((await kept.find(clientId))?.bindings ?? []).map(({ bindingId }) => bindingId)
  }

  return { ...given, kept, ask, idsOf }
}

function presented(certificate = makeCertificate(), trusted = false): PresentedCertificate {
  return { der: certificate.der, thumbprint: certificate.thumbprint, trusted }
}

// The certificates are valid now, so the clock must show the real time.
const NOW = new Date(START * 1000)
const inTime = () =>
  makeCertificate({
    notBefore: new Date(NOW.getTime() - 60_000),
    notAfter: new Date(NOW.getTime() + 60_000),
  })

describe('a client certificate', () => {
  it('is bound where neither a jwk nor a DPoP proof is sent', async () => {
    const { ask, kept, events } = bindable()
    const certificate = inTime()
    const { bind, record } = await ask({}, presented(certificate))
    const cnf = { 'x5t#S256': certificate.thumbprint }
    const answer = await bind()
    expect(answer).toMatchObject({ client_id: CLIENT, cnf, bound_at: START })
    expect(await kept.find(CLIENT)).toMatchObject({
      bindings: [{ bindingId: answer.binding_id, confirmation: cnf, boundAt: START, keyId: record.jti }],
      authenticationMethods: ['client_secret_basic', 'client_secret_post', 'self_signed_tls_client_auth'],
    })
    expect((await kept.find(CLIENT))?.bindings?.[0]).not.toHaveProperty('jwk')
    expect(events.at(-1)).toMatchObject({ type: 'client.bound', confirmation: cnf })
  })

  it.each([
    [
      'has expired',
      () => makeCertificate({ notBefore: new Date(0), notAfter: new Date(NOW.getTime() - 6000) }),
    ],
    ['is not valid yet', () => makeCertificate({ notBefore: new Date(NOW.getTime() + 6000) })],
    ['cannot be read', () => ({ ...inTime(), der: Buffer.from('0000', 'hex') })],
  ])('that %s is refused, and spends no key', async (_, make) => {
    const { ask, idsOf } = bindable()
    const { bind, stateOf } = await ask({}, presented(make()))
    expect(await refusalOf(bind)).toMatchObject({ reason: 'binding_key_refused', code: 'invalid_request' })
    expect([await stateOf(), await idsOf()]).toEqual(['issued', []])
  })
})

describe('a bound key', () => {
  const { publicKey } = generateKeyPairSync('ed25519')
  const proof = { publicKey, thumbprint: thumbprint(publicKey), spend: async () => undefined }

  async function bindWith(body: Record<string, unknown>) {
    const given = deployed()
    const { key } = await issueKey(given, { scope: BIND_SCOPE })
    const verified = { ...(await verifyBearerKey(given, key, BIND_SCOPE)), proof }
    return bindKey(given.deployment, verified, { body, endpoint: ENDPOINT, certificate: presented(inTime()) })
  }

  it('is the key of a DPoP proof rather than the certificate of the connection', async () => {
    expect(await bindWith({})).toMatchObject({ cnf: { jkt: proof.thumbprint } })
  })

  it.each([{ proof: 'a.b.c' }, { proof: null }])(
    'is neither where the body proves something else: %j',
    async (body) => {
      expect(await reasonOf(() => bindWith(body))).toBe('parameter_missing')
    },
  )

  it('is the jwk of the body where there is one, and not unless it is proven there', async () => {
    const jwk = publicKey.export({ format: 'jwk' })
    expect(await reasonOf(() => bindWith({ jwk }))).toBe('parameter_missing')
    expect(await reasonOf(() => bindWith({ jwk: null }))).toBe('binding_key_refused')
  })
})

describe('binding another key', () => {
  it('is refused unless policy says otherwise, and spends no key', async () => {
    const { ask, idsOf, events } = bindable()
    const { binding_id } = await (await ask()).bind()
    const second = await ask()
    expect([await reasonOf(second.bind), await second.stateOf()]).toEqual(['binding_exists', 'issued'])
    expect(await idsOf()).toEqual([binding_id])
    // The key is not even reserved, so no other request is refused meanwhile.
    expect(events.at(-1)).toMatchObject({ type: 'key.issued' })
  })

  it('replaces the keys before, which is told of each', async () => {
    const { ask, idsOf, events } = bindable({ policy: { rebinding: 'replace' } })
    const first = await ask()
    const old = await first.bind()
    const second = await ask()
    const { binding_id, cnf } = await second.bind()
    expect(await idsOf()).toEqual([binding_id])
    expect(events.slice(-3)).toMatchObject([
      { type: 'key.redeemed' },
      {
        type: 'client.unbound',
        clientId: CLIENT,
        bindingId: old.binding_id,
        confirmation: old.cnf,
        keyId: first.record.jti,
        by: 'replacement',
      },
      { type: 'client.bound', bindingId: binding_id, confirmation: cnf },
    ])
  })

  it('replaces a key by a certificate, and its method with it', async () => {
    const { ask, kept } = bindable({ policy: { rebinding: 'replace' } })
    await (await ask({ requested_subject: 'device:7' })).bind()
    await (await ask({ requested_subject: 'device:7' }, presented(inTime()))).bind()
    expect(await kept.find('device:7')).toMatchObject({
      authenticationMethods: ['self_signed_tls_client_auth'],
      bindings: [{ confirmation: { 'x5t#S256': expect.any(String) } }],
    })
  })

  it('adds keys, up to as many as policy says', async () => {
    const { ask, idsOf } = bindable({ policy: { rebinding: 'add', maxBindings: 3 } })
    const ids = []
    for (let count = 0; count < 3; count++) ids.push((await (await ask()).bind()).binding_id)
    const fourth = await ask()
    expect(await refusalOf(fourth.bind)).toMatchObject({ reason: 'binding_exists', disclosed: true })
    expect([await idsOf(), await fourth.stateOf()]).toEqual([ids, 'issued'])
  })

  it('is decided by the policy of the client that asked for the key, and handed on by it', async () => {
    const { ask, kept } = bindable({ policy: { rebinding: 'add', maxBindings: 3 } })
    await (await ask({ requested_subject: 'device:7' })).bind()
    const device = await kept.find('device:7')
    expect(device?.policy).toMatchObject({ rebinding: 'add', maxBindings: 3 })
    // When another client asks for the subject, the subject's own permissions do not matter.
    const own = { ...device?.policy, rebinding: 'refuse' as const }
    await kept.save({ ...(device as Client), policy: own, revision: 2 })
    await (await ask({ requested_subject: 'device:7' })).bind()
    expect((await kept.find('device:7'))?.bindings).toHaveLength(2)
  })

  it('is judged by the policy of now, not by that of when the key was issued', async () => {
    const { ask, kept } = bindable({ policy: { rebinding: 'add' } })
    await (await ask()).bind()
    const second = await ask()
    const client = (await kept.find(CLIENT)) as Client
    await kept.save({ ...client, policy: { ...client.policy, rebinding: 'refuse' }, revision: 3 })
    expect(await reasonOf(second.bind)).toBe('binding_exists')
  })
})

describe('concurrent bindings', () => {
  /** A slow registry, so that all attempts read before the first one writes. */
  const slow = (kept: ClientRegistry) => ({
    async find(clientId: string) {
      const found = await kept.find(clientId)
      await new Promise(setImmediate)
      return found
    },
  })

  async function race(policy: PolicyOptions, asked = {}) {
    const given = bindable({ policy, verbs: slow })
    const all = await Promise.all(Array.from({ length: 100 }, () => given.ask(asked)))
    const reasons = await Promise.all(all.map(({ bind }) => reasonOf(bind)))
    const states = await Promise.all(all.map(({ stateOf }) => stateOf()))
    const count = <T>(list: readonly T[], value: T) => list.filter((one) => one === value).length
    const { idsOf, events } = given
    // Only plain values: Jest sends failures between processes, and cannot send a deployment.
    return {
      idsOf,
      events,
      won: count(reasons, undefined),
      refused: count(reasons, 'binding_exists'),
      contended: count(reasons, 'client_contended'),
      redeemed: count(states, 'redeemed'),
      issued: count(states, 'issued'),
    }
  }

  it.each([{}, { requested_subject: 'device:7' }])(
    'has one winner where policy refuses: %j',
    async (asked) => {
      const { idsOf, events: _, ...counts } = await race({}, asked)
      expect(counts).toMatchObject({ won: 1, refused: 99, redeemed: 1, issued: 99 })
      expect(await idsOf(asked.requested_subject)).toHaveLength(1)
    },
  )

  it.each([1, 2, 16])(
    'never adds more than %d, and never fewer',
    async (maxBindings) => {
      const { idsOf, events: _, ...counts } = await race({ rebinding: 'add', maxBindings })
      expect(counts).toMatchObject({ won: maxBindings, refused: 100 - maxBindings, redeemed: maxBindings })
      expect(new Set(await idsOf()).size).toBe(maxBindings)
    },
    120_000,
  )

  it('leave one key when they replace each other; each request gets a success or a retry', async () => {
    const { idsOf, won, contended, redeemed, issued, events } = await race({ rebinding: 'replace' })
    expect(await idsOf()).toHaveLength(1)
    expect([won + contended, redeemed, issued]).toEqual([100, won, contended])
    const told = (type: string) => events.filter((event) => event.type === type).length
    expect([told('client.bound'), told('client.unbound')]).toEqual([won, won - 1])
  })
})

describe('a registry that others write to', () => {
  it('is asked again when somebody else was first, and the key bound all the same', async () => {
    let saves = 0
    const { ask, idsOf, kept } = bindable({
      verbs: (registry) => ({
        async save(client) {
          const before = await registry.find(client.clientId)
          if (++saves === 1 && before) await registry.save({ ...before, revision: before.revision + 1 })
          return registry.save(client)
        },
      }),
    })
    const { bind, stateOf } = await ask()
    const { binding_id } = await bind()
    expect([await idsOf(), await stateOf(), saves]).toEqual([[binding_id], 'redeemed', 2])
    expect((await kept.find(CLIENT))?.revision).toBe(3)
  })

  it('is checked again by the policy after the others', async () => {
    let saves = 0
    const { ask, idsOf, events } = bindable({
      policy: { rebinding: 'add', maxBindings: 4 },
      verbs: (registry) => ({
        async save(client) {
          const before = await registry.find(client.clientId)
          if (++saves === 2 && before) {
            const policy = { ...before.policy, rebinding: 'refuse' as const }
            await registry.save({ ...before, policy, revision: before.revision + 1 })
          }
          return registry.save(client)
        },
      }),
    })
    await (await ask()).bind()
    const second = await ask()
    expect([await reasonOf(second.bind), await second.stateOf()]).toEqual(['binding_exists', 'issued'])
    expect(await idsOf()).toHaveLength(1)
    expect(events.at(-1)).toMatchObject({ type: 'key.released' })
  })
})

describe('a binding whose key is revoked meanwhile', () => {
  const down = () => Promise.reject(new Error('down'))

  /** A store that refuses the `nth` settlement after another event. */
  function unsettled(before: () => Promise<unknown> = async () => undefined, nth = 1) {
    let settled = 0
    const { settle, ...store } = storeBut({})
    const late: ProvisioningStore['settle'] = async (...given) => {
      if (++settled !== nth) return settle(...given)
      await before()
      return 'revoked'
    }
    return { ...store, settle: late }
  }

  it('leaves the keys that it had replaced', async () => {
    const { ask, kept, idsOf, events } = bindable({
      policy: { rebinding: 'replace' },
      store: unsettled(undefined, 2),
    })
    const { binding_id } = await (await ask()).bind()
    const client = await kept.find(CLIENT)
    expect(await reasonOf((await ask()).bind)).toBe('key_revoked')
    expect(await idsOf()).toEqual([binding_id])
    expect(await kept.find(CLIENT)).toEqual({ ...client, revision: 4 })
    expect(events.some(({ type }) => type === 'client.unbound')).toBe(false)
  })

  it('leaves the keys that it had replaced, also if the store does not answer any more', async () => {
    const { find, ...verbs } = unsettled(async () => {
      isDown = true
    }, 2)
    let isDown = false
    const store = { ...verbs, find: (ref: KeyRef) => (isDown ? down() : find(ref)) }
    const { ask, idsOf } = bindable({ policy: { rebinding: 'replace' }, store })
    const { binding_id } = await (await ask()).bind()
    expect(await reasonOf((await ask()).bind)).toBe('key_revoked')
    expect(await idsOf()).toEqual([binding_id])
  })

  it('is taken away alone where somebody has changed the client since', async () => {
    const change = async () => {
      const client = (await given.kept.find('device:7')) as Client
      const metadata = { client_name: 'changed' }
      await given.kept.save({ ...client, metadata, revision: client.revision + 1 })
    }
    const given = bindable({ store: unsettled(change) })
    const { bind } = await given.ask({ requested_subject: 'device:7' })
    expect(await reasonOf(bind)).toBe('key_revoked')
    expect(await given.kept.find('device:7')).toMatchObject({
      bindings: [],
      authenticationMethods: [],
      metadata: { client_name: 'changed' },
    })
  })

  it('does not overwrite another change with the old client', async () => {
    const change = async () => {
      const client = (await given.kept.find(CLIENT)) as Client
      const metadata = { client_name: 'changed' }
      await given.kept.save({ ...client, metadata, revision: client.revision + 1 })
    }
    const given = bindable({ policy: { rebinding: 'replace' }, store: unsettled(change, 2) })
    await (await given.ask()).bind()
    expect(await reasonOf((await given.ask()).bind)).toBe('key_revoked')
    expect(await given.kept.find(CLIENT)).toMatchObject({
      bindings: [],
      metadata: { client_name: 'changed' },
      authenticationMethods: ['client_secret_basic', 'client_secret_post'],
    })
  })

  it('takes no key of another away', async () => {
    const bindOther = async () => (await given.ask({ requested_subject: 'device:7' })).bind()
    const bound: unknown[] = []
    const store = unsettled(async () => bound.push((await bindOther()).binding_id))
    const given = bindable({ policy: { rebinding: 'add' }, store })
    const { bind } = await given.ask({ requested_subject: 'device:7' })
    expect(await reasonOf(bind)).toBe('key_revoked')
    expect([await given.idsOf('device:7'), bound.length]).toEqual([bound, 1])
    expect((await given.kept.find('device:7'))?.authenticationMethods).toEqual(['private_key_jwt'])
  })

  it('is told of where the registry does not let it be taken back', async () => {
    const given = bindable({ store: unsettled(), verbs: (kept) => ({ ...kept, delete: down }) })
    const { bind } = await given.ask({ requested_subject: 'device:7' })
    expect(await reasonOf(bind)).toBe('key_revoked')
    const [bindingId] = await given.idsOf('device:7')
    expect(bindingId).toBeDefined()
    expect(given.events.at(-1)).toMatchObject({ type: 'client.bound', subject: 'device:7', bindingId })
  })

  it('brings back no client that somebody has deleted since', async () => {
    const given = bindable({ store: unsettled(async () => given.kept.delete('device:7')) })
    const { bind } = await given.ask({ requested_subject: 'device:7' })
    expect(await reasonOf(bind)).toBe('key_revoked')
    expect(await given.kept.find('device:7')).toBeUndefined()
  })
})
