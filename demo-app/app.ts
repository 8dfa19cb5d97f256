import express, { type ErrorRequestHandler, type Express, type RequestHandler, type Router } from 'express'
import {
  type ClientRegistry,
  getAccessToken,
  getProvisioning,
  type Observer,
  type PolicyOptions,
  type ProvisioningKeys,
  provisioningKeys,
  type SigningKeyInput,
  type TelemetryOptions,
} from 'express-provisioning-keys'
import { type Devices, devicesInMemory, isDeviceName } from './devices'
import { demoMetrics } from './metrics'
import type { Shared } from './redis'

export interface DemoOptions {
  /** `https://localhost:PORT`. Also the audience of the routes in this app. */
  readonly issuer: string
  readonly clientId: string
  readonly clientSecret: string
  readonly observer: Observer
  readonly signingKey: SigningKeyInput
  /** The state that several processes share. Default: none, for a single process. */
  readonly shared?: Shared | undefined
  /** Stores all clients, including the demo's own. Default: in memory. */
  readonly registry?: ClientRegistry | undefined
}

export const DEMO_NAME = 'express-provisioning-keys demo'

/** The scopes that the demo's client may request: three for the library's endpoints, two for the routes of this app. */
export const SCOPES = [
  ...['provision:bind', 'provision:register', 'provision:token'],
  ...['devices:create', 'config:read'],
]

/** What the demo's client may have beyond the policy of the deployment. */
export const CLIENT_POLICY: PolicyOptions = {
  defaultScopes: ['provision:token', 'config:read'],
  accessTokenScopes: ['config:read'],
  subjects: ['device:*'],
}

function demoKeys(
  { issuer, clientId, clientSecret, ...demo }: DemoOptions,
  telemetry: TelemetryOptions,
): ProvisioningKeys {
  const { observer, signingKey, shared, registry } = demo
  return provisioningKeys({
    issuer,
    audience: [issuer, warehouseOf(issuer)],
    signingKeys: signingKey,
    policy: { scopes: SCOPES },
    clients: registry ?? [{ clientId, clientSecret, policy: CLIENT_POLICY }],
    ...(shared && { store: shared.state.store, rateLimit: { store: shared.state.limits } }),
    observer,
    telemetry,
    monitoring: { detailedRefusals: DETAILED_REFUSALS },
  })
}

/** All requests to the demo come from one machine, and its user wants to see each refusal. */
const DETAILED_REFUSALS = 1000

/** A second audience, to show that a key for one audience is rejected at the other. */
function warehouseOf(issuer: string): string {
  return `${issuer}/warehouse`
}

/** The app, and what its operator uses. */
export interface DemoApp {
  readonly app: Express
  /** The same app behind a proxy on this machine: it takes the address of a client from `X-Forwarded-For`. */
  readonly proxiedApp: Express
  readonly keys: ProvisioningKeys
}

/** An Express app that issues provisioning keys, guards routes with them, and redeems them. */
export function demoApp(options: DemoOptions): DemoApp {
  const { issuer } = options
  const metrics = demoMetrics()
  const keys = demoKeys(options, metrics.telemetry)
  const routes = express.Router()
  routes.get('/ready', keys.readiness())
  routes.use(keys.securityHeaders(), keys.enforceHttps())
  routes.use(keys.router())
  // Only this machine can reach the demo. In production, serve the metrics where only Prometheus can reach them.
  routes.get('/metrics', metrics.serve)
  routes.get('/', (_req, res) => {
    res.json(describeDemo(issuer))
  })
  routes.use(keyRoutes(keys, issuer, options.shared?.state.devices ?? devicesInMemory()))
  routes.use(tokenRoute(keys, issuer))
  routes.use(answerUnknownPath)
  routes.use(keys.errorHandler(), answerOtherErrors)
  const proxiedApp = express().set('trust proxy', 'loopback').use(routes)
  return { app: express().use(routes), proxiedApp, keys }
}

/** The routes that accept provisioning keys. */
function keyRoutes(keys: ProvisioningKeys, issuer: string, devices: Devices): Router {
  const forDevices = { scope: 'devices:create', audience: issuer }
  const forWarehouse = { anyScope: true, audience: warehouseOf(issuer) } as const
  const answerIdentity: RequestHandler = (req, res) => {
    res.json(req.provisioning)
  }
  const router = express.Router()
  router.get('/whoami', keys.requireProvisioningKey(forDevices), answerIdentity)
  router.get('/warehouse/whoami', keys.requireProvisioningKey(forWarehouse), answerIdentity)
  router.get('/devices', keys.requireProvisioningKey(forDevices), async (req, res) => {
    res.json(await devices.ownedBy(getProvisioning(req).subject))
  })
  // A 201 redeems the key; the 400 releases it.
  router.post('/devices', keys.redeemProvisioningKey(forDevices), express.json(), async (req, res) => {
    const name: unknown = req.body?.name
    if (isDeviceName(name)) res.status(201).json(await devices.create(getProvisioning(req).subject, name))
    else
      res.status(400).json({
        error: 'invalid_request',
        error_description: 'name: expected 1 to 64 characters',
      })
  })
  return router
}

/** The API behind all of this: it accepts the access tokens that keys are exchanged for. */
function tokenRoute(keys: ProvisioningKeys, issuer: string): Router {
  const guard = keys.requireAccessToken({ scope: 'config:read', audience: issuer })
  return express.Router().get('/api/device-config', guard, (req, res) => {
    res.json({ device: getAccessToken(req).subject, report_every_seconds: 60 })
  })
}

const answerUnknownPath: RequestHandler = (_req, res) => {
  res.status(404).json({ error: 'not_found', error_description: 'GET / lists the routes.' })
}

/** Replaces Express's error handler, which would send the stack. */
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
      'GET /ready': 'answers 200 while this process can serve requests, else 503',
      'GET /metrics': 'returns the metrics of this process for Prometheus',
      'GET /whoami': 'returns the identity of a key with the scope devices:create',
      'GET /devices': 'lists the devices of that identity',
      'POST /devices': 'redeems such a key and creates a device from {"name": "..."}',
      'GET /api/device-config': 'requires an access token with the scope config:read',
      'GET /warehouse/whoami': `like /whoami, for keys with the audience ${warehouseOf(issuer)}`,
    },
  }
}
