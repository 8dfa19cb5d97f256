import { gate, refOf, until } from '../../support/redeeming.js'
import {
  ACT,
  BIND,
  ERRANDS,
  type Errand,
  HOLDER,
  lasting,
  REGISTER,
  type RetryingServer,
  requestFor,
  run,
  runAndHangUp,
  STRANGER,
  TOKEN,
  withRetrying,
} from '../../support/retrying.js'

/** The event that shows that the action of an errand took place. */
const DONE: Readonly<Record<string, string>> = {
  [TOKEN.name]: 'token.issued',
  [BIND.name]: 'client.bound',
  [REGISTER.name]: 'client.registered',
}

function expectOnce(server: RetryingServer, errand: Errand, repeated: number): void {
  const told = DONE[errand.name]
  expect(told === undefined ? server.runs() : server.countEvents(told)).toBe(1)
  expect(server.countEvents('key.redeemed')).toBe(1)
  expect(server.countEvents('redemption.repeated')).toBe(repeated)
  expect(server.countEvents('key.replayed')).toBe(0)
}

const SUCCESS: Readonly<Record<string, number>> = { [TOKEN.name]: 200 }

describe.each(ERRANDS)('$name, asked for again', (errand) => {
  const success = SUCCESS[errand.name] ?? 201

  test('gets the same answer byte for byte, as often as it is asked for, and happens once', () =>
    withRetrying({}, async (server) => {
      const key = await server.bound(errand)
      const first = await run(server, key, errand)
      expect(first.status).toBe(success)
      for (const _ of [1, 2, 3]) expect(lasting(await run(server, key, errand))).toEqual(lasting(first))
      expectOnce(server, errand, 3)
      expect(await server.standing(key)).toEqual(['redeemed', false])
      const { jti: keyId, clientId } = refOf(key)
      const repeated = server.events.find(({ type }) => type === 'redemption.repeated')
      expect(repeated).toMatchObject({ keyId, clientId, severity: 'notice' })
    }))

  test('gets the answer that the first connection did not live to see', async () => {
    const settling = gate()
    const begun = gate()
    const verbs = (store: RetryingServer['store']) => ({
      async settle(...given: Parameters<RetryingServer['store']['settle']>) {
        begun.open()
        await settling.opened
        return store.settle(...given)
      },
    })
    await withRetrying({ verbs }, async (server) => {
      const key = await server.bound(errand)
      const hangUp = runAndHangUp(server, key, errand)
      await begun.opened
      hangUp()
      await new Promise((resolve) => setTimeout(resolve, 50))
      settling.open()
      await until(() => server.countEvents('key.redeemed') === 1)
      const second = await run(server, key, errand)
      expect(second.status).toBe(success)
      expect(lasting(await run(server, key, errand))).toEqual(lasting(second))
      expectOnce(server, errand, 2)
    })
  })

  test('with the very same proof is refused, and nothing else becomes of it', () =>
    withRetrying({}, async (server) => {
      const key = await server.bound(errand)
      const wanted = requestFor(key, errand)
      const manner = { proof: String(wanted.headers?.DPoP) }
      const first = await run(server, key, errand, manner)
      const stolen = await run(server, key, errand, manner)
      expect([stolen.status >= 400, server.refusal()]).toEqual([true, 'dpop_replayed'])
      expect(lasting(await run(server, key, errand))).toEqual(lasting(first))
      expectOnce(server, errand, 1)
    }))

  test('with the proof of another key is refused, and nothing else becomes of it', () =>
    withRetrying({}, async (server) => {
      const key = await server.bound(errand)
      const first = await run(server, key, errand)
      for (const manner of [
        { prover: STRANGER },
        { prover: null },
        { prover: null, scheme: 'Bearer' as const },
      ]) {
        const stolen = await run(server, key, errand, manner)
        expect([stolen.status >= 400, server.refusal()]).toEqual([true, 'possession_unproven'])
      }
      expect(lasting(await run(server, key, errand))).toEqual(lasting(first))
      expectOnce(server, errand, 1)
    }))
})

describe.each([TOKEN, BIND])('$name with a key that is bound to nothing, and a proof', (errand) => {
  test('gets the same answer for the key of the proof, and for no other', () =>
    withRetrying({}, async (server) => {
      const key = await server.bearer(errand)
      const bearing = { scheme: 'Bearer' as const }
      const first = await run(server, key, errand, bearing)
      expect(first.status).toBeLessThan(300)
      expect(lasting(await run(server, key, errand, bearing))).toEqual(lasting(first))
      expectOnce(server, errand, 1)
      const stolen = await run(server, key, errand, { ...bearing, prover: STRANGER })
      expect([stolen.status >= 400, server.refusal()]).toEqual([true, 'key_redeemed'])
      expect(await server.standing(key)).toEqual(['redeemed', true])
      expect((await run(server, key, errand, { ...bearing, prover: HOLDER })).status).toBeGreaterThanOrEqual(
        400,
      )
    }))
})

describe.each([TOKEN, REGISTER, ACT])('$name with a key that is bound to nothing', (errand) => {
  test('is a replay when it is asked for again, whatever proof comes with it', () =>
    withRetrying({}, async (server) => {
      const bare = { scheme: 'Bearer' as const, prover: null }
      for (const manner of [bare, { ...bare, prover: HOLDER }]) {
        const key = await server.bearer(errand)
        expect((await run(server, key, errand, bare)).status).toBeLessThan(300)
        const again = await run(server, key, errand, manner)
        expect([again.status >= 400, server.refusal()]).toEqual([true, 'key_redeemed'])
        expect(await server.standing(key)).toEqual(['redeemed', true])
      }
      expect(server.countEvents('key.replayed')).toBe(2)
      expect(server.countEvents('redemption.repeated')).toBe(0)
    }))
})
