import { provision, type StateStorage } from '../../lib/client/client.js'
import { deviceOf, failureOf, memoryOf, startIssuer, type TestIssuer } from './issuer.js'

let issuer: TestIssuer

beforeAll(async () => {
  issuer = await startIssuer()
})

afterAll(() => issuer.close())

/** The number of events of a type about one device. */
function countEvents(type: string, subject: string): number {
  const about = issuer.events.filter((event) => 'subject' in event && event.subject === subject)
  return about.filter((event) => event.type === type).length
}

/** A fetch whose answers to a path are lost on their way, as often as said. */
function losing(path: string, times: number): typeof fetch {
  let left = times
  return async (input, init) => {
    const response = await issuer.fetch(input, init)
    if (new URL(String(input)).pathname !== path || left === 0) return response
    left -= 1
    throw new TypeError('fetch failed', { cause: Object.assign(new Error(), { code: 'ECONNRESET' }) })
  }
}

// Each waits for its retries, so they run together. The tests below them begin when all of them have ended.
describe('an answer that is lost twice', () => {
  it.concurrent.each([
    ['bind', '/oauth/bind'],
    ['register', '/oauth/register'],
    ['token', '/oauth/token'],
  ] as const)('to %s is got again within one call', async (action, path) => {
    const fetching = losing(path, 2)
    const subject = `device:lost-${action}`
    const device = await provision(deviceOf(issuer, { action, subject, fetch: fetching }))
    expect(device.clientId).toBe(subject)
    expect([countEvents('key.redeemed', subject), countEvents('key.replayed', subject)]).toEqual([1, 0])
  })
})

it.each([
  ['of the metadata', '/.well-known/oauth-authorization-server'],
  ['of the request for a key', '/oauth/token'],
  ['of the request that redeems the key', '/oauth/bind'],
])(
  'a login page in place %s ends the call, and the next call enrolls the device once',
  async (name, path) => {
    const options = { state: memoryOf(), subject: `device:portal-${name.length}` }
    const behindPortal: typeof fetch = async (input, init) => {
      const isCaught = new URL(String(input)).pathname === path
      return isCaught
        ? new Response('<h1>', { headers: { 'Content-Type': 'text/html' } })
        : issuer.fetch(input, init)
    }
    const failure = await failureOf(deviceOf(issuer, { ...options, fetch: behindPortal }))
    expect(failure).toMatchObject({ code: 'issuer_invalid', isTransient: true })
    expect((await provision(deviceOf(issuer, options))).clientId).toBe(options.subject)
    const events = ['client.bound', 'key.replayed'].map((type) => countEvents(type, options.subject))
    expect(events).toEqual([1, 0])
  },
)

describe('a device with a result', () => {
  it('reads no key and sends no request', async () => {
    const state = memoryOf()
    const first = await provision(deviceOf(issuer, { state, subject: 'device:again' }))
    issuer.requests.length = 0
    const { client: _, subject: __, progress, ...options } = deviceOf(issuer, { state })
    const key = () => {
      throw new Error('the key was read')
    }
    const second = await provision({ ...options, key })
    expect([second.clientId, second.answer]).toEqual([first.clientId, first.answer])
    expect(issuer.requests).toEqual([])
  })

  it('gets a new access token with a new key when the saved one has ended', async () => {
    const state = memoryOf()
    const options = deviceOf(issuer, { state, action: 'token', subject: 'device:ended' })
    const first = await provision(options)
    state.text = state.text?.replace(/"expiresAt": \d+/, '"expiresAt": 1000') ?? ''
    const second = await provision(options)
    expect(second.answer.access_token).not.toBe(first.answer.access_token)
  })

  it('keeps an access token whose end has a fraction of a second', async () => {
    const exp = Math.floor(Date.now() / 1000) + 300.5
    const token = `e30.${btoa(JSON.stringify({ exp }))}.c2ln`
    const fetch = async (input: string, init: RequestInit) => {
      const response = await issuer.fetch(input, init)
      if (!String(init.body).includes('token-exchange')) return response
      return Response.json({ ...((await response.json()) as object), access_token: token })
    }
    const options = deviceOf(issuer, { action: 'token', subject: 'device:fraction', fetch: fetch as never })
    await provision(options)
    expect((await provision(options)).answer.access_token).toBe(token)
  })

  it('does not redeem the same key again when its access token has ended', async () => {
    const state = memoryOf()
    const key = await issuer.keyFor('device:same', 'provision:token telemetry:write')
    const { client: _, subject: __, ...options } = deviceOf(issuer, { state, action: 'token' })
    await provision({ ...options, key })
    state.text = state.text?.replace(/"expiresAt": \d+/, '"expiresAt": 1000') ?? ''
    expect(await failureOf({ ...options, key })).toMatchObject({ code: 'key_redeemed', isTransient: false })
    expect(countEvents('key.replayed', 'device:same')).toBe(0)
  })
})

