import express, { type ErrorRequestHandler, type Express, type RequestHandler } from 'express'
import {
  type ClientRegistry,
  generateSigningKeys,
  getAccessToken,
  getProvisioning,
  type Observer,
  type PolicyOptions,
  type ProvisioningKeys,
  provisioningKeys,
} from 'express-provisioning-keys'
import { devicesInMemory, isDeviceName } from './devices'
import type { Shared } from './redis'

export interface DemoOptions {
  /** `https://localhost:PORT`: the issuer, and the audience of this app's own routes. */
  readonly issuer: string
  readonly clientId: string
  readonly clientSecret: string
  readonly observer: Observer
  /** What it shares with other processes. Default: nothing, it is one process. */
  readonly shared?: Shared | undefined
  /** Where the clients are kept, the demo's own among them; `undefined`: in memory. */
  readonly registry?: ClientRegistry | undefined
}

export const DEMO_NAME = 'express-provisioning-keys demo'

/** The scopes the demo's client may ask for: three for what the library does, two for what this app does. */
export const SCOPES = [
  ...['provision:bind', 'provision:register', 'provision:token'],
  ...['devices:create', 'config:read'],
]

/** What the demo's client may have, besides what everybody may. */
export const CLIENT_POLICY: PolicyOptions = {
  defaultScopes: ['provision:token', 'config:read'],
  accessTokenScopes: ['config:read'],
  subjects: ['device:*'],
}

function demoKeys({ issuer, clientId, clientSecret, ...demo }: DemoOptions): ProvisioningKeys {
  const { observer, shared, registry } = demo
  return provisioningKeys({
    issuer,
    audience: [issuer, warehouseOf(issuer)],
    signingKeys: shared?.signingKey ?? generateSigningKeys('ES256'),
    policy: { scopes: SCOPES },
    clients: registry ?? [{ clientId, clientSecret, policy: CLIENT_POLICY }],
    ...(shared && { store: shared.state.store, rateLimit: { store: shared.state.limits } }),
    observer,
  })
}

/** A second audience, so that a key for the one can be shown to be worth nothing at the other. */
function warehouseOf(issuer: string): string {
  return `${issuer}/warehouse`
}

/** The app, and what its operator does with it. */
export interface DemoApp {
  readonly app: Express
  /** Has the readiness say no from now on. */
  drain(): void
}

/** An Express app that issues provisioning keys, guards routes with them, and redeems them. */
export function demoApp(options: DemoOptions): DemoApp {
  const { issuer } = options
  const keys = demoKeys(options)
  const devices = options.shared?.state.devices ?? devicesInMemory()
  const mayCreateDevices = { scope: 'devices:create', audience: issuer }
  const app = express()

  app.get('/ready', keys.readiness())
  app.use(keys.securityHeaders(), keys.enforceHttps())
  app.use(keys.router())

  app.get('/', (_req, res) => {
    res.json(describeDemo(issuer))
  })

  app.get('/whoami', keys.requireProvisioningKey(mayCreateDevices), (req, res) => {
    res.json(req.provisioning)
  })

  app.get('/devices', keys.requireProvisioningKey(mayCreateDevices), async (req, res) => {
    res.json(await devices.ownedBy(getProvisioning(req).subject))
  })

  // The key is claimed before the body is read. A 201 redeems it; the 400 gives it back.
  app.post('/devices', keys.redeemProvisioningKey(mayCreateDevices), express.json(), async (req, res) => {
    const name: unknown = req.body?.name
    if (isDeviceName(name)) res.status(201).json(await devices.create(getProvisioning(req).subject, name))
    else res.status(400).json({ error: 'invalid_request', error_description: 'name: 1 to 64 characters' })
  })

  app.get('/warehouse/whoami', keys.requireProvisioningKey({ audience: warehouseOf(issuer) }), (req, res) => {
    res.json(req.provisioning)
  })

  // What all of this is for: an API that knows its callers by the access tokens that keys were redeemed for.
  const mayReadConfig = { scope: 'config:read', audience: issuer }
  app.get('/api/device-config', keys.requireAccessToken(mayReadConfig), (req, res) => {
    res.json({ device: getAccessToken(req).subject, report_every_seconds: 60 })
  })

  app.use(answerUnknownPath)
  app.use(keys.errorHandler(), answerOtherErrors)
  return { app, drain: keys.drain }
}

const answerUnknownPath: RequestHandler = (_req, res) => {
  res.status(404).json({ error: 'not_found', error_description: 'There is nothing here; see /.' })
}

/** Express's own error handler would send the stack. */
const answerOtherErrors: ErrorRequestHandler = (error, _req, res, next) => {
  if (res.headersSent) return next(error)
  const isClientsFault = error?.status >= 400 && error?.status < 500
  if (!isClientsFault) console.error('unexpected:', error instanceof Error ? error.message : 'not an error')
  res.status(isClientsFault ? error.status : 500)
  res.json({ error: isClientsFault ? 'invalid_request' : 'server_error' })
}

function describeDemo(issuer: string) {
  return {
    name: DEMO_NAME,
    issuer,
    metadata: `${issuer}/.well-known/oauth-authorization-server`,
    routes: {
      'GET /ready': 'answers 200 while requests can be served here, and 503 while they cannot',
      'GET /whoami': 'answers with the identity behind a key with the scope devices:create',
      'GET /devices': 'lists the devices of that identity',
      'POST /devices': 'redeems such a key, and creates a device: {"name": "..."}',
      'GET /api/device-config': 'answers to an access token with the scope config:read',
      'GET /warehouse/whoami': `the same as /whoami for a key whose audience is ${warehouseOf(issuer)}`,
    },
  }
}
