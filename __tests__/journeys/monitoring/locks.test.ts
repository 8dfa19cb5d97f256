import { memoryStore, type ProvisioningStore } from '../../../lib/index.js'
import type { LockKind } from '../../../lib/ports/monitoring-store.js'
import {
  callApi,
  callApiProving,
  mountAccess,
  obtainBoundToken,
  obtainToken,
} from '../../support/access-tokens.js'
import { bindingBody } from '../../support/binding.js'
import { deployed, issueKey, refusalOf, reserveKey } from '../../support/deployed.js'
import { refOf } from '../../support/redeeming.js'
import { askForKey, exchangeKey, obtainKey, postForm, send } from '../../support/requests.js'
import { ACT, BIND, ERRANDS, run, TOKEN, withRetrying } from '../../support/retrying.js'
import { CLIENT, type RunningServer, SECRET, type ServerPlan, startServer } from '../../support/server.js'

const DEVICE = 'device:7'

function lock(store: ProvisioningStore, clientId: string, kind: LockKind = 'lock') {
  const lockedAt = Math.floor(Date.now() / 1000)
  return store.lock({ clientId, kind, reason: 'stolen', author: 'operator', lockedAt, until: lockedAt + 600 })
}

async function withServer(
  test: (server: RunningServer, store: ProvisioningStore) => Promise<void>,
  plan: Pick<ServerPlan, 'mount'> = {},
): Promise<void> {
  const store = memoryStore()
  const server = await startServer({ options: { store }, ...plan })
  await test(server, store).finally(server.close)
}

type Use = (
  server: RunningServer,
  key: string,
) => PromiseLike<{ readonly status: number; readonly body: object }>

const bearer = (key: string) => ({ Authorization: `Bearer ${key}` })

/** Every way to use a key: the scope, the statuses of the refusal and of the success. */
const USES: Record<string, readonly [scope: string, refused: number, success: number, use: Use]> = {
  'at a guarded route': ['devices:read', 401, 200, (on, key) => send(on, 'get', '/devices').set(bearer(key))],
  'at a redeeming route': [
    'devices:create',
    401,
    201,
    (on, key) => send(on, 'post', '/devices').set(bearer(key)),
  ],
  'for an access token': ['provision:token devices:read', 400, 200, (on, key) => exchangeKey(on, key)],
  'to bind': [
    'provision:bind',
    401,
    201,
    (on, key) => send(on, 'post', '/oauth/bind').set(bearer(key)).send(bindingBody(key)),
  ],
  'to register': [
    'provision:register devices:read',
    401,
    201,
    (on, key) => send(on, 'post', '/oauth/register').set(bearer(key)).send({ client_name: 'a' }),
  ],
}

const reasonsOf = ({ events }: RunningServer) =>
  events.flatMap((event) => (event.type === 'request.refused' ? [event.reason] : []))

