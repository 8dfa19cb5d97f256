import type { ProvisioningStore } from '../../../lib/ports/store.js'
import { ACT, BIND, REGISTER, run, TOKEN, withRetrying } from '../../support/retrying.js'

const DEEP = `{"client_name":"a","x":${'['.repeat(14_000)}${']'.repeat(14_000)}}`
const LARGE = JSON.stringify({ name: 'x'.repeat(2 ** 20 + 1) })

describe('a thief with a bound key who keeps the outcome from being stored', () => {
  test.each([
    ['by JSON that is too deep to repeat', REGISTER, { body: DEEP }],
    ['by a body that is too large to repeat', ACT, { body: LARGE }],
  ])('%s, does not hide the theft', (_title, errand, change) =>
    withRetrying({}, async (server) => {
      const key = await server.bound(errand)
      expect((await run(server, key, { ...errand, ...change })).status).toBeLessThan(300)
      expect((await run(server, key, errand)).status).toBe(401)
      const replayed = server.events.find(({ type }) => type === 'key.replayed')
      expect(replayed).toMatchObject({ familyRevoked: true })
    }),
  )
})

/** A store without room for outcomes. */
const withoutOutcomes = (store: ProvisioningStore): Partial<ProvisioningStore> => ({
  settle: (ref, attempt, until, { outcome: _, ...kept } = {}) => store.settle(ref, attempt, until, kept),
})

test('a thief with another large body does not hide the theft, and an owner who repeats one ends nothing', () =>
  withRetrying({}, async (server) => {
    const [stolen, own] = [await server.bound(ACT), await server.bound(ACT)]
    const larger = JSON.stringify({ name: 'x'.repeat(2 ** 20 + 2) })
    const replays = () => server.events.filter(({ type }) => type === 'key.replayed').length
    for (const key of [own, stolen]) await run(server, key, { ...ACT, body: LARGE })
    expect((await run(server, own, { ...ACT, body: LARGE })).status).toBe(401)
    expect(replays()).toBe(0)
    expect((await run(server, stolen, { ...ACT, body: larger })).status).toBe(401)
    expect(replays()).toBe(1)
  }))

test.each([TOKEN, BIND, REGISTER, ACT])(
  'an owner who repeats a request whose outcome is not stored ends nothing: $name',
  (errand) =>
    withRetrying({ verbs: withoutOutcomes }, async (server) => {
      const key = await server.bound(errand)
      expect((await run(server, key, errand)).status).toBeLessThan(300)
      expect((await run(server, key, errand)).status).toBeGreaterThanOrEqual(400)
      expect(server.events.filter(({ type }) => type === 'key.replayed')).toEqual([])
    }),
)
