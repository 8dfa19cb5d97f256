import type { Request, RequestHandler } from 'express'
import { ProvisionError, provision } from '../../lib/client/client.js'
import { Patience } from '../../lib/client/patience.js'
import { itInAll, sampled } from '../support/scale.js'
import { deviceOf, failureOf, memoryOf, startIssuer, type TestIssuer } from './issuer.js'

let issuer: TestIssuer
const disturbing = new Map<string, RequestHandler>()

beforeAll(async () => {
  issuer = await startIssuer({
    before(req, res, next) {
      const disturb = req.path === '/oauth/bind' ? disturbing.get(subjectOf(req)) : undefined
      return disturb === undefined ? next() : disturb(req, res, next)
    },
    options: { dpop: { nonceSecret: 'a-secret-for-nonces-that-is-long-enough', nonceLifetimeSeconds: 60 } },
  })
})

afterAll(() => issuer.close())

/** The subject of the key that a request presents. */
function subjectOf({ headers }: Request): string {
  const [, payload = ''] = headers.authorization?.split('.') ?? []
  return JSON.parse(Buffer.from(payload, 'base64url').toString()).sub
}

/** Answers the first requests of a device to bind in another way. Other devices notice nothing. */
function first(times: number, subject: string, handler: RequestHandler): void {
  let left = times
  disturbing.set(subject, (req, res, next) => {
    if (left === 0) return next()
    left -= 1
    return handler(req, res, next)
  })
}

// Most of these tests wait, so they run together. The tests below them begin when all of these have ended.
describe('a passing error', () => {
  const statuses = sampled([408, 409, 425, 429, 500, 502, 503], (status) => Math.floor(status / 100))

  it.concurrent.each(statuses)('with the status %i is tried again', async (status) => {
    first(
      2,
      `device:${status}`,
      (_req, res) => void res.status(status).json({ error: 'temporarily_unavailable' }),
    )
    const options = deviceOf(issuer, { subject: `device:${status}` })
    expect((await provision(options)).clientId).toBe(`device:${status}`)
    const retries = options.progress.filter(({ type }) => type === 'retry.scheduled')
    expect(retries).toHaveLength(2)
  })

  it.concurrent('waits at least as long as Retry-After says', async () => {
    first(1, 'device:later', (_req, res) => void res.status(503).set('Retry-After', '1').end())
    const options = deviceOf(issuer, { subject: 'device:later' })
    const start = performance.now()
    await provision(options)
    expect(performance.now() - start).toBeGreaterThanOrEqual(1000)
  })

  it.concurrent('ends the call if Retry-After is later than the deadline, and says when to come back', async () => {
    first(9, 'device:busy', (_req, res) => void res.status(429).set('Retry-After', '900').end())
    const start = performance.now()
    const failure = await failureOf(deviceOf(issuer, { subject: 'device:busy' }))
    expect(performance.now() - start).toBeLessThan(5000)
    expect(failure).toMatchObject({ code: 'issuer_unavailable', isTransient: true, retryAfterSeconds: 900 })
    expect(failure.message).toContain('wants to be asked again in 900 seconds')
  })

  it.concurrent('ends the call at the deadline', async () => {
    first(99, 'device:never', (_req, res) => void res.status(503).end())
    const failure = await failureOf(deviceOf(issuer, { subject: 'device:never', deadlineSeconds: 1 }))
    expect(failure).toMatchObject({ code: 'issuer_unavailable', status: 503, isTransient: true })
    expect(failure.message).toContain('gave up after 1 second')
  })

  it.concurrent('of an issuer that hangs ends the call at the deadline', async () => {
    first(99, 'device:hangs', () => undefined)
    const start = performance.now()
    const failure = await failureOf(deviceOf(issuer, { subject: 'device:hangs', deadlineSeconds: 2 }))
    expect(failure).toMatchObject({ code: 'issuer_unreachable', blame: 'network', isTransient: true })
    expect(performance.now() - start).toBeLessThan(6000)
  })

  it.concurrent('of an issuer that is down names its host', async () => {
    const failure = await failureOf(deviceOf(issuer, { issuer: 'https://127.0.0.1:1', deadlineSeconds: 1 }))
    expect(failure).toMatchObject({ code: 'issuer_unreachable', isTransient: true })
    expect(failure.message).toContain('No answer from 127.0.0.1:1: ECONNREFUSED')
  })
})

