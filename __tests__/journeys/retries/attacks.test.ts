import { connect, type TLSSocket } from 'node:tls'
import type { RequestHandler } from 'express'
import { memoryStore, type ProvisioningStore } from '../../../lib/index.js'
import { answerTo, type ExactRequest, exactly, openRequest } from '../../support/exact.js'
import { gate, refOf } from '../../support/redeeming.js'
import {
  ACT,
  ERRANDS,
  type Errand,
  lasting,
  ownerIdFor,
  REGISTER,
  type RetryingServer,
  requestFor,
  run,
  STRANGER,
  TOKEN,
  withRetrying,
} from '../../support/retrying.js'

/** The stored outcome of a key. */
async function kept(server: RetryingServer, key: string, errand: Errand): Promise<string | undefined> {
  const entry = await server.store.find(refOf(key))
  return (await server.store.recall(refOf(key), ownerIdFor(entry?.confirmation?.jkt, errand)))?.outcome
}

/** A store that exchanges and damages its outcomes. */
function spoiling() {
  const seen: string[] = []
  let spoil: ((outcome: string) => string) | undefined
  const verbs = (store: ProvisioningStore): Partial<ProvisioningStore> => ({
    settle(ref, attempt, until, settlement) {
      if (settlement?.outcome !== undefined) seen.push(settlement.outcome)
      return store.settle(ref, attempt, until, settlement)
    },
    async recall(...given) {
      const recalled = await store.recall(...given)
      return recalled?.outcome === undefined || spoil === undefined
        ? recalled
        : { ...recalled, outcome: spoil(recalled.outcome) }
    },
  })
  const spoilBy = (change: typeof spoil) => {
    spoil = change
  }
  return { seen, verbs, spoilBy }
}

describe('a stored outcome', () => {
  test.each(ERRANDS)('tells nothing to who reads the store: $name', (errand) => {
    const { seen, verbs } = spoiling()
    return withRetrying({ verbs }, async (server) => {
      const key = await server.bound(errand)
      const { text } = await run(server, key, errand)
      const [sealed = ''] = seen
      expect(sealed).toMatch(/^[\w-]{60,}$/)
      expect(await kept(server, key, errand)).toBe(sealed)
      const looked = [sealed, Buffer.from(sealed, 'base64url').toString('latin1')]
      const words = [...text.matchAll(/[\w.-]{8,}/g), ...key.matchAll(/[\w-]{8,}/g)].map(([word]) => word)
      expect(words.filter((word) => looked.some((one) => one.includes(word)))).toEqual([])
    })
  })

  test('is gone when the key has expired', async () => {
    const clock = { seconds: Math.floor(Date.now() / 1000) }
    await withRetrying({ options: { now: () => clock.seconds * 1000 } }, async (server) => {
      const key = await server.bound(TOKEN)
      const manner = () => ({ now: clock.seconds })
      await run(server, key, TOKEN, manner())
      expect(await kept(server, key, TOKEN)).toMatch(/./)
      clock.seconds += 299
      expect((await run(server, key, TOKEN, manner())).status).toBe(200)
      clock.seconds += 7
      expect((await run(server, key, TOKEN, manner())).status).toBe(400)
      expect(server.refusal()).toBe('key_expired')
      expect(await kept(server, key, TOKEN)).toBeUndefined()
      expect(await server.standing(key)).toEqual(['redeemed', false])
    })
  })

  test.each<[string, (outcome: string, other: string) => string]>([
    [
      'changed',
      (outcome) => `${outcome.slice(0, -9)}${outcome.at(-9) === 'A' ? 'B' : 'A'}${outcome.slice(-8)}`,
    ],
    ['cut off', (outcome) => outcome.slice(0, 40)],
    ['swapped for that of another key', (_, other) => other],
    ['no such thing', () => '{"status":200}'],
  ])('is given to nobody when it was %s', (_title, change) => {
    const { seen, verbs, spoilBy } = spoiling()
    return withRetrying({ verbs }, async (server) => {
      const [mine, other] = [await server.bound(REGISTER), await server.bound(REGISTER)]
      for (const key of [mine, other]) expect((await run(server, key, REGISTER)).status).toBe(201)
      spoilBy((outcome) => change(outcome, seen[1] ?? ''))
      const again = await run(server, mine, REGISTER)
      expect([again.status, server.refusal()]).toEqual([401, 'key_redeemed'])
      expect(again.text).not.toMatch(/client_secret|registration_access_token/)
    })
  })

  test('takes no more of the store than that has room for', async () => {
    const store = memoryStore({ maxOutcomeCharacters: 1000 })
    await withRetrying({ options: { store }, verbs: () => ({}) }, async (server) => {
      const [one, two] = [await server.bound(REGISTER), await server.bound(REGISTER)]
      for (const key of [one, two]) expect((await run(server, key, REGISTER)).status).toBe(201)
      expect((await run(server, one, REGISTER)).status).toBe(201)
      expect((await run(server, two, REGISTER)).status).toBe(401)
      expect(server.countEvents('key.replayed')).toBe(0)
    })
  })
})

