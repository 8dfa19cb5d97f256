import { inspect } from 'node:util'
import { Keyv } from 'keyv'
import { hashSecret } from '../../../lib/base/secret.js'
import type { Client, ClientRegistry } from '../../../lib/ports/client.js'
import type { ProvisioningStore } from '../../../lib/ports/store.js'
import { keyvClientRegistry } from '../../../lib/stores/keyv/keyv.js'
import { memoryStore } from '../../../lib/stores/memory/memory.js'
import { memoryClientRegistry } from '../../../lib/stores/memory/memory-clients.js'
import { bindWithProof } from '../../support/binding'
import { clientKey } from '../../support/client-assertion'
import { signProof } from '../../support/proof'
import { refOf } from '../../support/redeeming'
import { register } from '../../support/refusals/case'
import { askForKey, exchangeKey, obtainKey, postForm, send } from '../../support/requests'
import { sampled } from '../../support/scale'
import { AUDIENCE, CLIENT, ISSUER, type RunningServer, SECRET, startServer } from '../../support/server'

type Verb = keyof ProvisioningStore

interface Stage {
  readonly server: RunningServer
  /** The real store. */
  readonly memory: ProvisioningStore
  /** Replaces the answers of a verb. */
  answer(verb: Verb, answer: unknown): void
}

async function withStage(test: (stage: Stage) => Promise<void>): Promise<void> {
  const memory = memoryStore()
  const store = { ...memory }
  const server = await startServer({ options: { store } })
  const answer = (verb: Verb, nonsense: unknown) => Object.assign(store, { [verb]: async () => nonsense })
  await test({ server, memory, answer }).finally(server.close)
}

const NONSENSE = sampled<unknown>(
  [undefined, null, true, false, 0, 'bogus', '', {}, ['first'], ['issued']],
  (one) => typeof one,
)

const KEY = clientKey()
const LOCK = { clientId: CLIENT, kind: 'lock', reason: 'stolen', author: 'operator', lockedAt: 1, until: 9e9 }
const CREATE = { scope: 'devices:create devices:read' }
const TOKEN = { method: 'POST', url: `${ISSUER}/oauth/token` }

function act(server: RunningServer, key: string) {
  return send(server, 'post', '/devices').set('Authorization', `Bearer ${key}`)
}

function actAsHolder(server: RunningServer, key: string) {
  const proof = signProof(KEY, { method: 'POST', url: `${AUDIENCE}/devices` }, { token: key })
  return send(server, 'post', '/devices').set('Authorization', `DPoP ${key}`).set('DPoP', proof)
}

/** Each attack must fail: no answer with 200 or 500, and no key in another state. */
const ATTACKS: Partial<Record<Verb, (stage: Stage, nonsense: unknown) => Promise<void>>> = {
  async record({ server, answer }, nonsense) {
    answer('record', nonsense)
    const { body } = await askForKey(server, CREATE).expect(503)
    expect(body.access_token).toBeUndefined()
  },
  async find({ server, memory, answer }, nonsense) {
    const key = await obtainKey(server, CREATE)
    answer('find', nonsense)
    await send(server, 'get', '/devices').auth(key, { type: 'bearer' }).expect(503)
    await act(server, key).expect(503)
    await postForm(server, '/oauth/introspect', { token: key }).auth(CLIENT, SECRET).expect(503)
    expect(await memory.find(refOf(key))).toMatchObject({ state: 'issued' })
  },
  async redeem({ server, memory, answer }, nonsense) {
    const key = await obtainKey(server, CREATE)
    answer('redeem', nonsense)
    await act(server, key).expect(503)
    expect(await memory.find(refOf(key))).toMatchObject({ state: 'issued' })
  },
  async settle({ server, answer }, nonsense) {
    const [key, other] = [await obtainKey(server, CREATE), await obtainKey(server)]
    answer('settle', nonsense)
    await act(server, key).expect(503)
    const { body } = await exchangeKey(server, other).expect(503)
    expect(body.access_token).toBeUndefined()
    expect(server.events.filter(({ type }) => type === 'key.redeemed')).toEqual([])
  },
  async recall({ server, answer }, nonsense) {
    const key = (await askForKey(server, CREATE).set('DPoP', signProof(KEY, TOKEN))).body.access_token
    await actAsHolder(server, key).expect(201)
    answer('recall', nonsense)
    await actAsHolder(server, key).expect(503)
  },
  async revoke({ server, answer }, nonsense) {
    const key = await obtainKey(server, CREATE)
    answer('revoke', nonsense)
    await postForm(server, '/oauth/revoke', { token: key }).auth(CLIENT, SECRET).expect(503)
    expect(server.events.filter(({ type }) => type === 'key.revoked')).toEqual([])
  },
  async revokeFamily({ server, answer }, nonsense) {
    const key = await obtainKey(server, CREATE)
    await act(server, key).expect(201)
    answer('revokeFamily', nonsense)
    await act(server, key).expect(503)
    const replayed = server.events.filter(({ type }) => type === 'key.replayed')
    expect(replayed).toMatchObject([{ familyRevoked: false, family: { fate: 'unreached' } }])
  },
  async revokeIssuedBefore({ server, answer }, nonsense) {
    answer('revokeIssuedBefore', nonsense)
    await expect(server.keys.revokeAllIssuedBefore(new Date())).rejects.toMatchObject({
      reason: 'store_unavailable',
    })
  },
  async useOnce({ server, answer }, nonsense) {
    answer('useOnce', nonsense)
    const { body } = await askForKey(server, CREATE).set('DPoP', signProof(KEY, TOKEN)).expect(503)
    expect(body.access_token).toBeUndefined()
  },
}

