import { type AdministrationOptions, ConfigurationError, provisioningKeys } from '../../lib/index.js'
import { AS, act, readApi, startAdministration } from '../support/administration.js'
import { send } from '../support/requests.js'
import { itInAll } from '../support/scale.js'
import { type RunningServer, workingOptions } from '../support/server.js'

type Authorize = AdministrationOptions['authorize']

async function withAuthorize(authorize: Authorize, test: (server: RunningServer) => Promise<void>) {
  const server = await startAdministration({ authorize })
  await test(server).finally(server.close)
}

const refusals = ({ events }: RunningServer) =>
  events.flatMap((event) => (event.type === 'administration.refused' ? [event.reason] : []))

describe('the option authorize', () => {
  it('has no default', () => {
    const keys = provisioningKeys(workingOptions())
    const make = (options: unknown) => () => keys.administration(options as AdministrationOptions)
    expect(make({})).toThrow(ConfigurationError)
    expect(make({})).toThrow(
      "administration.authorize: expected a function that returns false, 'view' or 'operate' for a request, got undefined",
    )
    expect(make(undefined)).toThrow('administration: expected an object with authorize')
    expect(make({ authorise: () => 'view' })).toThrow('did you mean authorize?')
    expect(make({ authorize: () => 'view', page: 'yes' })).toThrow(
      'administration.page: expected true or false',
    )
  })

  for (const [name, access] of [
    ['a role', 'view'],
    ['a promise of a role', Promise.resolve('operate' as const)],
    ['a role and an actor', { role: 'view', actor: 'alice' }],
  ] as const)
    it(`lets a request in with ${name}`, () =>
      withAuthorize(
        () => access,
        async (server) => {
          expect((await readApi(server, 'health')).status).toBe(200)
        },
      ))

  it('refuses with 403 for false, and emits an event', () =>
    withAuthorize(
      () => false,
      async (server) => {
        const { status, body, headers } = await readApi(server, 'health')
        expect([status, headers['content-type']]).toEqual([403, 'application/problem+json'])
        expect(body).toEqual({
          type: 'about:blank',
          title: 'Forbidden',
          status: 403,
          detail: 'You may not use this administration. Log in as an operator.',
        })
        expect(refusals(server)).toEqual(['forbidden'])
      },
    ))

  const nonsense: readonly (readonly [name: string, value: unknown])[] = [
    ['undefined', undefined],
    ['null', null],
    ['true', true],
    ['an unknown role', 'admin'],
    ['an empty object', {}],
    ['a role without a name', { role: 'operate', actor: '' }],
    ['an unknown role with a name', { role: 'root', actor: 'alice' }],
    ['a number', 1],
    ['a list', ['operate']],
    ['a function', () => 'operate'],
  ]
  for (const [name, value] of nonsense)
    it(`refuses with 503 for ${name}`, () =>
      withAuthorize((() => value) as Authorize, async (server) => {
        expect((await readApi(server, 'health')).status).toBe(503)
        expect((await send(server, 'get', '/admin/openapi.json')).status).toBe(503)
        expect(refusals(server)).toEqual(['undecided', 'undecided'])
      }))

  for (const [name, authorize] of [
    [
      'throws',
      () => {
        throw new Error('the session store is down')
      },
    ],
    ['rejects', () => Promise.reject(new Error('the session store is down'))],
    ['rejects with undefined', () => Promise.reject(undefined)],
  ] as readonly (readonly [string, Authorize])[])
    it(`refuses with 503 if it ${name}, and does not tell the sender why`, () =>
      withAuthorize(authorize, async (server) => {
        const { status, text } = await readApi(server, 'health')
        expect(status).toBe(503)
        expect(text).not.toContain('session store')
        expect(server.events.map(({ type }) => type)).toContain('configuration.advised')
      }))

  it('has errors whose messages no operator sees, and that fill no memory', () =>
    withAuthorize(
      (req) => JSON.parse(req.get('X-Session') ?? ''),
      async (server) => {
        for (let i = 0; i < 5; i += 1)
          expect((await readApi(server, 'health').set('X-Session', `session-${i}`)).status).toBe(503)
        const advised = server.events.flatMap((event) =>
          event.type === 'configuration.advised' ? [event.advice] : [],
        )
        expect(advised).toEqual(['authorize has thrown SyntaxError'])
      },
    ))

  itInAll('refuses with 503 if it does not answer within 5 seconds', () =>
    withAuthorize(
      () => new Promise(() => undefined),
      async (server) => {
        const before = performance.now()
        expect((await readApi(server, 'health')).status).toBe(503)
        expect(performance.now() - before).toBeGreaterThan(4_900)
      },
    ),
  )

  it('sees the credentials that the request has', () => {
    const seen: unknown[] = []
    return withAuthorize(
      (req) => {
        seen.push(req.get('authorization'))
        return 'view'
      },
      async (server) => {
        await readApi(server, 'health').set('Authorization', 'Bearer session-of-alice')
        expect(seen).toEqual(['Bearer session-of-alice'])
      },
    )
  })
})