describe('a device whose clock is far ahead', () => {
  afterEach(() => jest.restoreAllMocks())

  it('keeps an access token that has not ended by the clock of the issuer', async () => {
    const options = deviceOf(issuer, { action: 'token', subject: 'device:ahead' })
    const first = await provision(options)
    jest.spyOn(Date, 'now').mockReturnValueOnce(Date.now() + 86_400_000)
    const second = await provision(options)
    expect(second.answer).toEqual(first.answer)
    expect(countEvents('key.redeemed', 'device:ahead')).toBe(1)
  })
})

describe('a lost answer', () => {
  it.each([
    ['bind', '/oauth/bind'],
    ['register', '/oauth/register'],
    ['token', '/oauth/token'],
  ] as const)('to %s is got again by the next call, and the key is redeemed once', async (action, path) => {
    const state = memoryOf()
    const subject = `device:crashed-${action}`
    const controller = new AbortController()
    const dying: typeof fetch = async (input, init) => {
      const response = await issuer.fetch(input, init)
      const isRedemption = path !== '/oauth/token' || String(init?.body).includes('token-exchange')
      if (new URL(String(input)).pathname !== path || !isRedemption) return response
      controller.abort(new Error('killed'))
      throw new TypeError('fetch failed')
    }
    const options = deviceOf(issuer, { state, action, subject })
    await expect(provision({ ...options, fetch: dying, signal: controller.signal })).rejects.toThrow('killed')
    const device = await provision(options)
    expect(device.clientId).toBe(subject)
    expect(options.progress).toContainEqual({ type: 'attempt.resumed', keyId: expect.any(String) })
    expect([countEvents('key.redeemed', subject), countEvents('redemption.repeated', subject)]).toEqual([
      1, 1,
    ])
  })
})

describe('an attempt whose key is refused later', () => {
  const interrupted = async (state: ReturnType<typeof memoryOf>, subject: string) => {
    const options = deviceOf(issuer, { state, subject, deadlineSeconds: 1, fetch: losing('/oauth/bind', 99) })
    const failure = await failureOf(options)
    expect(failure).toMatchObject({ code: 'issuer_unreachable', isTransient: true })
  }

  it('finds the binding that it made, although the issuer has no answer any more', async () => {
    const state = memoryOf()
    await interrupted(state, 'device:forgotten')
    const { key } = JSON.parse(state.text ?? '').attempt
    const stranger = { method: 'POST', headers: { Authorization: `Bearer ${key}` } }
    await issuer.fetch(`${issuer.origin}/oauth/bind`, stranger)
    const forgetful: typeof fetch = async (input, init) =>
      String(input).endsWith('/oauth/bind')
        ? new Response('{"error":"invalid_token"}', { status: 401 })
        : issuer.fetch(input, init)
    const options = deviceOf(issuer, { state, subject: 'device:forgotten', fetch: forgetful })
    const device = await provision(options)
    expect(options.progress).toContainEqual({ type: 'binding.recovered', clientId: 'device:forgotten' })
    expect(device.answer).toMatchObject({ cnf: { jkt: device.thumbprint } })
  })

  it('begins again with a new key if nothing came of it', async () => {
    const state = memoryOf()
    const unsent: typeof fetch = async (input, init) => {
      if (String(input).endsWith('/oauth/bind')) throw new TypeError('fetch failed')
      return issuer.fetch(input, init)
    }
    const options = deviceOf(issuer, { state, subject: 'device:revoked' })
    await failureOf({ ...options, deadlineSeconds: 1, fetch: unsent })
    const keyId = JSON.parse(atob(JSON.parse(state.text ?? '').attempt.key.split('.')[1])).jti
    await issuer.keys.revokeKey({ clientId: 'fleet', keyId })
    expect((await provision(options)).clientId).toBe('device:revoked')
  })

  it('says why the key was refused if there is no other key', async () => {
    const state = memoryOf()
    const key = await issuer.keyFor('device:dead', 'provision:bind')
    const keyId = JSON.parse(atob(key.split('.')[1] ?? '')).jti
    await issuer.keys.revokeKey({ clientId: 'fleet', keyId })
    const { client: _, subject: __, ...options } = deviceOf(issuer, { state })
    for (const _run of [1, 2]) {
      const failure = await failureOf({ ...options, key })
      expect(failure).toMatchObject({ code: 'refused', status: 401, oauthError: 'invalid_token' })
    }
    const other = await issuer.keyFor('device:dead', 'provision:bind provision:token telemetry:write')
    expect((await provision({ ...options, key: other })).clientId).toBe('device:dead')
  })
})

