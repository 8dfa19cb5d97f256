import type { ProvisioningEvent } from '../../lib/ports/events.js'
import { compact } from '../support/compact.js'
import { SIGNING_KEY } from '../support/deployed.js'
import { parse } from './faults-of.js'

const KEY = { keyId: 'a', clientId: 'b' }

/** The process warnings during an act. */
async function warningsOf(act: () => void): Promise<unknown[]> {
  const emitWarning = jest.spyOn(process, 'emitWarning').mockImplementation(() => undefined)
  try {
    act()
    await new Promise((resolve) => setImmediate(resolve))
    return [...emitWarning.mock.calls]
  } finally {
    emitWarning.mockRestore()
  }
}

describe('the observer of the options', () => {
  it('is told of every event', async () => {
    const told: ProvisioningEvent[] = []
    parse({ observer: (event: ProvisioningEvent) => told.push(event), now: () => 7000 }).deployment.emit(
      'key.revoked',
      KEY,
    )
    await Promise.resolve()
    expect(told).toEqual([
      { type: 'key.revoked', code: 'key.revoked', at: new Date(7000), severity: 'notice', ...KEY },
    ])
  })

  it('is warned of once when it fails, with no key in the warning', async () => {
    const token = compact({ alg: 'ES256', typ: 'provisioning-key+jwt' }, { jti: 'a' }, SIGNING_KEY)
    const observer = () => Promise.reject(new Error(`cannot send ${token}`))
    const { deployment } = parse({ observer })
    const warnings = await warningsOf(() => {
      for (let i = 0; i < 3; i += 1) deployment.emit('key.revoked', KEY)
    })
    const message = 'An observer of provisioning events failed: cannot send [redacted]'
    expect(warnings).toEqual([[message, { code: 'EPK_OBSERVER', type: 'ProvisioningKeysWarning' }]])
  })

  it('is named in one warning if a request is refused and nobody listens', async () => {
    const refusal = {
      endpoint: 'token',
      error: 'invalid_client',
      reason: 'client_unknown',
      detail: '',
      status: 401,
    } as const
    const { deployment } = parse({})
    const warnings = await warningsOf(() => {
      deployment.emit('key.revoked', KEY)
      for (let i = 0; i < 3; i += 1) deployment.emit('request.refused', refusal)
    })
    const message = expect.stringMatching(
      /^A request was refused, and no observer listens\. .* the option observer/,
    )
    expect(warnings).toEqual([[message, { code: 'EPK_NO_OBSERVER', type: 'ProvisioningKeysWarning' }]])
    const heard = parse({})
    heard.events.on('request.refused', () => undefined)
    expect(await warningsOf(() => heard.deployment.emit('request.refused', refusal))).toEqual([])
  })

  const hostile = new Proxy(new Error('hostile'), {
    get: () => {
      throw new Error('nobody may look')
    },
  })
  it.each([
    ['an error without a message', Object.assign(new Error('a'), { message: undefined })],
    ['an error whose message is a number', Object.assign(new Error('a'), { message: 42 })],
    ['an error whose message is a symbol', Object.assign(new Error('a'), { message: Symbol('a') })],
    ['an error that throws when it is looked at', hostile],
    ['a text', 'a'],
    ['nothing', undefined],
  ])('can fail no request, not even with %s', async (_, fault) => {
    const { deployment } = parse({
      observer: () => {
        throw fault
      },
    })
    const emitting = () => expect(() => deployment.emit('key.revoked', KEY)).not.toThrow()
    expect((await warningsOf(emitting)).length).toBeLessThanOrEqual(1)
  })
})