describe('a thief of', () => {
  test('a bearer key gets no outcome, and no chance to wait for one', () =>
    withRetrying({}, async (server) => {
      const key = await server.bearer(TOKEN)
      await run(server, key, TOKEN, { scheme: 'Bearer' })
      const stolen = await run(server, key, TOKEN, { prover: STRANGER })
      expect(stolen.text).not.toContain('access_token')
      expect(await server.standing(key)).toEqual(['redeemed', true])
    }))

  test('a whole request, proof and all, gets nothing and revokes nothing, also while the first runs', async () => {
    const started = gate()
    const finish = gate()
    const handler: RequestHandler = async (_req, res) => {
      started.open()
      await finish.opened
      res.status(201).json({ secret: 'only-for-the-holder' })
    }
    await withRetrying({ handlers: [handler] }, async (server) => {
      const key = await server.bound(ACT)
      const wanted = requestFor(key, ACT)
      const first = exactly(server, wanted)
      await started.opened
      expect((await exactly(server, wanted)).status).toBe(401)
      expect(server.refusal()).toBe('dpop_replayed')
      finish.open()
      expect((await first).status).toBe(201)
      expect((await exactly(server, wanted)).text).not.toContain('only-for-the-holder')
      expect(await server.standing(key)).toEqual(['redeemed', false])
    })
  })
})

/** The text of a request, for pipelining. */
function asText({ method = 'POST', path, headers = {}, body = '' }: ExactRequest): string {
  const fields = Object.entries({ Host: 'localhost', ...headers }).map(
    ([name, value]) => `${name}: ${value}\r\n`,
  )
  return `${method} ${path} HTTP/1.1\r\n${fields.join('')}\r\n${String(body)}`
}

/** The answers to pipelined requests, until the connection ends. */
async function pipelined(server: RetryingServer, requests: readonly ExactRequest[]): Promise<string> {
  const socket: TLSSocket = connect({
    port: server.port,
    ca: server.cert,
    servername: 'localhost',
    host: 'localhost',
  })
  const last = requests.length - 1
  const texts = requests.map((one, i) =>
    asText(i === last ? { ...one, headers: { ...one.headers, Connection: 'close' } } : one),
  )
  socket.write(texts.join(''))
  let text = ''
  for await (const chunk of socket) text += String(chunk)
  return text
}

describe('a connection used in uncommon ways', () => {
  test('gets the same answer for a request and its pipelined retry', () =>
    withRetrying({}, async (server) => {
      const key = await server.bound(ACT)
      const text = await pipelined(server, [requestFor(key, ACT), requestFor(key, ACT), requestFor(key, ACT)])
      expect(text.match(/HTTP\/1\.1 \d+/g)).toEqual(['HTTP/1.1 201', 'HTTP/1.1 201', 'HTTP/1.1 201'])
      expect(new Set(text.match(/"made":[\d.]+/g)).size).toBe(1)
      expect(server.runs()).toBe(1)
    }))

  test('gets the same answer where it waits to be told to send its body', () =>
    withRetrying({}, async (server) => {
      const key = await server.bound(ACT)
      const ask = () => {
        const { headers, body, ...wanted } = requestFor(key, ACT)
        const sent = openRequest(server, { ...wanted, headers: { ...headers, Expect: '100-continue' } })
        sent.on('continue', () => sent.end(body)).flushHeaders()
        return answerTo(sent)
      }
      const first = await ask()
      expect(first.status).toBe(201)
      expect(lasting(await ask())).toEqual(lasting(first))
    }))

  test('gets no header that a handler could not have sent either', () => {
    const evil = 'a\r\nX-Injected: yes'
    const handlers: RequestHandler[] = [
      (_req, res) => void res.setHeader('X-Made', evil).end(),
      (_req, res) => void res.writeHead(200, ['X-Made', evil]).end(),
      (_req, res) => {
        res.statusMessage = evil
        res.end()
      },
      (_req, res) => void res.end('a', 'nonsense' as never),
    ]
    return Promise.all(
      handlers.map((handler) =>
        withRetrying({ handlers: [handler] }, async (server) => {
          const key = await server.bound(ACT)
          const answer = await run(server, key, ACT)
          expect([answer.status, answer.rawHeaders.includes('X-Injected')]).toEqual([500, false])
          expect(await server.standing(key)).toEqual(['issued', false])
        }),
      ),
    ).then(() => undefined)
  })
})
