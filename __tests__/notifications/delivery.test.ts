import { randomBytes } from 'node:crypto'
import { resolve } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
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
import { runProgram, TYPESCRIPT } from '../support/run-program'
import { itInAll } from '../support/scale.js'

const SECRET = `whsec_${randomBytes(32).toString('base64')}`
const closers: (() => unknown)[] = []

async function closeAll(): Promise<void> {
  await Promise.all(closers.splice(0).map((close) => close()))
}

async function receiverWith(answer?: Answering): Promise<Receiver> {
  const receiver = await startReceiver(answer)
  closers.push(receiver.close)
  return receiver
}

/** A hook for a receiver, with short waits. */
function hookTo(receiver: Receiver, options: Partial<WebhookOptions> = {}) {
  const { deadLetters, options: delivery } = quickDelivery(receiver)
  const hook = webhook({ url: receiver.url, secrets: [SECRET], ...delivery, ...options })
  closers.push(hook.close)
  return { hook, deadLetters }
}

async function send(answer: Answering, options: Partial<WebhookOptions> = {}) {
  const receiver = await receiverWith(answer)
  const { hook, deadLetters } = hookTo(receiver, options)
  hook.observer(replayEvent())
  return { receiver, hook, deadLetters }
}

const answers =
  (...statuses: readonly number[]): Answering =>
  (res, attempt) =>
    res.writeHead(statuses[attempt - 1] ?? 202).end()

/** The time between the first two requests, in milliseconds. */
function waitBetween({ received }: Receiver): number {
  return (received[1]?.at ?? 0) - (received[0]?.at ?? 0)
}

// These wait for seconds, so they run together. The tests below them begin when all of them have ended.
describe('a delivery that has failed', () => {
  afterAll(closeAll)

  it.concurrent('waits as long as Retry-After says, in seconds or as a date', async () => {
    const inSeconds: Answering = (res, attempt) =>
      attempt === 1 ? res.writeHead(429, { 'retry-after': '1' }).end() : res.writeHead(202).end()
    const asDate: Answering = (res, attempt) =>
      attempt === 1
        ? res.writeHead(503, { 'retry-after': new Date(Date.now() + 2000).toUTCString() }).end()
        : res.writeHead(202).end()
    const sent = await Promise.all([inSeconds, asDate].map((one) => send(one, { maxRetryDelaySeconds: 3 })))
    await until(() => sent.every(({ hook }) => hook.stats().delivered === 1))
    for (const { receiver } of sent) {
      expect(waitBetween(receiver)).toBeGreaterThan(950)
      expect(waitBetween(receiver)).toBeLessThan(3000)
    }
  })

  it.concurrent('sends nothing else either before the time of Retry-After', async () => {
    const receiver = await receiverWith((res, attempt) =>
      attempt === 1 ? res.writeHead(429, { 'retry-after': '1' }).end() : res.writeHead(202).end(),
    )
    const { hook } = hookTo(receiver, { maxRetryDelaySeconds: 2 })
    hook.observer(replayEvent())
    await until(() => hook.stats().failedAttempts === 1)
    hook.observer(replayEvent())
    await until(() => hook.stats().delivered === 2)
    expect(waitBetween(receiver)).toBeGreaterThan(950)
  })

  itInAll('spreads the retries of events that failed together', async () => {
    const firsts = new Map<unknown, number>()
    const waits: number[] = []
    const receiver = await receiverWith((res, _attempt, req) => {
      const id = req.headers['webhook-id']
      const first = firsts.get(id)
      if (first !== undefined) waits.push(performance.now() - first)
      else firsts.set(id, performance.now())
      res.writeHead(first === undefined ? 500 : 202).end()
    })
    const { hook } = hookTo(receiver, { retryDelaySeconds: 2, maxRetryDelaySeconds: 2 })
    for (let i = 0; i < 20; i += 1) hook.observer(replayEvent({ keyId: `key-${i}` }))
    await until(() => hook.stats().delivered === 20)
    // Each wait is a random part of two seconds. The chance that none of 20 is below one second is one in a million.
    expect(Math.min(...waits)).toBeLessThan(1000)
    expect(Math.max(...waits) - Math.min(...waits)).toBeGreaterThan(300)
  })
})

