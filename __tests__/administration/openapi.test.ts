import { join } from 'node:path'
import { ENDPOINTS } from '../../lib/administration/router.js'
import { AS, act, readApi, startAdministration } from '../support/administration.js'
import { readDescription } from '../support/openapi.js'
import { refOf } from '../support/redeeming.js'
import { exchangeKey, obtainKey, send } from '../support/requests.js'
import { CLIENT, type RunningServer } from '../support/server.js'

const description = readDescription(join(__dirname, '../../lib/administration/openapi.json'))

const faultsOf = (operation: string, value: unknown) =>
  description.faultsOf({ operation, status: 200, value })

describe('the OpenAPI description', () => {
  it('passes the recommended rules of a linter', async () => {
    expect(await description.lint()).toEqual([])
  })

  it('has the endpoints of the router, and the two that answer with no object of their own', () => {
    const all = [...Object.keys(ENDPOINTS), 'GET /api/events', 'GET /openapi.json']
    expect([...description.operations].sort()).toEqual(all.sort())
  })

  it('describes every member', () => {
    expect(description.undescribed()).toEqual([])
  })
})

describe('the answers', () => {
  let server: RunningServer
  let key: { clientId: string; keyId: string }
  beforeAll(async () => {
    server = await startAdministration({ options: { monitoring: {} } })
    const text = await obtainKey(server, { scope: 'provision:token devices:read' })
    const { clientId, jti } = refOf(text)
    key = { clientId, keyId: jti }
    await exchangeKey(server, text)
    await exchangeKey(server, text)
    for (let tries = 0; tries < 100 && (await server.keys.findings()).length === 0; tries += 1)
      await new Promise((resolve) => setTimeout(resolve, 10))
  })
  afterAll(() => server.close())

  it('of the reading endpoints are as described', async () => {
    const queries: Readonly<Record<string, string>> = {
      'GET /api/key': `?${new URLSearchParams(key)}`,
      'GET /api/bindings': `?clientId=${CLIENT}`,
    }
    for (const name of Object.keys(ENDPOINTS).filter((one) => one.startsWith('GET '))) {
      const path = `${name.replace('GET /api/', '')}${queries[name] ?? ''}`
      const { status, body } = await readApi(server, path)
      expect([name, status, faultsOf(name, body)]).toEqual([name, 200, []])
      if (Array.isArray(body.items) && !/locks|bindings/.test(name))
        expect([name, body.items.length > 0]).toEqual([name, true])
    }
  })

  it('of the acting endpoints are as described', async () => {
    const [finding] = await server.keys.findings()
    const bodies: readonly (readonly [name: string, body: object])[] = [
      ['POST /api/keys/revoke', key],
      ['POST /api/families/revoke', key],
      ['POST /api/clients/lock', { clientId: CLIENT, reason: 'a test' }],
      ['POST /api/clients/unlock', { clientId: CLIENT }],
      ['POST /api/findings/close', { findingId: finding?.id }],
      ['POST /api/clients/revoke-keys', { clientId: CLIENT }],
      ['POST /api/keys/revoke-all', {}],
      ['POST /api/clients/delete', { clientId: CLIENT }],
    ]
    for (const [name, body] of bodies) {
      const { body: answer } = await act(server, name.replace('POST /api/', ''), body)
      expect([name, faultsOf(name, answer)]).toEqual([name, []])
    }
  })

  it('about problems are as described', async () => {
    const { body } = await readApi(server, 'keys?limit=0')
    const problem = { status: '4XX', mediaType: 'application/problem+json', value: body }
    expect(description.faultsOf({ operation: 'GET /api/keys', ...problem })).toEqual([])
  })

  it('come with the description itself', async () => {
    const { body } = await send(server, 'get', '/admin/openapi.json').set(AS, 'victor')
    expect(body).toEqual(description.document)
  })
})
