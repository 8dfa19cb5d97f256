import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import Ajv2020 from 'ajv/dist/2020.js'
import { ENDPOINTS } from '../../lib/administration/router.js'
import { AS, act, readApi, startAdministration } from '../support/administration.js'
import { refOf } from '../support/redeeming.js'
import { exchangeKey, obtainKey, send } from '../support/requests.js'
import { CLIENT, type RunningServer } from '../support/server.js'

const FILE = join(__dirname, '../../lib/administration/openapi.json')
const description = JSON.parse(readFileSync(FILE, 'utf8'))

interface Operation {
  readonly responses: Readonly<Record<string, { content: Record<string, { schema: object }> }>>
  readonly parameters?: readonly { readonly name: string }[]
  readonly requestBody?: { readonly content: Record<string, { schema: { properties: object } }> }
}

const operations = Object.entries<Record<string, Operation>>(description.paths).flatMap(([path, methods]) =>
  Object.entries(methods).map(
    ([method, operation]) => [`${method.toUpperCase()} ${path}`, operation] as const,
  ),
)

/** Checks answers by the schemas of the description, and accepts no member that a schema does not have. */
const ajv = new Ajv2020({ strict: false, allErrors: true })
ajv.addSchema({ $id: 'openapi', ...closed(description) })

/** An object schema is closed unless it says that it is open. */
function closed(value: unknown): object {
  if (Array.isArray(value)) return value.map(closed)
  if (typeof value !== 'object' || value === null) return value as never
  const members = Object.fromEntries(Object.entries(value).map(([name, member]) => [name, closed(member)]))
  return 'properties' in members && !('additionalProperties' in members)
    ? { ...members, additionalProperties: false }
    : members
}

function faultsOf(operation: string, answer: unknown): unknown {
  const [method = '', path = ''] = operation.split(' ')
  const pointer = [
    'paths',
    path,
    method.toLowerCase(),
    'responses',
    '200',
    'content',
    'application/json',
    'schema',
  ]
  const escaped = pointer.map((part) => encodeURIComponent(part.replaceAll('~', '~0').replaceAll('/', '~1')))
  ajv.validate({ $ref: `openapi#/${escaped.join('/')}` }, answer)
  return ajv.errors ?? []
}

/** A program, because Jest cannot load the linter, which is an ES module. */
const LINTER = join(__dirname, '../support/lint-openapi.mjs')

describe('the OpenAPI description', () => {
  it('passes the recommended rules of a linter', async () => {
    const { stdout } = await promisify(execFile)(process.execPath, [LINTER, FILE])
    expect(JSON.parse(stdout)).toEqual([])
  })

  it('has the endpoints of the router, and the two that answer with no object of their own', () => {
    const own = operations.map(([name]) => name)
    expect(own.sort()).toEqual([...Object.keys(ENDPOINTS), 'GET /api/events', 'GET /openapi.json'].sort())
  })

  it('describes every member', () => {
    const undescribed: string[] = []
    const walk = (value: unknown, path: string) => {
      if (typeof value !== 'object' || value === null) return
      const { properties } = value as { properties?: Record<string, { description?: string; $ref?: string }> }
      for (const [name, member] of Object.entries(properties ?? {}))
        if (member.description === undefined && member.$ref === undefined && name !== 'items')
          undescribed.push(`${path}/${name}`)
      for (const [name, member] of Object.entries(value)) walk(member, `${path}/${name}`)
    }
    walk(description.components.schemas, '')
    expect(undescribed).toEqual([])
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
    ]
    for (const [name, body] of bodies) {
      const { body: answer } = await act(server, name.replace('POST /api/', ''), body)
      expect([name, faultsOf(name, answer)]).toEqual([name, []])
    }
  })

  it('about problems are as described', async () => {
    const { body } = await readApi(server, 'keys?limit=0')
    ajv.validate({ $ref: 'openapi#/components/schemas/Problem' }, body)
    expect(ajv.errors).toBeNull()
  })

  it('come with the description itself', async () => {
    const { body } = await send(server, 'get', '/admin/openapi.json').set(AS, 'victor')
    expect(body).toEqual(description)
  })
})
