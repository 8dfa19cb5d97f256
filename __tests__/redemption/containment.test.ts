import { generateKeyPairSync } from 'node:crypto'
import { ProvisioningError, type Reason } from '../../lib/base/errors.js'
import { hashSecret } from '../../lib/base/secret.js'
import { thumbprint } from '../../lib/jose/jwk.js'
import type { Client, ClientRegistry } from '../../lib/ports/client.js'
import type { PolicyOptions } from '../../lib/ports/policy-options.js'
import type { ProvisioningStore } from '../../lib/ports/store.js'
import { bindKey } from '../../lib/redemption/actions/bind.js'
import { registerClient } from '../../lib/redemption/actions/register.js'
import { containReplay, revokeFamily } from '../../lib/redemption/containment.js'
import { actOrContain } from '../../lib/redemption/replay.js'
import { memoryStore } from '../../lib/stores/memory/memory.js'
import { memoryClientRegistry } from '../../lib/stores/memory/memory-clients.js'
import {
  CLIENT,
  deployed,
  ISSUER,
  issueKey,
  reasonOf,
  reserveKey,
  SECRET,
  START,
  verifyBearerKey,
} from '../support/deployed.js'

const SCOPE = 'provision:bind provision:register devices:read'
const DEVICE = { requested_subject: 'device:7' }
const ADDRESS = '198.51.100.7'

interface Plan {
  readonly policy?: PolicyOptions
  /** Verbs that are replaced after `fail`. */
  readonly registry?: (kept: ClientRegistry) => Partial<ClientRegistry>
  readonly store?: (kept: ProvisioningStore) => Partial<ProvisioningStore>
}

/** A deployment whose registry and store a test can change. */
function arranged({ policy, registry = () => ({}), store = () => ({}) }: Plan = {}) {
  const asker: Client = {
    clientId: CLIENT,
    revision: 1,
    secretHash: hashSecret(SECRET),
    authenticationMethods: ['client_secret_basic', 'client_secret_post'],
    policy: { scopes: SCOPE.split(' '), subjects: ['device:*'], rebinding: 'add', ...policy },
  }
  const clock = { seconds: START }
  const [clients, keys] = [memoryClientRegistry([asker]), memoryStore({ now: () => clock.seconds * 1000 })]
  const [served, stored] = [{ ...clients }, { ...keys }]
  const given = deployed({ clients: served, policy: {}, store: stored }, clock)
  return {
    ...given,
    clients,
    misbehave() {
      Object.assign(served, registry(clients))
      Object.assign(stored, store(keys))
    },
    behave() {
      Object.assign(served, clients)
      Object.assign(stored, keys)
    },
    since: () => {
      const from = given.events.length
      return () => given.events.slice(from)
    },
  }
}

type Arranged = ReturnType<typeof arranged>

async function registered(given: Arranged, asked: Record<string, string> = DEVICE) {
  const { key, record } = await issueKey(given, { scope: SCOPE, ...asked })
  const verified = await verifyBearerKey(given, key)
  const answer = await registerClient(given.deployment, verified, { body: { scope: 'devices:read' } })
  return { record, answer }
}

async function bound(given: Arranged, asked: Record<string, string> = DEVICE) {
  const { key, record } = await issueKey(given, { scope: SCOPE, ...asked })
  const { publicKey } = generateKeyPairSync('ed25519')
  const proof = { publicKey, thumbprint: thumbprint(publicKey), spend: async () => undefined }
  const verified = { ...(await verifyBearerKey(given, key)), proof }
  const request = { body: {}, endpoint: `${ISSUER}/oauth/bind` }
  return { record, answer: await bindKey(given.deployment, verified, request) }
}

