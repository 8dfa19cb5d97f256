import { type ProvisionOptions, provision } from '../../lib/client/client.js'
import { deviceOf, failureOf, memoryOf, startIssuer, type TestIssuer } from './issuer.js'

/** A device that is enrolled at an issuer with `confirmWithinSeconds`. */

const CONFIRM_SECONDS = 60
const clock = { ahead: 0 }
const now = () => Date.now() + clock.ahead * 1000

let issuer: TestIssuer

beforeAll(async () => {
  issuer = await startIssuer({
    policy: { rebinding: 'replace', confirmWithinSeconds: CONFIRM_SECONDS, lifetimeSeconds: 900 },
    options: { now, rateLimit: false },
    before(_req, res, next) {
      res.setHeader('Date', new Date(now()).toUTCString())
      next()
    },
  })
})

afterAll(() => issuer.close())

const passDeadline = () => {
  clock.ahead += CONFIRM_SECONDS + 1
}
const endsOf = (clientId: string) =>
  issuer.events
    .filter(
      (event) =>
        /\.(confirmed|undone)$/.test(event.type) && 'clientId' in event && event.clientId === clientId,
    )
    .map(({ type }) => type)
const stateOf = ({ state }: ProvisionOptions) =>
  JSON.parse((state as ReturnType<typeof memoryOf>).text ?? '{}')

/** Lets the device die before, or after, it has sent its confirmation. */
function dyingAt(path: RegExp, moment: 'before' | 'after') {
  const controller = new AbortController()
  const fetch: typeof globalThis.fetch = async (input, init) => {
    const isConfirmation = path.test(String(input))
    if (isConfirmation && moment === 'before') controller.abort(new Error('died'))
    controller.signal.throwIfAborted()
    const response = await issuer.fetch(input, init)
    if (isConfirmation) controller.abort(new Error('died'))
    controller.signal.throwIfAborted()
    return response
  }
  return { fetch, signal: controller.signal }
}

const ACTIONS = [
  ['bind', /bindings$/, 'binding'],
  ['register', /oauth\/register\/./, 'registration'],
] as const

describe.each(ACTIONS)('a device that can %s', (action, confirmation, noun) => {
  let subject: string
  let devices = 0
  const device = (overrides: Partial<ProvisionOptions> = {}) =>
    deviceOf(issuer, { action, subject, ...overrides })

  beforeEach(() => {
    devices += 1
    subject = `device:${action}-${devices}`
  })

  it('confirms its enrollment immediately, and sends nothing at its next start', async () => {
    const options = device()
    await provision(options)
    expect(endsOf(subject)).toEqual([`${noun}.confirmed`])
    expect(options.progress).toContainEqual({ type: 'enrollment.confirmed', clientId: subject })
    expect(stateOf(options).result).not.toHaveProperty('confirmBy')
    const { length } = issuer.requests
    passDeadline()
    const again = await provision(options)
    expect(issuer.requests).toHaveLength(length)
    const sent = await again.fetch(`${issuer.origin}/telemetry`, { method: 'POST', body: 'hot' })
    expect(sent.status).toBe(200)
  })

  it.each(['before', 'after'] as const)(
    'that dies %s its confirmation confirms at its next start',
    async (moment) => {
      const state = memoryOf()
      const dying = device({ state, ...dyingAt(confirmation, moment) })
      await expect(provision(dying)).rejects.toThrow('died')
      expect(stateOf(dying).result.confirmBy).toBeGreaterThan(now() / 1000)
      if (moment === 'after') passDeadline()
      const options = device({ state, client: { id: 'fleet', secret: 'gone' } })
      expect((await provision(options)).clientId).toBe(subject)
      expect(endsOf(subject)).toEqual([`${noun}.confirmed`])
      expect(stateOf(options).result).not.toHaveProperty('confirmBy')
    },
  )

  it('that starts again after the deadline gets a new key, and is enrolled again', async () => {
    const state = memoryOf()
    await expect(provision(device({ state, ...dyingAt(confirmation, 'before') }))).rejects.toThrow('died')
    passDeadline()
    expect((await provision(device({ state }))).clientId).toBe(subject)
    expect(endsOf(subject)).toEqual([`${noun}.undone`, `${noun}.confirmed`])
  })

  it('that has only the used key after the deadline gets a final error, and presents the key to nobody', async () => {
    const state = memoryOf()
    const scope = `provision:${action} provision:token telemetry:write`
    const key = await issuer.keyFor(subject, scope)
    const own = { state, key, client: undefined, subject: undefined } as object
    await expect(provision(device({ ...own, ...dyingAt(confirmation, 'before') }))).rejects.toThrow('died')
    passDeadline()
    for (let start = 0; start < 2; start += 1) {
      const failure = await failureOf(device(own))
      expect(failure).toMatchObject({ code: 'enrollment_undone', isTransient: false, blame: 'you' })
    }
    expect(issuer.events.some(({ type }) => type === 'key.replayed')).toBe(false)
    const renewed = await provision(device({ ...own, key: await issuer.keyFor(subject, scope) }))
    expect(renewed.clientId).toBe(subject)
  })
})

describe('the renewal of a binding', () => {
  async function aged(subject: string) {
    const state = memoryOf()
    const options = deviceOf(issuer, { state, subject, renewAfterSeconds: 3600 })
    const first = await provision(options)
    state.text = state.text?.replace(/"completedAt": \d+/, '"completedAt": 1000')
    return { state, options, first }
  }
  const bound = async (subject: string) =>
    (await issuer.keys.listBindings(subject)).map(({ confirmation }) => confirmation.jkt)

  it('keeps the old key pair until the issuer has confirmed the new one', async () => {
    const { options, first, state } = await aged('device:renewal')
    const dying = deviceOf(issuer, {
      state,
      subject: 'device:renewal',
      renewAfterSeconds: 3600,
      ...dyingAt(/bindings$/, 'before'),
    })
    await expect(provision(dying)).rejects.toThrow('died')
    expect(stateOf(options).result.thumbprint).toBe(first.thumbprint)
    const renewed = await provision(options)
    expect(renewed.thumbprint).not.toBe(first.thumbprint)
    expect(await bound('device:renewal')).toEqual([renewed.thumbprint])
  })

  it('leaves the old key pair in use if the issuer has undone it, and succeeds later', async () => {
    const { options, first, state } = await aged('device:late')
    const dying = deviceOf(issuer, {
      state,
      subject: 'device:late',
      renewAfterSeconds: 3600,
      ...dyingAt(/bindings$/, 'before'),
    })
    await expect(provision(dying)).rejects.toThrow('died')
    passDeadline()
    const renewed = await provision(options)
    expect(await bound('device:late')).toEqual([renewed.thumbprint])
    expect(renewed.thumbprint).not.toBe(first.thumbprint)
    expect(endsOf('device:late')).toEqual(['binding.confirmed', 'binding.undone', 'binding.confirmed'])
  })
})