describe('the role view', () => {
  const lock = { clientId: 'ci-runner', reason: 'a test' }

  it('may read and may not act', async () => {
    const server = await startAdministration()
    try {
      expect((await readApi(server, 'locks').set(AS, 'victor')).status).toBe(200)
      const { status, body } = await act(server, 'clients/lock', lock).set(AS, 'victor')
      expect([status, body.detail]).toEqual([403, 'You may only read. To act, you need the role operate.'])
      expect(await server.keys.locks()).toEqual([])
      expect(refusals(server)).toEqual(['read_only'])
    } finally {
      await server.close()
    }
  })
})

it('shows no token that was sent in the path of a refused request', async () => {
  const server = await startAdministration({ page: true })
  try {
    await send(server, 'get', `/admin/assets/client-1.${'A'.repeat(43)}`)
    const [refused] = server.events.filter(({ type }) => type === 'administration.refused')
    expect(refused).toMatchObject({ path: '/assets/[redacted]' })
  } finally {
    await server.close()
  }
})

describe('a request from another site', () => {
  let server: RunningServer
  beforeAll(async () => {
    server = await startAdministration()
  })
  afterAll(() => server.close())

  const cases: readonly (readonly [name: string, headers: Record<string, string>, status: number])[] = [
    ['from the same origin', { 'Sec-Fetch-Site': 'same-origin' }, 200],
    ['that the user typed', { 'Sec-Fetch-Site': 'none' }, 200],
    ['from another site', { 'Sec-Fetch-Site': 'cross-site' }, 403],
    ['from another host of the same site', { 'Sec-Fetch-Site': 'same-site' }, 403],
    ['from no browser', {}, 200],
    ['with the origin of the page', { Origin: 'https://localhost:PORT' }, 200],
    ['with another origin', { Origin: 'https://evil.example' }, 403],
    ['with an opaque origin', { Origin: 'null' }, 403],
    ['with another port', { Origin: 'https://localhost:1' }, 403],
    [
      'with an origin that lies about the site',
      { Origin: 'https://evil.example', 'Sec-Fetch-Site': 'cross-site' },
      403,
    ],
  ]
  for (const [name, headers, status] of cases)
    it(`gets ${status} ${name}, to read and to act`, async () => {
      const own = Object.entries(headers).map(([field, value]) => [
        field,
        value.replace('PORT', String(server.port)),
      ])
      const set = Object.fromEntries(own)
      expect((await readApi(server, 'health').set(set)).status).toBe(status)
      const lock = { clientId: `client-${name}`, reason: 'a test' }
      expect((await act(server, 'clients/lock', lock).set(set)).status).toBe(status)
      expect((await server.keys.locks()).some(({ clientId }) => clientId === lock.clientId)).toBe(
        status === 200,
      )
    })

  it('cannot act with a form, which needs no permission of the browser', async () => {
    const { status } = await send(server, 'post', '/admin/api/clients/unlock')
      .set(AS, 'alice')
      .type('form')
      .send('clientId=ci-runner')
    expect(status).toBe(415)
  })
})