describe('the random part of a delay', () => {
  afterEach(() => jest.restoreAllMocks())

  itInAll('does not end a call that can come back in time', async () => {
    jest.spyOn(Math, 'random').mockReturnValue(0.999)
    first(1, 'device:jitter', (_req, res) => void res.status(503).set('Retry-After', '2').end())
    const options = deviceOf(issuer, { subject: 'device:jitter', deadlineSeconds: 4 })
    expect((await provision(options)).clientId).toBe('device:jitter')
  })

  it('does not end a call long before its deadline', async () => {
    jest.spyOn(Math, 'random').mockReturnValue(0.9)
    const patience = new Patience({ deadlineSeconds: 2, signal: undefined, notify: () => undefined })
    const start = performance.now()
    const call = patience.untilAnswered('https://auth.example.com', async () => {
      throw new ProvisionError('issuer_unreachable', 'No answer.')
    })
    await expect(call).rejects.toThrow('No answer (gave up after 2 seconds).')
    expect(performance.now() - start).toBeGreaterThan(1700)
  })

  it('does not hide when to come back if the time that is left is too short', async () => {
    const patience = new Patience({ deadlineSeconds: 2, signal: undefined, notify: () => undefined })
    const refusal = { retryAfterSeconds: 1 }
    const call = patience.untilAnswered('https://auth.example.com', async () => {
      throw new ProvisionError('issuer_unavailable', 'The issuer answered 503.', refusal)
    })
    await expect(call).rejects.toThrow('503 (the issuer wants to be asked again in 1 second)')
  })
})

describe('an aborted signal', () => {
  it.concurrent('ends a request with its reason', async () => {
    first(99, 'device:stop', () => undefined)
    const controller = new AbortController()
    const reason = new Error('the agent stops')
    setTimeout(() => controller.abort(reason), 300)
    const state = memoryOf()
    const call = provision(deviceOf(issuer, { subject: 'device:stop', signal: controller.signal, state }))
    await expect(call).rejects.toBe(reason)
    disturbing.delete('device:stop')
    expect((await provision(deviceOf(issuer, { subject: 'device:stop', state }))).clientId).toBe(
      'device:stop',
    )
  })

  it.concurrent('ends the wait before a retry, and a call that has not begun', async () => {
    first(99, 'device:wait', (_req, res) => void res.status(503).set('Retry-After', '5').end())
    const signal = AbortSignal.timeout(500)
    const options = deviceOf(issuer, { subject: 'device:wait', signal, deadlineSeconds: 60 })
    const start = performance.now()
    await expect(provision(options)).rejects.toMatchObject({ name: 'TimeoutError' })
    expect(performance.now() - start).toBeLessThan(3000)
    await expect(provision(options)).rejects.toBe(signal.reason)
  })
})

describe('the DPoP nonce', () => {
  it('is taken from the answer of the issuer, and the key is redeemed once', async () => {
    issuer.events.length = 0
    const options = deviceOf(issuer, { subject: 'device:nonce' })
    const device = await provision(options)
    expect(options.progress.filter(({ type }) => type === 'retry.scheduled')).toEqual([])
    const response = await device.fetch(`${issuer.origin}/telemetry`, { method: 'POST', body: 'hot' })
    expect(response.status).toBe(200)
    expect(issuer.events.filter(({ type }) => type === 'key.redeemed')).toHaveLength(2)
  })

  it('that the issuer never accepts ends the call', async () => {
    first(
      99,
      'device:nonces',
      (_req, res) => void res.status(401).set('DPoP-Nonce', 'n').json({ error: 'use_dpop_nonce' }),
    )
    issuer.requests.length = 0
    const failure = await failureOf(deviceOf(issuer, { subject: 'device:nonces' }))
    expect(failure).toMatchObject({ code: 'refused', oauthError: 'use_dpop_nonce' })
    expect(issuer.requests.filter((one) => one === 'POST /oauth/bind')).toHaveLength(4)
  })
})

describe('a wrong clock', () => {
  afterEach(() => jest.restoreAllMocks())

  it.each([-3600, 120, 86_400])('of %i seconds is corrected by the issuer', async (seconds) => {
    // The issuer is in the same process. So only the first call, which is that of the client, gets the wrong time.
    const wrong = jest.spyOn(Date, 'now').mockReturnValueOnce(Date.now() + seconds * 1000)
    const options = deviceOf(issuer, { subject: `device:clock${seconds}` })
    expect((await provision(options)).clientId).toBe(`device:clock${seconds}`)
    expect(wrong).toHaveBeenCalled()
    const [corrected] = options.progress.filter(({ type }) => type === 'clock.corrected')
    expect(Math.abs(Number(Reflect.get(corrected ?? {}, 'bySeconds')) + seconds)).toBeLessThanOrEqual(2)
  })
})