describe('a delivery', () => {
  afterEach(closeAll)

  it.each([[408], [429], [500], [502], [503], [504]])('is tried again after %i', async (status) => {
    const { receiver, hook } = await send(answers(status))
    await until(() => hook.stats().delivered === 1)
    expect(receiver.received).toHaveLength(2)
    expect(hook.stats()).toMatchObject({ failedAttempts: 1, deadLetters: 0, queued: 0 })
  })

  it.each([[300], [400], [401], [403], [404], [422], [451]])('is a dead letter after %i', async (status) => {
    const { receiver, hook, deadLetters } = await send(answers(status))
    await until(() => deadLetters.length === 1)
    expect(deadLetters).toEqual([
      {
        id: receiver.received[0]?.headers['webhook-id'],
        type: 'key.replayed',
        reason: 'rejected',
        detail: String(status),
        attempts: 1,
      },
    ])
    expect(hook.stats()).toMatchObject({ state: 'open', queued: 0, delivered: 0, deadLetters: 1 })
  })

  it('does not follow redirects', async () => {
    const target = await receiverWith()
    const { deadLetters } = await send((res) => res.writeHead(307, { location: target.url }).end())
    await until(() => deadLetters.length === 1)
    expect(deadLetters).toMatchObject([{ reason: 'rejected', detail: '307' }])
    expect(target.connections()).toBe(0)
  })

  it.each([['86400'], ['99999999999999'], ['-1'], ['soon'], ['Thu, 01 Jan 1970 00:00:00 GMT']])(
    'does not let Retry-After %s stop it',
    async (value) => {
      const { receiver, hook } = await send((res, attempt) =>
        attempt === 1 ? res.writeHead(429, { 'retry-after': value }).end() : res.writeHead(202).end(),
      )
      await until(() => hook.stats().delivered === 1)
      expect(waitBetween(receiver)).toBeLessThan(1000)
    },
  )

  it('ends when an event was retried for too long', async () => {
    const { hook, deadLetters, receiver } = await send((res) => res.writeHead(500).end(), {
      giveUpAfterSeconds: 0.3,
    })
    await until(() => deadLetters.length === 1)
    expect(deadLetters).toMatchObject([{ reason: 'expired', detail: '500' }])
    expect(deadLetters[0]?.attempts).toBe(receiver.received.length)
    expect(receiver.received.length).toBeGreaterThan(2)
    expect(hook.stats()).toMatchObject({ queued: 0, deadLetters: 1 })
  })
})

