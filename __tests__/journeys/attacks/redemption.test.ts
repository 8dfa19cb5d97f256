import express, { type RequestHandler } from 'express'
import { type Client, type ClientRegistry, hashSecret, type ProvisioningStore } from '../../../lib/index.js'
import { memoryClientRegistry } from '../../../lib/stores/memory/memory-clients.js'
import { answerTo, openRequest } from '../../support/exact.js'
import { gate, until } from '../../support/redeeming.js'
import { askForKey } from '../../support/requests.js'
import {
  ACT,
  BIND,
  REGISTER,
  type RetryingServer,
  requestFor,
  run,
  TOKEN,
  withRetrying,
} from '../../support/retrying.js'
import { CLIENT, SECRET } from '../../support/server.js'

/** A request to `/act` without the last byte of its body. */
function unfinished(server: RetryingServer, key: string) {
  const wanted = requestFor(key, ACT)
  const sent = openRequest(server, wanted)
  const status = answerTo(sent).then(
    (answer) => answer.status,
    () => 'broken off',
  )
  const body = String(wanted.body)
  const text = Buffer.from(body)
  let written = 0
  const drip = () => void sent.write(text.subarray(written, ++written))
  return {
    status,
    drip,
    begin() {
      written = text.length - 1
      sent.write(text.subarray(0, written))
    },
    finish: () => void sent.end(text.subarray(written)),
  }
}

/** A handler that counts its runs. */
function making() {
  let made = 0
  const handler: RequestHandler = (_req, res) => {
    made += 1
    res.status(201).json({ made })
  }
  return { handler, made: () => made }
}

/** The client that asks for keys for others. */
const RUNNER: Client = {
  clientId: CLIENT,
  revision: 1,
  secretHash: hashSecret(SECRET),
  authenticationMethods: ['client_secret_basic'],
  policy: { subjects: ['device:*'] },
}

const EVERYTHING = 'provision:bind provision:register provision:token devices:create devices:read'
const LEASE = { redemptionLeaseSeconds: 1 }

describe('a holder that sends its body slower than its lease', () => {
  test.concurrent.each([
    ['reads it', [express.json()]],
    ['does not read it', []],
  ])('has nothing done by a handler that %s, and redeems its key afterwards', async (_title, before) => {
    const { handler, made } = making()
    await withRetrying({ handlers: [...before, handler], options: LEASE }, async (server) => {
      const key = await server.bound(ACT)
      const slow = unfinished(server, key)
      const dripping = setInterval(slow.drip, 300)
      const status = await slow.status.finally(() => clearInterval(dripping))
      expect([status, server.refusal(), server.runs(), made()]).toEqual([400, 'body_incomplete', 0, 0])
      expect(await server.standing(key)).toEqual(['issued', false])
      expect([(await run(server, key, ACT)).status, made()]).toEqual([201, 1])
    })
  })
})

describe('a holder whose redemption was interrupted after it was done', () => {
  /** A store that loses the first settlement and all later calls, until the test repairs it. */
  function losing() {
    let isLost = false
    const lose = async () => {
      throw new Error('the store is gone')
    }
    const verbs = (store: ProvisioningStore): Partial<ProvisioningStore> => ({
      settle: (...given) => (isLost ? lose() : store.settle(...given)),
      release: (...given) => (isLost ? lose() : store.release(...given)),
    })
    const turn = (lost: boolean) => {
      isLost = lost
    }
    return { verbs, lose: () => turn(true), heal: () => turn(false) }
  }

  test.each([
    [BIND, TOKEN],
    [BIND, REGISTER],
    [ACT, TOKEN],
    [ACT, { ...ACT, name: 'another route', path: '/act/another' }],
    [ACT, { ...ACT, name: 'another method', method: 'PUT' }],
  ])('gets nothing else for the same key: %#', async (before, after) => {
    const store = losing()
    const { handler, made } = making()
    const clock = { seconds: Math.floor(Date.now() / 1000) }
    const options = { now: () => clock.seconds * 1000, redemptionLeaseSeconds: 30 }
    await withRetrying({ handlers: [handler], verbs: store.verbs, options }, async (server) => {
      const key = await server.bound({ ...before, scope: EVERYTHING })
      store.lose()
      expect((await run(server, key, before, { now: clock.seconds })).status).toBe(503)
      store.heal()
      clock.seconds += 31
      const other = await run(server, key, after, { now: clock.seconds })
      expect([other.status >= 400, server.refusal()]).toEqual([true, 'key_redeeming'])
      expect(server.countEvents('key.redeemed')).toBe(0)
      expect((await run(server, key, before, { now: clock.seconds })).status).toBe(201)
      expect([server.countEvents('key.replayed'), made()]).toEqual([0, before === ACT ? 2 : 0])
    })
  })
})

