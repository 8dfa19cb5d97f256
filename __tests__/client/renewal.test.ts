import { provision } from '../../lib/client/client.js'
import { deviceOf, memoryOf, startIssuer, type TestIssuer } from './issuer.js'

let issuer: TestIssuer

beforeAll(async () => {
  issuer = await startIssuer({ policy: { rebinding: 'replace' } })
})

afterAll(() => issuer.close())

afterEach(() => jest.restoreAllMocks())

type Memory = ReturnType<typeof memoryOf>

const bindings = async (subject: string) =>
  (await issuer.keys.listBindings(subject)).map(({ confirmation }) => confirmation.jkt)

/** Makes the saved binding older. */
function age(state: Memory): void {
  state.text = state.text?.replace(/"completedAt": \d+/, '"completedAt": 1000') ?? ''
}

async function enrolled(subject: string) {
  const state = memoryOf()
  const options = deviceOf(issuer, { state, subject, renewAfterSeconds: 3600 })
  const device = await provision(options)
  return { state, options, device }
}

async function report(device: { fetch: typeof fetch }): Promise<number> {
  return (await device.fetch(`${issuer.origin}/telemetry`, { method: 'POST', body: 'hot' })).status
}

describe('a binding that is older than renewAfterSeconds', () => {
  it('is replaced by one of a new key pair, without the credentials of the first one', async () => {
    const { state, options, device } = await enrolled('device:old')
    expect((await provision(options)).thumbprint).toBe(device.thumbprint)
    age(state)
    const renewed = await provision({ ...options, client: { id: 'fleet', secret: 'gone' } })
    expect(renewed.thumbprint).not.toBe(device.thumbprint)
    expect(await bindings('device:old')).toEqual([renewed.thumbprint])
    expect(await report(renewed)).toBe(200)
    expect(JSON.parse(state.text ?? '')).not.toHaveProperty('attempt')
  })

  it('is replaced although the clock of the device begins in 1970', async () => {
    const { state, options, device } = await enrolled('device:clockless')
    const start = () => {
      // The issuer is in the same process. So only the first call, which is that of the client, gets the wrong time.
      jest.spyOn(Date, 'now').mockReturnValueOnce(0)
      return provision(options)
    }
    expect((await start()).thumbprint).toBe(device.thumbprint)
    age(state)
    const renewed = await start()
    expect(await bindings('device:clockless')).toEqual([renewed.thumbprint])
    expect(renewed.thumbprint).not.toBe(device.thumbprint)
  })

  it('stays in use while the issuer does not answer, and is renewed later', async () => {
    const { state, options, device } = await enrolled('device:offline')
    age(state)
    const offline = () => Promise.reject(new TypeError('fetch failed'))
    const same = await provision({ ...options, fetch: offline, deadlineSeconds: 1 })
    expect(same.thumbprint).toBe(device.thumbprint)
    expect(options.progress.at(-1)).toMatchObject({ type: 'renewal.failed' })
    expect(same.renewalError).toMatchObject({ code: 'issuer_unreachable', isTransient: true })
    const renewed = await provision(options)
    expect(await bindings('device:offline')).toEqual([renewed.thumbprint])
  })

  it('is renewed once although the answer was lost and the process has died', async () => {
    const { state, options } = await enrolled('device:crash')
    age(state)
    const controller = new AbortController()
    const dying: typeof fetch = async (input, init) => {
      const response = await issuer.fetch(input, init)
      if (!String(input).endsWith('/oauth/bind')) return response
      controller.abort(new Error('killed'))
      throw new TypeError('fetch failed')
    }
    await expect(provision({ ...options, fetch: dying, signal: controller.signal })).rejects.toThrow('killed')
    const renewed = await provision(options)
    expect(await bindings('device:crash')).toEqual([renewed.thumbprint])
    expect(await report(renewed)).toBe(200)
  })

  it('is replaced by the new one as soon as a request needs it, if the answer to the renewal was lost', async () => {
    const { state, options, device } = await enrolled('device:lost')
    age(state)
    let isLosing = true
    const losing: typeof fetch = async (input, init) => {
      const response = await issuer.fetch(input, init)
      if (isLosing && String(input).endsWith('/oauth/bind')) throw new TypeError('fetch failed')
      return response
    }
    const old = await provision({ ...options, fetch: losing, deadlineSeconds: 2 })
    expect(old.thumbprint).toBe(device.thumbprint)
    isLosing = false
    expect(await report(old)).toBe(200)
    const renewed = await provision(options)
    expect(await bindings('device:lost')).toEqual([renewed.thumbprint])
    expect(renewed.thumbprint).not.toBe(device.thumbprint)
  })

  it('is replaced in each process that uses the state', async () => {
    const { state, options, device: running } = await enrolled('device:shared')
    age(state)
    await provision(options)
    expect([await report(running), await report(running)]).toEqual([200, 200])
  })

  it('is replaced once, although another process does this between two requests', async () => {
    const { state, options, device } = await enrolled('device:race')
    age(state)
    let other: Promise<{ readonly thumbprint: string }> | undefined
    const overtaken: typeof fetch = async (input, init) => {
      other ??= String(input).endsWith('/oauth/token') ? provision(options) : undefined
      await other
      return issuer.fetch(input, init)
    }
    const renewed = await provision({ ...options, fetch: overtaken })
    expect(renewed.thumbprint).not.toBe(device.thumbprint)
    expect(await bindings('device:race')).toEqual([renewed.thumbprint])
    expect((await other)?.thumbprint).toBe(renewed.thumbprint)
    expect(renewed).not.toHaveProperty('renewalError')
    expect(options.progress).not.toContainEqual(expect.objectContaining({ type: 'renewal.failed' }))
  })

  it('stays in use if the policy refuses another key pair', async () => {
    const strict = await startIssuer()
    try {
      const state = memoryOf()
      const options = deviceOf(strict, { state, renewAfterSeconds: 3600 })
      const device = await provision(options)
      age(state)
      expect((await provision(options)).thumbprint).toBe(device.thumbprint)
      const failed = options.progress.find(({ type }) => type === 'renewal.failed')
      expect(failed).toMatchObject({ reason: expect.stringContaining('already has a bound key') })
      expect(JSON.parse(state.text ?? '')).not.toHaveProperty('attempt')
    } finally {
      await strict.close()
    }
  })
})