describe('a receiver that', () => {
  afterEach(closeAll)

  it('hangs is given up after each deadline, and does not hold up other events', async () => {
    const receiver = await receiverWith((res, attempt) => attempt > 1 && res.writeHead(202).end())
    const { hook } = hookTo(receiver, { timeoutSeconds: 0.4 })
    hook.observer(replayEvent({ keyId: 'hangs' }))
    await until(() => receiver.received.length === 1)
    hook.observer(replayEvent({ keyId: 'other' }))
    await until(() => hook.stats().delivered === 1)
    expect(hook.stats()).toMatchObject({ queued: 1, failedAttempts: 0 })
    await until(() => hook.stats().delivered === 2)
    expect(receiver.received.map(({ body }) => JSON.parse(body).data.keyId)).toEqual([
      'hangs',
      'other',
      'hangs',
    ])
  })

  it('always hangs becomes a dead letter with the code TIMEOUT', async () => {
    const { deadLetters } = await send(() => undefined, { timeoutSeconds: 0.1, giveUpAfterSeconds: 0.3 })
    await until(() => deadLetters.length === 1)
    expect(deadLetters).toMatchObject([{ reason: 'expired', detail: 'TIMEOUT' }])
  })

  it('answers 202 and never ends its answer has accepted the event, and delays no others', async () => {
    const { hook, receiver } = await send(
      (res) => {
        res.writeHead(202).write('a')
        const dripping = setInterval(() => res.write('a'), 20)
        res.on('close', () => clearInterval(dripping))
      },
      { timeoutSeconds: 60 },
    )
    for (const keyId of ['1', '2', '3', '4', '5']) hook.observer(replayEvent({ keyId }))
    await until(() => hook.stats().delivered === 6)
    expect(receiver.received).toHaveLength(6)
  })

  it('cuts the connection before its answer gets the event again', async () => {
    const { hook, receiver } = await send((res, attempt, req) => {
      if (attempt === 1) req.socket.destroy()
      else if (attempt === 2) {
        req.socket.write('HTTP/1.1 202 Acc')
        req.socket.end()
      } else res.writeHead(202).end()
    })
    await until(() => hook.stats().delivered === 1)
    expect(receiver.received).toHaveLength(3)
  })

  it('cuts the connection in the middle of an answer has answered', async () => {
    const { hook } = await send((res, _attempt, req) => {
      res.writeHead(202, { 'content-length': 100 })
      res.write('a', () => req.socket.destroy())
    })
    await until(() => hook.stats().delivered === 1)
    expect(hook.stats().failedAttempts).toBe(0)
  })

  it('sends an endless answer is not read to its end', async () => {
    let isClosed = false
    const { hook, receiver } = await send(
      (res) => {
        const more = () => {
          while (!res.destroyed && res.write(Buffer.alloc(16_384)));
        }
        res.writeHead(202).on('drain', more)
        res.on('close', () => {
          isClosed = true
        })
        more()
      },
      { timeoutSeconds: 60 },
    )
    await until(() => hook.stats().delivered === 1 && isClosed)
    expect(receiver.received).toHaveLength(1)
  })

  it('sends a giant header or no HTTP at all gets the event again', async () => {
    const { hook } = await send((res, attempt, req) => {
      if (attempt === 1) req.socket.end(`HTTP/1.1 200 OK\r\nx: ${'a'.repeat(100_000)}\r\n\r\n`)
      else if (attempt === 2) req.socket.end('220 smtp.example.com\r\n')
      else res.writeHead(202).end()
    })
    await until(() => hook.stats().delivered === 1)
    expect(hook.stats().failedAttempts).toBe(2)
  })

  it('is not there gets the event when it comes back', async () => {
    const gone = await startReceiver()
    await gone.close()
    const { hook, deadLetters } = hookTo(gone, { giveUpAfterSeconds: 0.2 })
    hook.observer(replayEvent())
    await until(() => deadLetters.length === 1)
    expect(deadLetters).toMatchObject([{ reason: 'expired', detail: 'ECONNREFUSED' }])
  })

  it('has a certificate of an unknown authority gets nothing', async () => {
    const receiver = await receiverWith()
    const hook = webhook({
      url: receiver.url,
      secrets: [SECRET],
      allowPrivateNetworks: true,
      retryDelaySeconds: 0.01,
      giveUpAfterSeconds: 0.1,
    })
    closers.push(hook.close)
    hook.observer(replayEvent())
    await until(() => hook.stats().deadLetters === 1)
    expect(receiver.received).toEqual([])
  })
})