describe('a device that lost the answer, and starts again when its key has expired', () => {
  const clock = { ahead: 0 }
  const now = () => Date.now() + clock.ahead * 1000
  let later: TestIssuer

  beforeAll(async () => {
    later = await startIssuer({
      options: { now },
      before(_req, res, next) {
        res.setHeader('Date', new Date(now()).toUTCString())
        next()
      },
    })
  })

  afterAll(() => later.close())

  it.each([
    ['bind', 'binding'],
    ['register', 'registration'],
  ] as const)('finds with its key pair what it has got (%s)', async (action, noun) => {
    const subject = `device:expired-${action}`
    const options = deviceOf(later, { action, subject })
    const controller = new AbortController()
    const dying: typeof fetch = async (input, init) => {
      const response = await later.fetch(input, init)
      if (!String(input).endsWith(action)) return response
      controller.abort(new Error('killed'))
      throw new TypeError('fetch failed')
    }
    await expect(provision({ ...options, fetch: dying, signal: controller.signal })).rejects.toThrow('killed')
    clock.ahead += 3601
    const device = await provision(options)
    expect(options.progress).toContainEqual({ type: `${noun}.recovered`, clientId: subject })
    expect([device.clientId, device.answer.client_id]).toEqual([subject, subject])
    const sent = await device.fetch(`${later.origin}/telemetry`, { method: 'POST', body: 'hot' })
    expect(sent.status).toBe(200)
    expect((await provision(options)).thumbprint).toBe(device.thumbprint)
  })
})

/** A state in memory that several calls can use at a time. */
function sharedMemory(): StateStorage {
  let text: string | undefined
  const change = (next: string | undefined, previous: string | undefined) => {
    if (text !== previous) return false
    text = next
    return true
  }
  return {
    load: async () => text,
    save: async (next, previous) => change(next, previous),
    clear: async (previous) => change(undefined, previous),
  }
}

describe('two calls with one state', () => {
  it('redeem one key, and get the same result', async () => {
    const state = sharedMemory()
    const make = () => provision(deviceOf(issuer, { state, subject: 'device:twice' }))
    const devices = await Promise.all([make(), make(), make()])
    expect(new Set(devices.map(({ thumbprint }) => thumbprint)).size).toBe(1)
    expect([
      countEvents('key.redeemed', 'device:twice'),
      countEvents('key.replayed', 'device:twice'),
    ]).toEqual([1, 0])
  })

  it('have the result of the one with the right scope, although the other one is refused later', async () => {
    const key = await issuer.keyFor('device:scopes', 'provision:token telemetry:write')
    const {
      client: _,
      subject: __,
      ...options
    } = deviceOf(issuer, { state: sharedMemory(), action: 'token' })
    let answer = () => {}
    const answered = new Promise<void>((resolve) => {
      answer = resolve
    })
    let sent = () => {}
    const isSent = new Promise<void>((resolve) => {
      sent = resolve
    })
    const slow: typeof fetch = async (input, init) => {
      const response = await issuer.fetch(input, init)
      if (init?.method !== 'POST') return response
      sent()
      await answered
      return response
    }
    const late = provision({ ...options, key, scope: 'telemetry:read', fetch: slow })
    await isSent
    const right = await provision({ ...options, key })
    answer()
    expect((await late).answer).toEqual(right.answer)
    expect((await provision({ ...options, key })).answer).toEqual(right.answer)
  })
})