describe('a replay', () => {
  it('of a key that brought nothing into the registry revokes its tokens, once', async () => {
    const given = arranged()
    const { record, verified } = await issueKey(given, { scope: SCOPE })
    await (await reserveKey(given, verified)).settle()
    const told = given.since()
    for (let i = 0; i < 2; i++) await containReplay(given.deployment, record, { address: ADDRESS })
    const envelope = { type: 'key.replayed', severity: 'high', at: new Date(START * 1000) }
    const whose = { keyId: record.jti, clientId: CLIENT, subject: CLIENT }
    const said = { ...envelope, ...whose, action: 'route', address: ADDRESS }
    expect(told()).toEqual([
      { ...said, code: 'key.replayed:family_revoked', familyRevoked: true },
      { ...said, code: 'key.replayed:nothing_revoked', familyRevoked: false },
    ])
  })

  it('keeps a client that a binding created if it has other bindings now', async () => {
    const given = arranged()
    const first = await bound(given)
    const client = (await given.clients.find('device:7')) as Client
    const secretHash = hashSecret(SECRET)
    const methods = ['client_secret_basic', ...client.authenticationMethods] as const
    await given.clients.save({ ...client, secretHash, authenticationMethods: methods, revision: 2 })
    await containReplay(given.deployment, first.record)
    expect(await given.clients.find('device:7')).toMatchObject({
      bindings: [],
      secretHash,
      authenticationMethods: ['client_secret_basic'],
    })
  })

  it('takes a client along that has lost its binding already, and frees the identity', async () => {
    const given = arranged()
    const { record } = await bound(given)
    const client = (await given.clients.find('device:7')) as Client
    await given.clients.save({
      ...client,
      bindings: [],
      authenticationMethods: [],
      boundMethods: [],
      revision: 2,
    })
    await containReplay(given.deployment, record)
    expect(await given.clients.find('device:7')).toBeUndefined()
    given.clock.seconds += 6
    expect((await registered(given)).answer.client_id).toBe('device:7')
  })

  it('of the key of a client that is gone revokes strictly, whatever its policy said', async () => {
    const given = arranged({ policy: { onReplay: 'flag' } })
    const { record } = await registered(given)
    await given.clients.delete(CLIENT)
    await containReplay(given.deployment, record)
    expect(await given.clients.find('device:7')).toBeUndefined()
  })

  it.each(['revoke', 'flag'] as const)(
    'spares an identity that comes back while it looks: %s',
    async (onReplay) => {
      const other: Client = {
        clientId: 'device:7',
        revision: 1,
        authenticationMethods: [],
        registeredBy: { clientId: CLIENT, keyId: 'another' },
        registration: {
          issuedAt: START,
          scopes: [],
          tokens: [{ hash: hashSecret(SECRET), expiresAt: START + 9 }],
        },
      }
      let looks = 0
      const given = arranged({
        policy: { onReplay },
        registry: (kept) => ({
          // The registry returns the old client for the read, and the new one for the change.
          async save(client) {
            if (client.clientId === 'device:7' && looks++ === 0) {
              await kept.delete('device:7')
              await kept.save(other)
              return false
            }
            return kept.save(client)
          },
        }),
      })
      const { record } = await registered(given)
      given.misbehave()
      await containReplay(given.deployment, record)
      expect(looks).toBe(1)
      expect(await given.clients.find('device:7')).toEqual(other)
      expect(given.events.at(-1)).toMatchObject({ family: { clientId: 'device:7', fate: 'gone' } })
    },
  )

  it('flags a binding once, and lets it go where policy has become strict', async () => {
    const given = arranged({ policy: { onReplay: 'flag' } })
    const { record } = await bound(given, {})
    const kept = await bound(given, {})
    const told = given.since()
    for (let i = 0; i < 2; i++) await containReplay(given.deployment, record)
    expect(told().map(({ type }) => type)).toEqual(['client.flagged', 'key.replayed', 'key.replayed'])
    const { bindings = [], ...client } = (await given.clients.find(CLIENT)) as Client
    expect(bindings).toMatchObject([{ flaggedAt: START }, { keyId: kept.record.jti }])
    expect(bindings[1]).not.toHaveProperty('flaggedAt')
    const policy = { ...client.policy, onReplay: 'revoke' as const }
    await given.clients.save({ ...client, bindings, policy, revision: client.revision + 1 })
    await containReplay(given.deployment, record)
    expect((await given.clients.find(CLIENT))?.bindings).toEqual(bindings.slice(1))
  })
})

const down = () => Promise.reject(new Error('down'))