describe('the queue of a notifier', () => {
  afterEach(closeAll)

  it('has a limit, beyond which events become dead letters', async () => {
    const { hook, deadLetters } = await send(() => undefined, { maxQueued: 3 })
    for (let i = 0; i < 5; i += 1) hook.observer(replayEvent())
    expect(hook.stats()).toMatchObject({ queued: 3, deadLetters: 3 })
    await until(() => deadLetters.length === 3)
    expect(new Set(deadLetters.map(({ reason }) => reason))).toEqual(new Set(['queue_full']))
  })

  it('keeps place for other events when somebody replays one key again and again', async () => {
    const receiver = await receiverWith((res, attempt) => res.writeHead(attempt <= 4 ? 500 : 202).end())
    const { hook, deadLetters } = hookTo(receiver, { maxQueued: 100, retryDelaySeconds: 0.2 })
    for (let i = 0; i < 1000; i += 1) hook.observer(replayEvent())
    for (let i = 0; i < 50; i += 1) hook.observer(replayEvent({ keyId: `other-${i}` }))
    expect(hook.stats()).toMatchObject({ queued: 70, deadLetters: 980 })
    await until(() => hook.stats().delivered === 70)
    expect(new Set(deadLetters.map(({ reason }) => reason))).toEqual(new Set(['repeated']))
    // When they are delivered, the same key can be reported again.
    hook.observer(replayEvent())
    await until(() => hook.stats().delivered === 71)
  })

  it('keeps the events about many clients that one address has caused', async () => {
    const { hook } = await send(() => undefined, { maxQueued: 100 })
    const before = hook.stats().queued
    const leaked = { type: 'registration.leaked', keyId: undefined, address: '192.0.2.7' } as const
    for (let i = 0; i < 50; i += 1) hook.observer(replayEvent({ ...leaked, clientId: `client-${i}` }))
    expect(hook.stats().queued - before).toBe(50)
  })

  it('keeps place for other events when somebody uses all addresses of one network', async () => {
    const { hook } = await send(() => undefined, { maxQueued: 100 })
    const before = hook.stats().queued
    for (let i = 1; i <= 1000; i += 1) {
      const address = `2001:db8::${i.toString(16)}`
      hook.observer(replayEvent({ type: 'canary.used', keyId: undefined, address }))
    }
    expect(hook.stats().queued - before).toBe(20)
  })

  it('sends four events at once, and never more', async () => {
    const waiting: (() => void)[] = []
    let most = 0
    const receiver = await receiverWith(async (res) => {
      waiting.push(() => res.writeHead(202).end())
      most = Math.max(most, waiting.length)
      if (waiting.length < 4) return
      // A fifth event would arrive now.
      await pause(20)
      for (const answer of waiting.splice(0)) answer()
    })
    const { hook } = hookTo(receiver)
    for (let i = 0; i < 12; i += 1) hook.observer(replayEvent())
    await until(() => hook.stats().delivered === 12)
    expect(most).toBe(4)
  })

  it('gives up everything when it is closed, and sends nothing afterwards', async () => {
    const receiver = await receiverWith((res, attempt) => {
      // One event waits for its retry, and one for its answer.
      if (attempt === 1) res.writeHead(500).end()
    })
    // No retry comes before the hook is closed, and no answer is late.
    const waits = { retryDelaySeconds: 600, maxRetryDelaySeconds: 600, giveUpAfterSeconds: 3_600 }
    const { hook, deadLetters } = hookTo(receiver, { ...waits, timeoutSeconds: 30 })
    hook.observer(replayEvent())
    await until(() => hook.stats().failedAttempts === 1)
    hook.observer(replayEvent())
    await until(() => receiver.received.length === 2)
    hook.observer(replayEvent())
    hook.close()
    hook.close()
    hook.observer(replayEvent())
    await until(() => deadLetters.length === 4)
    expect(deadLetters.map(({ reason, attempts }) => `${reason} ${attempts}`).sort()).toEqual([
      'closed 0',
      'closed 0',
      'closed 1',
      'closed 1',
    ])
    await pause(250)
    expect(receiver.received).toHaveLength(2)
    expect(hook.stats()).toMatchObject({ state: 'closed', queued: 0, delivered: 0, deadLetters: 4 })
  })

  it('ends the requests that are being sent when it is closed', async () => {
    let isClosed = false
    const { hook, receiver } = await send(
      (res) =>
        res.on('close', () => {
          isClosed = true
        }),
      { timeoutSeconds: 60 },
    )
    await until(() => receiver.received.length === 1)
    hook.close()
    await until(() => isClosed)
  })

  it('is named in one warning if there is no onDeadLetter, without the URL of the receiver', async () => {
    const emitWarning = jest.spyOn(process, 'emitWarning').mockImplementation(() => undefined)
    try {
      const { hook } = await send(answers(404, 404, 404), { onDeadLetter: undefined as never })
      hook.observer(replayEvent())
      await until(() => hook.stats().deadLetters === 2)
      await new Promise((resolve) => setImmediate(resolve))
      const message =
        'An event key.replayed was not delivered (rejected, 404). This warning comes only once. Set onDeadLetter to ' +
        'learn of each event that is not delivered.'
      const named = { type: 'ProvisioningKeysWarning', code: 'EPK_DEAD_LETTER' }
      expect(emitWarning.mock.calls).toEqual([[message, named]])
    } finally {
      emitWarning.mockRestore()
    }
  })

  it('survives an onDeadLetter that throws, rejects or hangs', async () => {
    const failing: readonly (() => unknown)[] = [
      () => {
        throw new Error('fails')
      },
      () => Promise.reject(new Error('fails')),
      () => new Promise(() => undefined),
    ]
    for (const onDeadLetter of failing) {
      const { hook } = await send(answers(400, 202), { onDeadLetter })
      await until(() => hook.stats().deadLetters === 1)
      hook.observer(replayEvent())
      await until(() => hook.stats().delivered === 1)
    }
  })

  it.each([
    ['a BigInt', replayEvent({ count: 1n })],
    ['no time', replayEvent({ at: undefined })],
    ['an invalid time', replayEvent({ at: new Date(Number.NaN) })],
    ['nothing at all', undefined as never],
  ])('counts an event with %s as a dead letter, and throws nothing', async (_, event) => {
    const { hook, deadLetters } = hookTo(await receiverWith())
    expect(hook.observer(event)).toBeUndefined()
    await until(() => deadLetters.length === 1)
    expect(deadLetters).toMatchObject([{ reason: 'invalid', attempts: 0 }])
  })
})

