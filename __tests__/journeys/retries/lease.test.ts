import type { RequestHandler } from 'express'
import type { ProvisioningStore } from '../../../lib/index.js'
import { gate, refOf, until } from '../../support/redeeming.js'
import { send } from '../../support/requests.js'
import {
  ACT,
  BIND,
  ERRANDS,
  lasting,
  ownerIdFor,
  REGISTER,
  type RetryingPlan,
  type RetryingServer,
  run,
  runAndHangUp,
  STRANGER,
  withRetrying,
} from '../../support/retrying.js'

const LEASE = 30

/** A server whose clock only the test moves. */
async function withClock(
  plan: RetryingPlan,
  test: (server: RetryingServer, clock: { seconds: number; manner: () => { now: number } }) => Promise<void>,
): Promise<void> {
  const clock = { seconds: Math.floor(Date.now() / 1000), manner: () => ({ now: clock.seconds }) }
  const options = { now: () => clock.seconds * 1000, redemptionLeaseSeconds: LEASE, ...plan.options }
  await withRetrying({ ...plan, options }, (server) => test(server, clock))
}

/** A store on which the first attempt stops as soon as it has reserved its key. */
function dying(): { verbs: (store: ProvisioningStore) => Partial<ProvisioningStore> } {
  let claims = 0
  const verbs = (store: ProvisioningStore): Partial<ProvisioningStore> => ({
    async redeem(...given) {
      const answer = await store.redeem(...given)
      claims += 1
      if (claims === 1) throw new Error('the process is gone')
      return answer
    },
  })
  return { verbs }
}

describe('an interruption', () => {
  test.concurrent.each(ERRANDS)(
    'of $name ends for the same holder after the lease, not before, and never for another',
    (errand) =>
      withClock(dying(), async (server, clock) => {
        const key = await server.bound(errand)
        expect((await run(server, key, errand, clock.manner())).status).toBe(503)
        expect(await server.standing(key)).toEqual(['redeeming', false])
        clock.seconds += LEASE - 1
        expect((await run(server, key, errand, clock.manner())).status).toBe(409)
        clock.seconds += 1
        const stranger = await run(server, key, errand, { ...clock.manner(), prover: STRANGER })
        expect([stranger.status >= 400, server.refusal()]).toEqual([true, 'possession_unproven'])
        const second = await run(server, key, errand, clock.manner())
        expect(second.status).toBeLessThan(300)
        expect(lasting(await run(server, key, errand, clock.manner()))).toEqual(lasting(second))
        expect([server.countEvents('key.redeemed'), server.countEvents('key.replayed')]).toEqual([1, 0])
      }),
  )

  test.concurrent.each(ERRANDS)('of $name never ends for a bearer', (errand) =>
    withClock(dying(), async (server, clock) => {
      const bare = () => ({ ...clock.manner(), scheme: 'Bearer' as const, prover: null })
      if (errand === BIND) return
      const key = await server.bearer(errand)
      expect((await run(server, key, errand, bare())).status).toBe(503)
      clock.seconds += 2 * LEASE
      for (const prover of [null, STRANGER]) {
        const again = await run(server, key, errand, { ...bare(), prover })
        expect([again.status >= 400, server.refusal()]).toEqual([true, 'key_redeeming'])
      }
      expect(await server.standing(key)).toEqual(['redeeming', false])
    }),
  )
})

/** A handler whose first run waits. It records the redemption of each run. */
function hanging() {
  const started = gate()
  const finish = gate()
  const ids: (string | undefined)[] = []
  const handler: RequestHandler = async (req, res) => {
    ids.push(req.provisioning?.redemptionId)
    const { length } = ids
    if (length === 1) {
      started.open()
      await finish.opened
    }
    res.status(req.headers['x-fail'] === undefined ? 201 : 500).json({ run: length })
  }
  return { started, finish, ids, handler }
}

