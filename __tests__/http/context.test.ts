import {
  type ClientOptions,
  generateSigningKeys,
  type ProvisioningOptions,
  provisioningKeys,
} from '../../lib/index.js'

const emitWarning = jest.spyOn(process, 'emitWarning').mockImplementation(() => undefined)
const environment = process.env['NODE_ENV']

beforeEach(() => {
  process.env['NODE_ENV'] = 'production'
  emitWarning.mockClear()
})

afterAll(() => {
  process.env['NODE_ENV'] = environment
  emitWarning.mockRestore()
})

const FLEET: ClientOptions = { clientId: 'fleet', clientSecret: 's'.repeat(32) }

/** Starts an issuer, and returns the codes of its warnings and its advice. */
async function startOf(scopes: readonly string[], more: Partial<ProvisioningOptions> = {}) {
  const advice: string[] = []
  provisioningKeys({
    issuer: 'https://auth.example.com',
    audience: 'https://api.example.com',
    signingKeys: generateSigningKeys(),
    policy: { scopes },
    clients: [FLEET],
    observer: (event) => event.type === 'configuration.advised' && advice.push(event.advice),
    ...more,
  })
  await new Promise((resolve) => setImmediate(resolve))
  const codes = emitWarning.mock.calls.map(([, options]) => (options as { code?: string }).code)
  return { codes, advice }
}

describe('an issuer in production with its clients in an array', () => {
  it.each(['provision:bind', 'provision:register'])(
    'gets one advice if a policy allows %s',
    async (scope) => {
      const advice = expect.stringMatching(
        /array, so a restart loses .* clients: keyvClientRegistry.* docs\/guides\/client-database\.md/,
      )
      expect(await startOf([scope, 'devices:read'])).toEqual({ codes: ['EPK_CLIENTS'], advice: [advice] })
    },
  )

  it('gets the advice also if only one client may do so', async () => {
    const reader = { ...FLEET, policy: { scopes: ['devices:read'] } }
    const installer = { ...FLEET, clientId: 'installer', policy: { scopes: ['provision:bind'] } }
    const { codes } = await startOf([], { policy: {}, clients: [reader, installer] })
    expect(codes).toEqual(['EPK_CLIENTS'])
  })

  it('gets no advice if no policy lets a device enroll', async () => {
    const none = { codes: [], advice: [] }
    expect(await startOf(['provision:token', 'devices:read'])).toEqual(none)
    const clients = [{ ...FLEET, policy: { scopes: ['devices:read'] } }]
    expect(await startOf(['provision:bind', 'devices:read'], { clients })).toEqual(none)
  })

  it('gets no advice with a registry, or outside production', async () => {
    const clients = { find: () => undefined, save: () => true, delete: () => true } as never
    expect((await startOf(['provision:bind'], { clients })).codes).toEqual([])
    delete process.env['NODE_ENV']
    expect((await startOf(['provision:bind'])).codes).toEqual([])
  })
})