describe('the keys of a locked client', () => {
  for (const [name, [scope, refused, success, use]] of Object.entries(USES)) {
    for (const identity of [CLIENT, DEVICE]) {
      it(`are refused ${name} while ${identity} is locked, stay issued, and work after that`, () =>
        withServer(async (server, store) => {
          const key = await obtainKey(server, { scope, requested_subject: DEVICE })
          await lock(store, identity)
          const { status, body } = await use(server, key)
          expect([status, JSON.stringify(body)]).toEqual([refused, expect.not.stringMatching(/locked/)])
          expect(reasonsOf(server)).toEqual(['client_locked'])
          expect(await store.find(refOf(key))).toMatchObject({ state: 'issued' })
          await store.unlock(identity)
          expect((await use(server, key)).status).toBe(success)
        }))
    }
  }

  it.each(['throttle', 'stepUp'] as const)('are accepted with %s, which is about new keys only', (kind) =>
    withServer(async (server, store) => {
      const key = await obtainKey(server, { scope: 'devices:create' })
      await lock(store, CLIENT, kind)
      await send(server, 'post', '/devices').set(bearer(key)).expect(201)
    }),
  )

  it('do not concern those of other clients', () =>
    withServer(async (server, store) => {
      const key = await obtainKey(server, { scope: 'devices:read' })
      await lock(store, 'somebody-else')
      await send(server, 'get', '/devices').set(bearer(key)).expect(200)
      await askForKey(server).expect(200)
    }))

  it('are inactive at introspection, and so are its access tokens', () =>
    withServer(async (server, store) => {
      const key = await obtainKey(server)
      const { token } = await obtainToken(server)
      const activity = async (text: string) =>
        (await postForm(server, '/oauth/introspect', { token: text }).auth(CLIENT, SECRET)).body.active
      expect([await activity(key), await activity(token)]).toEqual([true, true])
      await lock(store, CLIENT)
      expect([await activity(key), await activity(token)]).toEqual([false, false])
      await store.unlock(CLIENT)
      expect([await activity(key), await activity(token)]).toEqual([true, true])
    }))

  it('are refused at the end of a body or of a reservation, if the lock comes in between', async () => {
    const given = deployed()
    const { verified } = await issueKey(given)
    const reservation = await reserveKey(given, verified, 'route')
    await reservation.check()
    await given.deployment.store.lock({
      ...{ clientId: CLIENT, kind: 'lock', reason: 'stolen', author: 'operator' },
      ...{ lockedAt: given.clock.seconds, until: given.clock.seconds + 600 },
    })
    expect(await refusalOf(() => reservation.check())).toMatchObject({
      reason: 'client_locked',
      code: 'invalid_token',
    })
  })
})

describe('the access tokens of a locked client', () => {
  it('are refused with the same answer as any other token, and work after that', () =>
    withServer(
      async (server, store) => {
        const { token } = await obtainToken(server)
        await lock(store, CLIENT)
        const { body } = await callApi(server, token).expect(401)
        expect(body).toMatchObject({
          error: 'invalid_token',
          error_description: 'The access token is not accepted.',
        })
        expect(reasonsOf(server)).toEqual(['client_locked'])
        await store.unlock(CLIENT)
        await callApi(server, token).expect(200)
      },
      { mount: mountAccess },
    ))

  it('are refused with the reason if they are bound, because their owner sends the request', () =>
    withServer(
      async (server, store) => {
        const { token, holder } = await obtainBoundToken(server)
        await lock(store, CLIENT)
        const { body } = await callApiProving(server, token, holder).expect(401)
        expect(body.error_description).toMatch(/is locked/)
      },
      { mount: mountAccess },
    ))
})

describe('a replay of a redeemed key', () => {
  for (const [name, [scope, , , use]] of Object.entries(USES)) {
    it(`is contained although its client is locked, ${name}`, () =>
      withServer(async (server, store) => {
        const key = await obtainKey(server, { scope: `${scope} devices:create` })
        await send(server, 'post', '/devices').set(bearer(key)).expect(201)
        await lock(store, CLIENT)
        expect((await use(server, key)).status).toBeGreaterThan(399)
        expect(await store.find(refOf(key))).toMatchObject({ state: 'redeemed', familyRevoked: true })
        expect(server.events.map(({ type }) => type)).toContain('key.replayed')
        expect(reasonsOf(server)).toEqual(['key_redeemed'])
      }))
  }
})

describe('the owner of a redeemed key', () => {
  it.each(ERRANDS)('does not get the answer of $name again while its client is locked', (errand) =>
    withRetrying({}, async (server) => {
      const key = await server.bound(errand)
      const first = await run(server, key, errand)
      await lock(server.store, refOf(key).clientId)
      const { status } = await run(server, key, errand)
      expect(status).toBe(errand === TOKEN ? 400 : 401)
      expect(reasonsOf(server)).toEqual(['client_locked'])
      expect(await server.standing(key)).toEqual(['redeemed', false])
      await server.store.unlock(refOf(key).clientId)
      expect((await run(server, key, errand)).status).toBe(first.status)
    }),
  )

  it.each([ACT, BIND])(
    'is told that its client is locked, because it has proven who it is: $name',
    (errand) =>
      withRetrying({}, async (server) => {
        const key = await server.bound(errand)
        await lock(server.store, refOf(key).clientId)
        const answer = await run(server, key, errand)
        expect(answer.bytes.toString()).toMatch(/is locked/)
      }),
  )
})
