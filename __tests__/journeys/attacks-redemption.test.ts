import express, { type RequestHandler } from 'express'
import { answerTo, openRequest } from '../support/exact.js'
import { until } from '../support/redeeming.js'
import { ACT, type RetryingServer, requestFor, run, withRetrying } from '../support/retrying.js'

/** A request for what `/act` does, without the last byte of its body. */
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

/** A handler that makes something, and how often it did. */
function making() {
  let made = 0
  const handler: RequestHandler = (_req, res) => {
    made += 1
    res.status(201).json({ made })
  }
  return { handler, made: () => made }
}

const LEASE = { redemptionLeaseSeconds: 1 }
const wait = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds))

describe('a holder that sends its body slower than its lease', () => {
  test('has nothing done twice by a handler that reads it', async () => {
    const { handler, made } = making()
    await withRetrying({ handlers: [express.json(), handler], options: LEASE }, async (server) => {
      const key = await server.bound(ACT)
      const slow = unfinished(server, key)
      slow.begin()
      await until(() => server.runs() === 1)
      const status = await slow.status
      expect([status, made()]).toEqual(['broken off', 0])
      await until(async () => (await server.standing(key))[0] === 'issued')
      expect([(await run(server, key, ACT)).status, made()]).toEqual([201, 1])
    })
  })

  test('has nothing done twice by a handler that does not read it', async () => {
    const { handler, made } = making()
    await withRetrying({ handlers: [handler], options: LEASE }, async (server) => {
      const key = await server.bound(ACT)
      const slow = unfinished(server, key)
      const dripping = setInterval(slow.drip, 300)
      const status = await slow.status.finally(() => clearInterval(dripping))
      expect([status, made()]).toEqual([201, 1])
      await wait(400)
      // Its outcome could not be kept: the request was never whole.
      expect([(await run(server, key, ACT)).status, server.refusal(), made()]).toEqual([
        401,
        'key_redeemed',
        1,
      ])
      expect(await server.standing(key)).toEqual(['redeemed', false])
    })
  })
})
