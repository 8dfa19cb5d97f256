import { context, SpanStatusCode, trace } from '@opentelemetry/api'
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks'
import {
  BasicTracerProvider,
  InMemorySpanExporter,
  type ReadableSpan,
  SimpleSpanProcessor,
} from '@opentelemetry/sdk-trace-base'
import manifest from '../../../package.json'
import { askForKey, exchangeKey, obtainKey, send } from '../../support/requests.js'
import { AUDIENCE, type RunningServer, SECRET, startServer } from '../../support/server.js'

const exporter = new InMemorySpanExporter()
const tracerProvider = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] })
const ofHandler = tracerProvider.getTracer('handler')

let server: RunningServer

beforeAll(async () => {
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable())
  trace.setGlobalTracerProvider(tracerProvider)
  server = await startServer({
    // The API itself, as users pass it.
    options: { telemetry: { tracerProvider: trace } },
    mount(app, keys) {
      // What the instrumentation of HTTP does.
      app.use((_req, res, next) => {
        ofHandler.startActiveSpan('request', (span) => {
          res.once('close', () => span.end())
          next()
        })
      })
      app.use(keys.router())
      app.get(
        '/devices',
        keys.requireProvisioningKey({ scope: 'devices:read', audience: AUDIENCE }),
        (_req, res) => {
          ofHandler.startActiveSpan('work', (span) => span.end())
          res.json([])
        },
      )
      const redeem = { scope: 'devices:create', audience: AUDIENCE }
      app.post('/devices', keys.redeemProvisioningKey(redeem), (req, res) => {
        ofHandler.startActiveSpan('work', (span) => span.end())
        res.status(Number(req.query.status ?? 201)).end()
      })
      app.post(
        '/returned',
        keys.redeemProvisioningKey(redeem, async () => {
          ofHandler.startActiveSpan('work', (span) => span.end())
          return { status: 201, body: {} }
        }),
      )
    },
  })
})

afterAll(async () => {
  await server?.close()
  await tracerProvider.shutdown()
  trace.disable()
  context.disable()
})

beforeEach(() => exporter.reset())

const SPANS = /^provisioning_key\./

/** The spans of this library that have ended. */
const ours = () => exporter.getFinishedSpans().filter(({ name }) => SPANS.test(name))

/** The names from a span up to its root. */
function pathOf(span: ReadableSpan | undefined): string[] {
  if (span === undefined) return []
  const parent = exporter
    .getFinishedSpans()
    .find((one) => one.spanContext().spanId === span.parentSpanContext?.spanId)
  return [span.name, ...pathOf(parent)]
}

const spanNamed = (name: string) => exporter.getFinishedSpans().find((one) => one.name === name)

/** Until the span of the request has ended. */
const settled = () => new Promise((resolve) => setTimeout(resolve, 50))

const post = (path: string, key: string) => send(server, 'post', path).set('Authorization', `Bearer ${key}`)

describe('the spans', () => {
  it('are children of the request, and belong to the scope of this library', async () => {
    await obtainKey(server)
    await settled()
    const [issue] = ours()
    expect(pathOf(issue)).toEqual(['provisioning_key.issue', 'request'])
    expect(issue?.instrumentationScope).toMatchObject({ name: manifest.name, version: manifest.version })
    expect(issue?.status.code).toBe(SpanStatusCode.UNSET)
    expect(issue?.attributes).toEqual({
      'provisioning_key.id': expect.any(String),
      'provisioning_key.client_id': 'ci-runner',
    })
  })

  it('of a verification end before the handler begins', async () => {
    const key = await obtainKey(server, { scope: 'devices:read' })
    await send(server, 'get', '/devices').set('Authorization', `Bearer ${key}`).expect(200)
    await settled()
    expect(pathOf(spanNamed('provisioning_key.verify'))).toEqual(['provisioning_key.verify', 'request'])
    expect(pathOf(spanNamed('work'))).toEqual(['work', 'request'])
  })

  it.each(['/devices', '/returned'])(
    'of a redemption at %s include the work of the handler',
    async (path) => {
      const key = await obtainKey(server, { scope: 'devices:create' })
      await post(path, key).expect(201)
      await settled()
      expect(pathOf(spanNamed('work'))).toEqual(['work', 'provisioning_key.redeem', 'request'])
      expect(spanNamed('provisioning_key.redeem')?.attributes).toMatchObject({
        'provisioning_key.action': 'route',
        'provisioning_key.client_id': 'ci-runner',
      })
    },
  )

  it('of a released key say so', async () => {
    const key = await obtainKey(server, { scope: 'devices:create' })
    await post('/devices?status=422', key).expect(422)
    await settled()
    const span = spanNamed('provisioning_key.redeem')
    expect(span?.attributes['error.type']).toBe('released')
    expect(span?.status).toEqual({ code: SpanStatusCode.ERROR })
  })

  it('of a refused request have the reason, the key if it is known, and no message', async () => {
    const key = await obtainKey(server)
    await exchangeKey(server, key).expect(200)
    await exchangeKey(server, key).expect(400)
    await settled()
    const span = ours().at(-1)
    expect(span?.attributes).toEqual({
      'provisioning_key.action': 'token',
      'provisioning_key.id': expect.any(String),
      'provisioning_key.client_id': 'ci-runner',
      'error.type': 'key_redeemed',
    })
    expect(span?.status).toEqual({ code: SpanStatusCode.ERROR })
    expect(span?.events).toEqual([])
  })

  it('contain no key, no secret and nothing that a stranger wrote', async () => {
    const key = await obtainKey(server)
    await askForKey(server, {}, { id: 'stranger', secret: 'a-wrong-secret' }).expect(401)
    await post('/devices?status=201', 'junk').expect(401)
    await settled()
    const written = JSON.stringify(
      ours().map(({ name, attributes, status, events }) => ({ name, attributes, status, events })),
    )
    for (const text of [key, SECRET, 'a-wrong-secret', 'stranger', 'junk'])
      expect(written).not.toContain(text)
    expect(ours().map(({ attributes }) => attributes['error.type'])).toEqual([
      undefined,
      'client_unknown',
      'key_malformed',
    ])
  })
})
