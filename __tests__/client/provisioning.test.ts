import { provision } from '../../lib/client/client.js'
import { deviceOf, startIssuer, type TestIssuer } from './issuer.js'

let issuer: TestIssuer

beforeAll(async () => {
  issuer = await startIssuer()
})

afterAll(() => issuer.close())

async function report(device: { fetch: typeof fetch }) {
  const response = await device.fetch(`${issuer.origin}/telemetry`, { method: 'POST', body: 'hot' })
  return [response.status, await response.json()]
}

describe('provision()', () => {
  it('binds a key pair with a key of the client, and then calls an API', async () => {
    const device = await provision(deviceOf(issuer, { subject: 'device:bind' }))
    expect(device.clientId).toBe('device:bind')
    expect(device.answer).toMatchObject({ client_id: 'device:bind', cnf: { jkt: device.thumbprint } })
    expect(await report(device)).toEqual([200, { from: 'device:bind', sent: 'hot' }])
  })

  it('binds a key pair with a given key', async () => {
    const key = await issuer.keyFor('device:given', 'provision:bind provision:token telemetry:write')
    const { subject: _, client: __, ...options } = deviceOf(issuer)
    const device = await provision({ ...options, key })
    expect(await report(device)).toEqual([200, { from: 'device:given', sent: 'hot' }])
  })

  it('exchanges a key for an access token', async () => {
    const { state: _, ...options } = deviceOf(issuer, { action: 'token', subject: 'device:token' })
    const device = await provision(options)
    expect(device.answer).toMatchObject({ token_type: 'DPoP', scope: 'telemetry:write' })
    expect(await report(device)).toEqual([200, { from: 'device:token', sent: 'hot' }])
  })

  it('registers a client that authenticates with its key pair', async () => {
    const options = deviceOf(issuer, { action: 'register', subject: 'device:register' })
    const device = await provision({ ...options, metadata: { client_name: 'Sensor' } })
    expect(device.answer).toMatchObject({ client_id: 'device:register', client_name: 'Sensor' })
    expect(await report(device)).toEqual([200, { from: 'device:register', sent: 'hot' }])
  })

  it('registers a client that authenticates with a secret', async () => {
    const metadata = { client_name: 'Sensor', token_endpoint_auth_method: 'client_secret_basic' }
    const device = await provision(
      deviceOf(issuer, { action: 'register', subject: 'device:secret', metadata }),
    )
    expect(device.answer).toMatchObject({ client_secret: expect.any(String) })
    expect(await report(device)).toEqual([200, { from: 'device:secret', sent: 'hot' }])
  })
})