describe('the address of a receiver', () => {
  afterEach(closeAll)

  const rebinding = (...answers: readonly (readonly string[])[]) => {
    const asked: string[] = []
    const resolveHost = async (hostname: string) => {
      asked.push(hostname)
      return answers[asked.length - 1] ?? answers.at(-1) ?? []
    }
    return { asked, resolveHost }
  }

  it('is checked when a name leads to a private one', async () => {
    const receiver = await receiverWith()
    const { asked, resolveHost } = rebinding(['127.0.0.1'], ['::ffff:127.0.0.1'], ['::1', '10.0.0.1'])
    const { hook, deadLetters } = hookTo(receiver, {
      url: receiver.namedUrl,
      allowPrivateNetworks: false,
      giveUpAfterSeconds: 0.3,
      resolveHost,
    })
    hook.observer(replayEvent())
    await until(() => deadLetters.length === 1)
    expect(deadLetters).toMatchObject([{ reason: 'expired', detail: 'ADDRESS_REFUSED' }])
    expect(receiver.connections()).toBe(0)
    expect(asked.length).toBe(deadLetters[0]?.attempts)
  })

  it('is the one that was checked: each connection asks for it once', async () => {
    const receiver = await receiverWith(answers(500))
    // Another answer after the first one of an attempt would lead elsewhere.
    const { asked, resolveHost } = rebinding(['127.0.0.1'], ['127.0.0.1'], ['127.0.0.2'])
    const { hook } = hookTo(receiver, { url: receiver.namedUrl, resolveHost })
    hook.observer(replayEvent())
    await until(() => hook.stats().delivered === 1)
    expect(receiver.connections()).toBe(2)
    expect(asked).toEqual(['hooks.example.com', 'hooks.example.com'])
  })

  it('is asked for again if the resolver fails or hangs', async () => {
    const receiver = await receiverWith()
    let asked = 0
    const resolveHost = async () => {
      asked += 1
      if (asked === 1) throw Object.assign(new Error('no such host'), { code: 'ENOTFOUND' })
      if (asked === 2) await new Promise(() => undefined)
      return ['127.0.0.1']
    }
    const { hook } = hookTo(receiver, { url: receiver.namedUrl, timeoutSeconds: 0.3, resolveHost })
    hook.observer(replayEvent())
    await until(() => hook.stats().delivered === 1)
    expect(hook.stats().failedAttempts).toBe(2)
  })
})

describe('a process with a notifier', () => {
  it('ends although an event waits for its retry', () => {
    const script = `
      const { webhook } = require(${JSON.stringify(resolve(__dirname, '../../lib/notifications/notifications.ts'))})
      const hook = webhook({
        url: 'https://127.0.0.1:1/',
        secrets: [${JSON.stringify(SECRET)}],
        allowPrivateNetworks: true,
        retryDelaySeconds: 3600,
        maxRetryDelaySeconds: 3600,
        giveUpAfterSeconds: 86400,
      })
      hook.observer({ type: 'key.replayed', severity: 'high', at: new Date() })
      process.on('exit', () => console.log(JSON.stringify(hook.stats())))`
    const ended = runProgram(process.execPath, [...TYPESCRIPT, '-e', script])
    expect({ ...ended, stdout: JSON.parse(ended.stdout) }).toEqual({
      status: 0,
      stderr: '',
      stdout: { state: 'open', queued: 1, delivered: 0, failedAttempts: 1, deadLetters: 0 },
    })
  })
})
