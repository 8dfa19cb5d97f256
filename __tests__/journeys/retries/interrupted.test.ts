import type { ProvisioningStore } from '../../../lib/index.js'
import { askSigned } from '../../support/bound-client.js'
import { until } from '../../support/redeeming.js'
import { askForKey, send } from '../../support/requests.js'
import { ACT, BIND, HOLDER, lasting, REGISTER, run, TOKEN, withRetrying } from '../../support/retrying.js'

/** Failures of the first settlement. */
const FAULTS: [title: string, settle: (store: ProvisioningStore) => ProvisioningStore['settle']][] = [
  [
    'took place, and nobody was told',
    (store) =>
      async (...given) => {
        await store.settle(...given)
        throw new Error('connection lost')
      },
  ],
  ['did not take place', () => () => Promise.reject(new Error('connection lost'))],
  [
    'throws immediately',
    () => () => {
      throw new Error('not connected')
    },
  ],
]

function once(settle: (store: ProvisioningStore) => ProvisioningStore['settle']) {
  return (store: ProvisioningStore): Partial<ProvisioningStore> => {
    let settled = 0
    return {
      settle(...given) {
        settled += 1
        return settled === 1 ? settle(store)(...given) : store.settle(...given)
      },
    }
  }
}

/** Retries as the answer tells the client. */
async function until201(ask: () => ReturnType<typeof run>) {
  let answer = await ask()
  for (let tries = 0; answer.status !== 201 && tries < 5; tries += 1) {
    expect([409, 503]).toContain(answer.status)
    answer = await ask()
  }
  expect(answer.status).toBe(201)
  return answer
}

describe.each(FAULTS)('a settlement that %s', (_title, settle) => {
  const verbs = once(settle)

  test('ends with one binding, which authenticates', () =>
    withRetrying({ verbs }, async (server) => {
      const key = await server.bound(BIND, { requested_subject: 'device:7' })
      expect((await run(server, key, BIND)).status).toBe(503)
      const answer = await until201(() => run(server, key, BIND))
      expect(lasting(await run(server, key, BIND))).toEqual(lasting(answer))
      const bindings = await server.keys.listBindings('device:7')
      expect(bindings.map(({ bindingId }) => bindingId)).toEqual([JSON.parse(answer.text).binding_id])
      await until(() => server.countEvents('client.bound') === 1)
      expect((await askSigned(server, HOLDER, 'device:7')).body.error).not.toBe('invalid_client')
      expect(server.countEvents('key.replayed')).toBe(0)
    }))

  test('ends with one registration, whose secret and token work', () =>
    withRetrying({ verbs }, async (server) => {
      const key = await server.bound(REGISTER)
      expect((await run(server, key, REGISTER)).status).toBe(503)
      const answer = await until201(() => run(server, key, REGISTER))
      expect(lasting(await run(server, key, REGISTER))).toEqual(lasting(answer))
      const { client_id: id, client_secret: secret, ...told } = JSON.parse(answer.text)
      expect((await askForKey(server, {}, { id, secret })).status).toBe(200)
      await send(server, 'get', new URL(told.registration_client_uri).pathname)
        .set('Authorization', `Bearer ${told.registration_access_token}`)
        .expect(200)
      await until(() => server.countEvents('client.registered') === 1)
    }))

  test('ends with one token that is good', () =>
    withRetrying({ verbs }, async (server) => {
      const key = await server.bound(TOKEN)
      expect((await run(server, key, TOKEN)).status).toBe(503)
      let answer = await run(server, key, TOKEN)
      while (answer.status === 409) answer = await run(server, key, TOKEN)
      expect(answer.status).toBe(200)
      expect(lasting(await run(server, key, TOKEN))).toEqual(lasting(answer))
    }))

  test('of a handler is refused, and runs the handler twice only under one name', async () => {
    const ids: (string | undefined)[] = []
    const handler = (
      req: { provisioning?: { redemptionId?: string } },
      res: { sendStatus(status: number): unknown },
    ) => {
      ids.push(req.provisioning?.redemptionId)
      res.sendStatus(201)
    }
    const clock = { seconds: Math.floor(Date.now() / 1000) }
    const options = { now: () => clock.seconds * 1000 }
    await withRetrying({ verbs, handlers: [handler as never], options }, async (server) => {
      const key = await server.bound(ACT)
      const ask = () => run(server, key, ACT, { now: clock.seconds })
      expect((await ask()).status).toBe(503)
      clock.seconds += 30
      expect((await ask()).status).toBe(201)
      expect((await ask()).status).toBe(201)
      expect(new Set(ids).size).toBe(1)
      expect(await server.standing(key)).toEqual(['redeemed', false])
    })
  })
})

test('a registration that a revocation overtakes leaves nothing, of an interrupted attempt neither', async () => {
  const clock = { seconds: Math.floor(Date.now() / 1000) }
  let settled = 0
  const verbs = (store: ProvisioningStore): Partial<ProvisioningStore> => ({
    // The first process ends before it settles. At this moment the key of the second attempt is revoked.
    async settle(...given) {
      settled += 1
      if (settled === 1) throw new Error('gone')
      await store.revoke(given[0])
      return store.settle(...given)
    },
    release: () => Promise.reject(new Error('gone')),
  })
  const options = { now: () => clock.seconds * 1000 }
  for (const errand of [REGISTER, BIND]) {
    settled = 0
    await withRetrying({ verbs, options }, async (server) => {
      const key = await server.bound(errand, { requested_subject: 'device:8' })
      expect((await run(server, key, errand, { now: clock.seconds })).status).toBe(503)
      clock.seconds += 30
      expect((await run(server, key, errand, { now: clock.seconds })).status).toBe(401)
      expect(await server.keys.deleteClient('device:8')).toBe('unknown')
    })
  }
})