describe('a handler that hangs', () => {
  test.concurrent('loses its reservation after the lease to an attempt with the same redemptionId', () => {
    const { started, finish, ids, handler } = hanging()
    return withClock({ handlers: [handler] }, async (server, clock) => {
      const key = await server.bound(ACT)
      const first = run(server, key, ACT, clock.manner())
      await started.opened
      clock.seconds += LEASE
      const second = await run(server, key, ACT, clock.manner())
      expect(second).toMatchObject({ status: 201, text: '{"run":2}' })
      expect(new Set(ids).size).toBe(1)
      finish.open()
      expect((await first).status).toBe(401)
      expect(server.refusal()).toBe('key_redeeming')
      expect(lasting(await run(server, key, ACT, clock.manner()))).toEqual(lasting(second))
      expect(await server.standing(key)).toEqual(['redeemed', false])
      const redeemed = server.events.filter(({ type }) => type === 'key.redeemed')
      expect(redeemed).toEqual([expect.objectContaining({ redemptionId: ids[0], action: 'route' })])
    })
  })

  test.concurrent('whose place was taken cannot release the key by failing late', () => {
    const { started, finish, handler } = hanging()
    return withClock({ handlers: [handler] }, async (server, clock) => {
      const key = await server.bound(ACT)
      const first = run(server, key, { ...ACT, headers: { ...ACT.headers, 'X-Fail': 'yes' } }, clock.manner())
      await started.opened
      clock.seconds += LEASE
      expect((await run(server, key, ACT, clock.manner())).status).toBe(201)
      finish.open()
      expect((await first).status).toBe(500)
      expect(await server.standing(key)).toEqual(['redeemed', false])
    })
  })

  test.concurrent('leaves its redemptionId to all who go on after it, also after one that has failed', () => {
    const { started, finish, ids, handler } = hanging()
    return withClock({ handlers: [handler] }, async (server, clock) => {
      const key = await server.bound(ACT)
      const first = run(server, key, ACT, clock.manner())
      await started.opened
      clock.seconds += LEASE
      const failing = { ...ACT, headers: { ...ACT.headers, 'X-Fail': 'yes' } }
      expect((await run(server, key, failing, clock.manner())).status).toBe(500)
      expect(await server.standing(key)).toEqual(['redeeming', false])
      expect((await run(server, key, ACT, clock.manner())).text).toBe('{"run":3}')
      expect(new Set(ids).size).toBe(1)
      finish.open()
      await first
    })
  })
})

test.concurrent('a claim that was taken over keeps its redemptionId when nobody is there before the handler runs', async () => {
  const { finish, ids, handler } = hanging()
  const resumed = gate()
  const goOn = gate()
  let resumptions = 0
  const verbs = (kept: ProvisioningStore): Partial<ProvisioningStore> => ({
    async redeem(...given) {
      const answer = await kept.redeem(...given)
      if (answer !== 'resumed') return answer
      resumptions += 1
      if (resumptions === 1) {
        resumed.open()
        await goOn.opened
      }
      return answer
    },
  })
  await withClock({ handlers: [handler], verbs }, async (server, clock) => {
    const key = await server.bound(ACT)
    const { jkt } = (await server.store.find(refOf(key)))?.confirmation ?? {}
    const ownerId = ownerIdFor(jkt, ACT)
    await server.store.redeem(refOf(key), 'the-first', { ownerId, leaseSeconds: LEASE })
    clock.seconds += LEASE
    const hangUp = runAndHangUp(server, key, ACT, clock.manner())
    await resumed.opened
    hangUp()
    await new Promise((resolve) => setTimeout(resolve, 100))
    goOn.open()
    await new Promise((resolve) => setTimeout(resolve, 100))
    expect([await server.standing(key), ids]).toEqual([['redeeming', false], []])
    const third = run(server, key, ACT, clock.manner())
    await until(() => ids.length === 1)
    expect(ids).toEqual(['the-first'])
    finish.open()
    expect((await third).status).toBe(201)
  })
})

test.concurrent.each([BIND, REGISTER])(
  'the late one of two attempts does not harm the result of the second: $name',
  async (errand) => {
    const stuck = gate()
    const goOn = gate()
    let settled = 0
    const verbs = (store: ProvisioningStore): Partial<ProvisioningStore> => ({
      async settle(...given) {
        settled += 1
        if (settled === 1) {
          stuck.open()
          await goOn.opened
        }
        return store.settle(...given)
      },
    })
    await withClock({ verbs }, async (server, clock) => {
      const key = await server.bound(errand, errand === BIND ? { requested_subject: 'device:late' } : {})
      const first = run(server, key, errand, clock.manner())
      await stuck.opened
      clock.seconds += LEASE
      const second = await run(server, key, errand, clock.manner())
      expect(second.status).toBe(201)
      goOn.open()
      expect((await first).status).toBe(401)
      expect(lasting(await run(server, key, errand, clock.manner()))).toEqual(lasting(second))
      const answer = JSON.parse(second.text)
      if (errand === REGISTER) {
        const path = new URL(answer.registration_client_uri).pathname
        await send(server, 'get', path)
          .set('Authorization', `Bearer ${answer.registration_access_token}`)
          .expect(200)
        expect(server.countEvents('client.registered')).toBe(1)
      } else {
        const bindings = await server.keys.listBindings('device:late')
        expect(bindings.map(({ bindingId }) => bindingId)).toEqual([answer.binding_id])
        expect(server.countEvents('client.bound')).toBe(1)
      }
    })
  },
)