test('a retry during the undoing of the first attempt does not report that the identity is taken', async () => {
  const subject = 'device:taken-back'
  const kept = memoryClientRegistry([RUNNER])
  const [deleting, goOn] = [gate(), gate()]
  const clients: ClientRegistry = {
    ...kept,
    async save(client) {
      // The client is deleted after the second attempt has checked it.
      if (client.revision === 2) {
        goOn.open()
        await until(async () => (await kept.find(subject)) === undefined)
      }
      return kept.save(client)
    },
    async delete(...given) {
      deleting.open()
      await goOn.opened
      return kept.delete(...given)
    },
  }
  let settlements = 0
  const verbs = (store: ProvisioningStore): Partial<ProvisioningStore> => ({
    async settle(...given) {
      settlements += 1
      if (settlements === 1) throw new Error('the store is gone')
      return store.settle(...given)
    },
  })
  await withRetrying({ verbs, options: { clients } }, async (server) => {
    const key = await server.bound(REGISTER, { requested_subject: subject })
    expect((await run(server, key, REGISTER)).status).toBe(503)
    await deleting.opened
    const second = await run(server, key, REGISTER)
    expect(second.status).toBe(201)
    const { client_secret: secret } = JSON.parse(second.text)
    expect((await askForKey(server, {}, { id: subject, secret })).status).toBe(200)
  })
})

test.each([BIND, REGISTER])(
  'a release that arrives when nobody waits for it leaves the key good for nothing else: $name',
  async (errand) => {
    let isLost = true
    const verbs = (store: ProvisioningStore): Partial<ProvisioningStore> => ({
      async settle(...given) {
        if (isLost) throw new Error('the connection is gone')
        return store.settle(...given)
      },
      async release(...given) {
        await store.release(...given)
        isLost = false
        throw new Error('the answer is gone')
      },
    })
    await withRetrying({ verbs }, async (server) => {
      const key = await server.bound({ ...errand, scope: EVERYTHING })
      expect((await run(server, key, errand)).status).toBe(503)
      await until(() => !isLost)
      expect((await run(server, key, TOKEN)).status).toBe(400)
      expect([server.refusal(), await server.standing(key)]).toEqual(['key_redeeming', ['redeeming', false]])
      expect((await run(server, key, errand)).status).toBe(201)
      expect(await server.standing(key)).toEqual(['redeemed', false])
    })
  },
)

test('a late attempt that is not told that it lost its claim leaves the binding that the other was told of', async () => {
  const clock = { seconds: Math.floor(Date.now() / 1000) }
  const subject = 'device:late'
  const kept = memoryClientRegistry([RUNNER])
  const [asked, saved, replaced] = [gate(), gate(), gate()]
  let times = 0
  const clients: ClientRegistry = {
    ...kept,
    async find(clientId) {
      // The first attempt checks before it reserves the key, and is slow afterwards.
      if (clientId === subject) times += 1
      if (clientId === subject && times === 2) {
        asked.open()
        await saved.opened
      }
      return kept.find(clientId)
    },
    async save(client) {
      const isSaved = await kept.save(client)
      if (client.clientId === subject) (client.revision === 1 ? saved : replaced).open()
      return isSaved
    },
  }
  const verbs = (store: ProvisioningStore): Partial<ProvisioningStore> => ({
    async settle(...given) {
      await replaced.opened
      const answer = await store.settle(...given)
      if (answer === 'lost') throw new Error('the answer is gone')
      return answer
    },
  })
  const options = { now: () => clock.seconds * 1000, redemptionLeaseSeconds: 30, clients }
  await withRetrying({ verbs, options }, async (server) => {
    const key = await server.bound(BIND, { requested_subject: subject })
    const first = run(server, key, BIND, { now: clock.seconds })
    await asked.opened
    clock.seconds += 31
    const second = await run(server, key, BIND, { now: clock.seconds })
    expect(second.status).toBe(201)
    expect((await first).status).toBe(503)
    const { binding_id: bindingId } = JSON.parse(second.text)
    const idsOf = async () => (await kept.find(subject))?.bindings?.map((binding) => binding.bindingId)
    await until(async () => (await idsOf())?.[0] === bindingId)
    expect(await idsOf()).toEqual([bindingId])
  })
})