describe('a store that answers nonsense', () => {
  for (const [verb, attack] of Object.entries(ATTACKS)) {
    for (const nonsense of NONSENSE.filter(
      (one) => one !== undefined || !['find', 'recall'].includes(verb),
    )) {
      it(`lets nothing pass: ${verb} answers ${inspect(nonsense)}`, () =>
        withStage((stage) => attack(stage, nonsense)))
    }
  }

  for (const [title, differences] of Object.entries({
    'in an unknown state': { state: 'bogus' },
    'of another key': { jti: 'another' },
    'that does not say whether its family is revoked': { familyRevoked: undefined },
    'that is bound to nothing': { confirmation: {} },
    'with the lock null': { lock: null },
    'with the lock false': { lock: false },
    'with a lock of no kind': { lock: { ...LOCK, kind: undefined } },
    'with a lock of an unknown kind': { lock: { ...LOCK, kind: 'none' } },
    'with a lock of somebody else': { lock: { ...LOCK, clientId: 'somebody-else' } },
    'with a lock without an end': { lock: { ...LOCK, until: undefined } },
    'with networks that are no list': { networks: '192.0.2.0/24' },
    'with a network that is no text': { networks: [7] },
    'with too many networks': { networks: Array(9).fill('192.0.2.0/24') },
    'that was issued to no text': { issuedTo: 7 },
    'without times': { retainUntil: undefined, expiresAt: null },
  })) {
    it(`lets nothing pass: find answers an entry ${title}`, () =>
      withStage(async ({ server, memory, answer }) => {
        const key = await obtainKey(server, CREATE)
        answer('find', { ...(await memory.find(refOf(key))), ...differences })
        await act(server, key).expect(503)
      }))
  }

  it('is named in the event with its verb and the kind of its answer, but not the answer', () =>
    withStage(async ({ server, answer }) => {
      answer('record', SECRET)
      await askForKey(server, CREATE).expect(503)
      const refused = server.events.find(({ type }) => type === 'request.refused')
      const got = `and not a string of ${SECRET.length} characters)`
      expect(refused).toMatchObject({ detail: expect.stringContaining(got) })
      expect(refused).toMatchObject({ detail: expect.stringContaining("The store's record() must answer") })
    }))

  it('leaves a key alone whose release it answers with nonsense', () =>
    withStage(async ({ server, memory, answer }) => {
      const key = await obtainKey(server, { scope: 'provision:register devices:read' })
      answer('release', true)
      answer('settle', undefined)
      await send(server, 'post', '/oauth/register').auth(key, { type: 'bearer' }).send({}).expect(503)
      expect(server.events.filter(({ type }) => type === 'key.released')).toEqual([])
      expect(await memory.find(refOf(key))).toMatchObject({ state: 'redeeming' })
    }))
})

describe('a client registry that answers nonsense', () => {
  const RUNNER: Client = {
    clientId: CLIENT,
    revision: 1,
    secretHash: hashSecret(SECRET),
    authenticationMethods: ['client_secret_basic'],
  }
  const ERRANDS = {
    'a registration': (server: RunningServer) => register(server, { scope: 'devices:read' }),
    'a binding': (server: RunningServer) => bindWithProof(server),
  }

  for (const [title, errand] of Object.entries(ERRANDS)) {
    for (const nonsense of [undefined, null, 'false', 'true', 1, {}]) {
      it(`saves nothing for ${title}: save answers ${inspect(nonsense)}`, async () => {
        const kept = memoryClientRegistry([RUNNER])
        const clients: ClientRegistry = {
          ...kept,
          save: async () => nonsense as boolean,
        }
        const server = await startServer({ options: { clients } })
        const { status } = await errand(server)
        expect(status).toBe(503)
        expect(server.events.map(({ type }) => type)).not.toContain('client.registered')
        expect(server.events.map(({ type }) => type)).not.toContain('key.redeemed')
        await server.close()
      })
    }
  }

  for (const nonsense of [undefined, null, true, 'bogus', {}]) {
    it(`cannot lock a client: useOnce answers ${inspect(nonsense)}`, async () => {
      const lock = { useOnce: async () => nonsense as 'first' }
      const registry = keyvClientRegistry(new Keyv({ throwOnErrors: true }), { lock })
      const client = { clientId: 'lamp', revision: 1, authenticationMethods: [] }
      await expect(registry.save(client)).rejects.toThrow('The store that locks clients')
      expect(await registry.find('lamp')).toBeUndefined()
    })
  }
})