describe('a replay that does not come to its end', () => {
  it.each<[string, Plan, Reason, object | undefined]>([
    ['the entry', { store: () => ({ find: down }) }, 'store_unavailable', { fate: 'unreached' }],
    [
      'the revocation by time',
      { store: () => ({ revokeIssuedBefore: down }) },
      'store_unavailable',
      undefined,
    ],
    ['the client', { registry: () => ({ find: down }) }, 'registry_unavailable', undefined],
    ['the mark', { registry: () => ({ save: down }) }, 'registry_unavailable', undefined],
    ['the deletion', { registry: () => ({ delete: down }) }, 'registry_unavailable', undefined],
    ['its turn', { registry: () => ({ save: async () => false }) }, 'client_contended', undefined],
  ])('for want of %s is refused, told of, and completed by the next', async (_, plan, reason, family) => {
    for (const redeem of [registered, bound]) {
      const given = arranged(plan)
      const { record } = await redeem(given)
      given.misbehave()
      expect(await reasonOf(() => containReplay(given.deployment, record))).toBe(reason)
      const unreached = family ?? { clientId: 'device:7', fate: 'unreached' }
      expect(given.events.at(-1)).toMatchObject({
        type: 'key.replayed',
        familyRevoked: true,
        family: unreached,
      })
      given.behave()
      await containReplay(given.deployment, record)
      expect(given.events.at(-1)).toMatchObject({ familyRevoked: false, family: { fate: 'revoked' } })
      expect(await given.clients.find('device:7')).toBeUndefined()
    }
  })

  it('for want of the fence revokes nothing, and tells that it took place', async () => {
    const given = arranged({ store: () => ({ revokeFamily: down }) })
    const { record } = await registered(given)
    given.misbehave()
    const told = given.since()
    expect(await reasonOf(() => containReplay(given.deployment, record))).toBe('store_unavailable')
    const replay = { type: 'key.replayed', familyRevoked: false, family: { fate: 'unreached' } }
    expect(told()).toMatchObject([replay])
    expect(await given.clients.find('device:7')).toMatchObject({ clientId: 'device:7' })
  })
})

describe('revokeFamily', () => {
  it('says what there was to revoke', async () => {
    const given = arranged()
    const { record } = await issueKey(given, { scope: SCOPE })
    expect(await revokeFamily(given.deployment, { ...record, jti: 'nobody' })).toBe('unknown')
    expect(await revokeFamily(given.deployment, record)).toBe('not_redeemed')
    const told = given.since()
    const family = await bound(given, {})
    expect(await revokeFamily(given.deployment, family.record)).toBe('revoked')
    expect(await revokeFamily(given.deployment, family.record)).toBe('unchanged')
    const types = ['key.issued', 'key.redeemed', 'client.bound', 'client.unbound', 'family.revoked']
    expect(told().map(({ type }) => type)).toEqual(types)
    expect(told().at(-2)).toMatchObject({ by: 'operator' })
    expect(told().at(-1)).toMatchObject({
      severity: 'notice',
      familyRevoked: true,
      family: { fate: 'revoked' },
    })
  })

  it('revokes the rest if the tokens are already revoked, and flags nothing', async () => {
    const given = arranged({ policy: { onReplay: 'flag' } })
    const { record } = await registered(given)
    await given.deployment.store.revokeFamily(record)
    expect(await revokeFamily(given.deployment, record)).toBe('revoked')
    expect(await given.clients.find('device:7')).toBeUndefined()
    expect(given.events.map(({ type }) => type)).not.toContain('client.flagged')
  })

  it('does not say that it has where clients cannot be saved', async () => {
    const given = arranged()
    const { record } = await registered(given)
    const lookup = { ...given.deployment, registryWritable: false }
    const told = given.since()
    expect(await reasonOf(() => revokeFamily(lookup, record))).toBe('server_fault')
    await containReplay(lookup, record)
    const family = { clientId: 'device:7', fate: 'unreached' }
    expect(told()).toMatchObject([
      { type: 'family.revoked', family },
      { type: 'key.replayed', family },
    ])
  })
})

describe('actOrContain', () => {
  async function refusing(error: unknown, state: 'redeemed' | 'issued' | 'redeeming') {
    const given = arranged()
    const { record, verified: key } = await issueKey(given, { scope: SCOPE })
    await (await reserveKey(given, key)).settle()
    const act = () => Promise.reject(error)
    const reason = await reasonOf(() =>
      actOrContain(given.deployment, { key, state, source: { address: ADDRESS } }, act),
    ).catch((thrown) => thrown)
    return [reason, (await given.deployment.store.find(record))?.familyRevoked]
  }

  it.each<Reason>(['scope_not_permitted', 'client_mismatch', 'parameter_missing', 'client_unknown'])(
    'treats a refusal for %s as a replay if the key was redeemed before',
    async (reason) => {
      const error = new ProvisioningError(reason, 'No.')
      expect(await refusing(error, 'redeemed')).toEqual(['key_redeemed', true])
      expect(await refusing(error, 'issued')).toEqual([reason, false])
      expect(await refusing(error, 'redeeming')).toEqual([reason, false])
    },
  )

  it.each<Reason>([
    'key_redeemed',
    'key_revoked',
    'redemption_pending',
    'registry_unavailable',
    'too_many_requests',
    'server_fault',
  ])('ignores a refusal for %s', async (reason) => {
    expect(await refusing(new ProvisioningError(reason, 'No.'), 'redeemed')).toEqual([reason, false])
  })

  it('ignores foreign errors', async () => {
    const error = new TypeError('no')
    expect(await refusing(error, 'redeemed')).toEqual([error, false])
  })
})
