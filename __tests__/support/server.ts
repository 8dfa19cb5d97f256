import { generateKeyPairSync, type KeyObject } from 'node:crypto'
import { createServer as createHttpServer } from 'node:http'
import { createServer, type Server, type ServerOptions } from 'node:https'
import type { AddressInfo } from 'node:net'
import express, { type Express } from 'express'
import {
  type ProvisioningEvent,
  type ProvisioningKeys,
  type ProvisioningOptions,
  provisioningKeys,
} from '../../lib/index.js'
import { makeAuthority } from './certificates.js'

export const ISSUER = 'https://auth.example.com'
export const AUDIENCE = 'https://api.example.com'
export const OTHER_AUDIENCE = 'https://other.example.com/things'
export const SECRET = 'correct-horse-battery-staple'
export const CLIENT = 'ci-runner'

/** The signing key of all test servers, so that tests can forge tokens. */
export const SIGNING_KEY: KeyObject = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey

const SCOPES = ['provision:token', 'provision:bind', 'provision:register', 'devices:create', 'devices:read']

/** The policy of these options, and a scope for a guard that no client asks for. */
export const WITH_ADMIN = { scopes: [...SCOPES, 'admin'] }

/** Options that work, with a client that may have every scope of the tests. */
export function workingOptions(overrides: Partial<ProvisioningOptions> = {}): ProvisioningOptions {
  return {
    issuer: ISSUER,
    audience: [AUDIENCE, OTHER_AUDIENCE],
    signingKeys: SIGNING_KEY,
    rateLimit: false,
    // Rules add events, and tests refuse more requests of one address than observers would get in detail.
    monitoring: false,
    policy: { scopes: SCOPES },
    clients: [
      {
        clientId: CLIENT,
        clientSecret: SECRET,
        policy: { defaultScopes: ['provision:token', 'devices:read'], subjects: ['device:*', 'gateway-1'] },
      },
      {
        clientId: 'bystander',
        clientSecret: SECRET,
        policy: { scopes: ['provision:token', 'devices:read'] },
      },
    ],
    ...overrides,
  }
}

let certificate: { key: string; cert: string } | undefined

/** A certificate for the names of this machine, made once per test file. */
export function localCertificate(): { key: string; cert: string } {
  certificate ??= makeAuthority('localhost', {
    names: [
      ['dns', 'localhost'],
      ['ip', Uint8Array.of(127, 0, 0, 1)],
    ],
  })
  return certificate
}

/** A real HTTPS server, the instance behind it, and all events so far. */
export interface RunningServer {
  readonly app: Express
  readonly keys: ProvisioningKeys
  readonly events: ProvisioningEvent[]
  readonly https: Server
  readonly port: number
  readonly origin: string
  readonly cert: string
  /** A cleartext listener for the same app. */
  openHttp(): Promise<number>
  close(): Promise<void>
}

export interface ServerPlan {
  readonly options?: Partial<ProvisioningOptions>
  /** Options that depend on the origin of the server, such as the issuer that a foreign client discovers. */
  readonly optionsAt?: (origin: string) => Partial<ProvisioningOptions>
  /** Options of TLS besides the certificate of the server. */
  readonly tls?: ServerOptions
  /** Mounts the instance. Default: the whole router, a guarded route and a redeeming route. */
  readonly mount?: (app: Express, keys: ProvisioningKeys) => void
}

export async function startServer({
  options,
  optionsAt = () => ({}),
  tls = {},
  mount = mountAll,
}: ServerPlan = {}): Promise<RunningServer> {
  const { key, cert } = localCertificate()
  const events: ProvisioningEvent[] = []
  const app = express()
  const https = lasting(createServer({ key, cert, ...tls }, app))
  await new Promise<void>((resolve) => https.listen(0, '127.0.0.1', resolve))
  const closers: (() => Promise<void>)[] = [() => closeServer(https)]
  const { port } = https.address() as AddressInfo
  const observer = (event: ProvisioningEvent) => events.push(event)
  const given = workingOptions({ observer, ...options, ...optionsAt(`https://localhost:${port}`) })
  const made = () => {
    const keys = provisioningKeys(given)
    mount(app, keys)
    return keys
  }
  const keys = await makeOrClose(made, https)
  return {
    app,
    keys,
    events,
    https,
    port,
    origin: `https://localhost:${port}`,
    cert,
    async openHttp() {
      const http = createHttpServer(app)
      await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve))
      closers.push(() => closeServer(http))
      return (http.address() as AddressInfo).port
    },
    close: async () => {
      await Promise.all(closers.map((close) => close()))
    },
  }
}

/** Keeps idle connections open. Otherwise the server could close one just when a test sends the next request. */
export function lasting<S extends { keepAliveTimeout: number }>(server: S): S {
  server.keepAliveTimeout = 0
  return server
}

/** Closes the server if options or guards are rejected. An open server would keep the test run alive. */
async function makeOrClose<T>(make: () => T, server: Server): Promise<T> {
  try {
    return make()
  } catch (fault) {
    await closeServer(server)
    throw fault
  }
}

/** Closes a server and its connections. */
export function closeServer(server: {
  close(done: () => void): unknown
  closeAllConnections(): void
}): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve())
    server.closeAllConnections()
  })
}

export function mountAll(app: Express, keys: ProvisioningKeys): void {
  app.use(keys.router())
  app.get(
    '/devices',
    keys.requireProvisioningKey({ scope: 'devices:read', audience: AUDIENCE }),
    (req, res) => {
      res.json(req.provisioning)
    },
  )
  app.post(
    '/devices',
    keys.redeemProvisioningKey({ scope: 'devices:create', audience: AUDIENCE }),
    (req, res) => {
      res.status(201).json({ created: req.provisioning?.subject })
    },
  )
  app.use(keys.errorHandler())
}
