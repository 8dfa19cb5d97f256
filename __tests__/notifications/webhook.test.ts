import { randomBytes } from 'node:crypto'
import { Webhook } from 'standardwebhooks'
import { webhook } from '../../lib/notifications/notifications.js'
import type { WebhookOptions } from '../../lib/notifications/webhook-options.js'
import {
  type Answering,
  quickDelivery,
  type Receiver,
  replayEvent,
  startReceiver,
  until,
} from '../support/receiver'
import { startServer } from '../support/server'

const newSecret = (bytes = 32) => `whsec_${randomBytes(bytes).toString('base64')}`

const SECRET = newSecret()
const closers: (() => unknown)[] = []

afterEach(async () => {
  await Promise.all(closers.splice(0).map((close) => close()))
})

async function setUp(options: Partial<WebhookOptions> = {}, answer?: Answering) {
  const receiver = await startReceiver(answer)
  const { deadLetters, options: delivery } = quickDelivery(receiver)
  const hook = webhook({ url: receiver.url, secrets: [SECRET], ...delivery, ...options })
  closers.push(hook.close, receiver.close)
  return { receiver, deadLetters, hook }
}

function verify({ received }: Receiver, secret: string, index = 0): unknown {
  const request = received[index]
  return new Webhook(secret).verify(request?.body ?? '', request?.headers ?? {})
}

describe('a webhook', () => {
  it('is verified by the package standardwebhooks, and has the event as data', async () => {
    const { receiver, hook } = await setUp()
    expect(hook.observer(replayEvent())).toBeUndefined()
    await until(() => hook.stats().delivered === 1)
    expect(verify(receiver, SECRET)).toEqual({
      type: 'key.replayed',
      timestamp: '2026-11-29T12:00:00.500Z',
      data: JSON.parse(JSON.stringify(replayEvent())),
    })
    const [request] = receiver.received
    expect(request?.headers).toMatchObject({
      'content-type': 'application/json',
      'content-length': String(Buffer.byteLength(request?.body ?? '')),
      'webhook-id': expect.stringMatching(/^msg_[\w-]+$/),
      'webhook-timestamp': expect.stringMatching(/^\d{10}$/),
      'webhook-signature': expect.stringMatching(/^v1,[\w+/]{43}=$/),
    })
  })

  it('is refused by that package after any change, and with another secret', async () => {
    const { receiver, hook } = await setUp()
    hook.observer(replayEvent())
    await until(() => receiver.received.length === 1)
    const { body = '', headers = {} } = receiver.received[0] ?? {}
    const verifier = new Webhook(SECRET)
    expect(() => verifier.verify(body.replace('key-1', 'key-2'), headers)).toThrow(/No matching signature/)
    expect(() => verifier.verify(body, { ...headers, 'webhook-id': 'msg_other' })).toThrow(/No matching/)
    expect(() => new Webhook(newSecret()).verify(body, headers)).toThrow(/No matching signature/)
  })

  it('has one signature for each secret during a rotation', async () => {
    const next = newSecret(64)
    const { receiver, hook } = await setUp({ secrets: [next, SECRET] })
    hook.observer(replayEvent())
    await until(() => receiver.received.length === 1)
    expect(receiver.received[0]?.headers['webhook-signature']).toMatch(/^v1,[\w+/]{43}= v1,[\w+/]{43}=$/)
    expect(verify(receiver, next)).toEqual(verify(receiver, SECRET))
  })

  it('keeps its id in all attempts, and gets a new timestamp and signature', async () => {
    let readings = 0
    const now = () => {
      readings += 1
      return Date.now() + readings * 1000
    }
    const { receiver, hook } = await setUp({ now }, (res, attempt) =>
      res.writeHead(attempt < 3 ? 500 : 204).end(),
    )
    hook.observer(replayEvent())
    await until(() => hook.stats().delivered === 1)
    const headers = (name: string) => new Set(receiver.received.map((request) => request.headers[name]))
    expect(receiver.received).toHaveLength(3)
    expect(headers('webhook-id').size).toBe(1)
    expect(headers('webhook-timestamp').size).toBe(3)
    expect(headers('webhook-signature').size).toBe(3)
    for (const index of [0, 1, 2]) expect(verify(receiver, SECRET, index)).toBeDefined()
    expect(hook.stats()).toEqual({
      state: 'open',
      queued: 0,
      delivered: 1,
      failedAttempts: 2,
      deadLetters: 0,
    })
  })

  it('is sent for events of the severity high, and for new findings', async () => {
    const { receiver, hook } = await setUp()
    hook.observer(replayEvent({ severity: 'notice' }))
    hook.observer(replayEvent({ severity: 'warning' }))
    hook.observer(replayEvent({ severity: 'high', type: 'key.forged' }))
    hook.observer(replayEvent({ severity: 'notice', type: 'finding.opened' }))
    await until(() => hook.stats().delivered === 2)
    expect(receiver.received.map(({ body }) => JSON.parse(body).type).sort()).toEqual([
      'finding.opened',
      'key.forged',
    ])
  })

  it('is sent for exactly the chosen types', async () => {
    const { receiver, hook } = await setUp({ types: ['client.deleted'] })
    hook.observer(replayEvent())
    hook.observer(replayEvent({ severity: 'notice', type: 'client.deleted' }))
    await until(() => hook.stats().delivered === 1)
    expect(receiver.received.map(({ body }) => JSON.parse(body).type)).toEqual(['client.deleted'])
  })

  it('stops for ever when the receiver answers 410', async () => {
    const { receiver, hook, deadLetters } = await setUp({}, (res) => res.writeHead(410).end())
    hook.observer(replayEvent())
    await until(() => hook.stats().state === 'gone')
    hook.observer(replayEvent())
    await until(() => deadLetters.length === 2)
    expect(deadLetters.map(({ reason, attempts }) => [reason, attempts])).toEqual([
      ['gone', 1],
      ['gone', 0],
    ])
    expect(receiver.received).toHaveLength(1)
  })

  it('is sent for an event of a real server', async () => {
    const { receiver, hook } = await setUp()
    const server = await startServer({ options: { observer: hook.observer } })
    closers.push(server.close)
    await server.keys.revokeAllIssuedBefore(new Date())
    await until(() => hook.stats().delivered === 1)
    expect(verify(receiver, SECRET)).toMatchObject({ type: 'keys.revoked', data: { code: 'keys.revoked' } })
  })
})
