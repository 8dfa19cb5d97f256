import { ConfigurationError, type GuardOptions, provisioningKeys } from '../../lib/index.js'
import { workingOptions } from '../support/server.js'

type Guard = 'requireProvisioningKey' | 'redeemProvisioningKey' | 'requireAccessToken'

const GUARDS: readonly Guard[] = ['requireProvisioningKey', 'redeemProvisioningKey', 'requireAccessToken']

const client = { clientId: 'runner', clientSecret: 'a-long-enough-secret-for-tests-0123456789' }
const AUDIENCE = 'https://api.example.com'

function made(options: Partial<Parameters<typeof provisioningKeys>[0]> = {}) {
  const clients = [{ ...client, policy: { scopes: ['devices:create', 'devices:read'] } }]
  return provisioningKeys(workingOptions({ audience: AUDIENCE, policy: {}, clients, ...options }))
}

function faultsOf(make: () => unknown): readonly string[] {
  try {
    make()
    return []
  } catch (error) {
    if (error instanceof ConfigurationError) return error.faults
    throw error
  }
}

describe.each(GUARDS)('%s()', (name) => {
  const faultsWith = (options: unknown, keys = made()) => faultsOf(() => keys[name](options as GuardOptions))

  it('needs a scope, or an explicit anyScope', () => {
    const kind = name === 'requireAccessToken' ? 'access token' : 'key'
    const needed = (got: string) =>
      `${name}.scope: expected a scope that the ${kind} must have (or anyScope: true, which accepts every ${kind}), got ${got}`
    expect(faultsWith({})).toEqual([needed('undefined')])
    expect(faultsWith({ scope: undefined })).toEqual([needed('undefined')])
    expect(faultsWith({ scope: [] })).toEqual([needed('an empty list')])
    const object = `${name}: expected an object, such as { scope: 'devices:create' }`
    expect(faultsWith(undefined)).toEqual([`${object}, got undefined`])
    expect(faultsWith('devices:create')).toEqual([`${object}, got "devices:create"`])
    expect(faultsWith({ anyScope: true })).toEqual([])
    expect(faultsWith({ scope: 'devices:read' })).toEqual([])
    expect(faultsWith({ scope: ['devices:read', 'devices:create'] })).toEqual([])
  })

  it('takes one of scope and anyScope, and for anyScope only true', () => {
    const either = `${name}.scope: expected either scope or anyScope, got both`
    expect(faultsWith({ scope: 'devices:read', anyScope: true })).toEqual([either])
    const onlyTrue = `${name}.anyScope: expected true, or scope instead, got false`
    expect(faultsWith({ anyScope: false })).toEqual([onlyTrue])
    expect(faultsWith({ scope: 'devices:read', anyScope: false })).toEqual([onlyTrue, either])
  })

  it('refuses a scope that no policy grants, and says which was probably meant', () => {
    const expected = `${name}.scope: expected a scope that a policy grants`
    expect(faultsWith({ scope: 'device:read' })).toEqual([
      `${expected}; did you mean devices:read? got "device:read"`,
    ])
    expect(faultsWith({ scope: ['devices:read', 'admin'] })).toEqual([
      `${expected} (devices:create, devices:read), got "admin"`,
    ])
  })

  it('refuses provisioning scopes where access tokens are wanted', () => {
    const keys = made({ policy: { scopes: ['provision:token'] }, clients: () => undefined })
    const fault = `${name}.scope: expected a scope other than provision:*, which access tokens never have, got "provision:token"`
    expect(faultsWith({ scope: 'provision:token' }, keys)).toEqual(
      name === 'requireAccessToken' ? [fault] : [],
    )
  })

  it('takes a scope of the deployment for a client without scopes of its own', () => {
    const keys = made({ policy: { scopes: ['config:read'] }, clients: [client] })
    expect(faultsWith({ scope: 'config:read' }, keys)).toEqual([])
    expect(faultsWith({ scope: 'devices:read' }, keys)).toHaveLength(1)
  })

  it('takes any scope where clients are looked up, unless the deployment has a list of scopes', () => {
    const clients = () => undefined
    expect(faultsWith({ scope: 'admin' }, made({ clients }))).toEqual([])
    expect(
      faultsWith({ scope: 'admin' }, made({ clients, policy: { scopes: ['config:read'] } })),
    ).toHaveLength(1)
  })
})
