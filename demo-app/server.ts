import { createServer as createHttpServer, type RequestListener } from 'node:http'
import { createServer as createHttpsServer } from 'node:https'
import type { Observer } from 'express-provisioning-keys'
import { demoApp } from './app'
import { type Certificate, localhostCertificate } from './certificate'
import { type ClientDatabase, openDatabase, saveConfiguredClient } from './database'
import type { Environment } from './environment'
import { type Listener, listen } from './listener'
import type { Shared } from './redis'

/** The addresses of a demo. */
export interface Origins {
  /** `https://localhost:PORT`. */
  readonly origin: string
  /** `http://localhost:HTTP_PORT`. */
  readonly cleartextOrigin: string
}

export function originsOf({ port, httpPort }: Pick<Environment, 'port' | 'httpPort'>): Origins {
  const { origin } = new URL(`https://localhost:${port}`)
  return { origin, cleartextOrigin: new URL(`http://localhost:${httpPort}`).origin }
}

/** A demo that runs in this process. */
export interface RunningDemo extends Origins {
  /** PEM, for clients that verify it. */
  readonly certificate: string
  /** Makes `GET /ready` answer 503 from now on. */
  drain(): void
  /** Closes all connections, those with requests after the grace period at the latest. Default: 1 second. */
  stop(graceMilliseconds?: number): Promise<void>
}

/**
 * Starts an app that listens for HTTPS and for plain HTTP.
 *
 * @throws EnvironmentError if a port or the database is not available; nothing stays open then
 */
export async function startDemo(
  environment: Environment,
  observer: Observer,
  shared?: Shared,
): Promise<RunningDemo> {
  const { database: path, clientId, clientSecret } = environment
  const database = path === undefined ? undefined : openDatabase(path, shared?.state.store)
  try {
    // With several workers, the primary process has done this.
    if (shared === undefined)
      await (database && saveConfiguredClient(database.registry, clientId, clientSecret))
    return await startWith({ environment, observer, shared, database })
  } catch (error) {
    await database?.close()
    throw error
  }
}

interface DemoParts {
  readonly environment: Environment
  readonly observer: Observer
  readonly shared: Shared | undefined
  readonly database: ClientDatabase | undefined
}

async function startWith({ environment, observer, shared, database }: DemoParts): Promise<RunningDemo> {
  const certificate = shared?.certificate ?? (await localhostCertificate())
  // The issuer contains the port. A free port is known only after listening, so early requests wait for the app.
  let provideApp: (app: RequestListener) => void = () => undefined
  const app = new Promise<RequestListener>((resolve) => {
    provideApp = resolve
  })
  const listeners = await openListeners(environment, certificate, (req, res) => {
    void app.then((answer) => answer(req, res))
  })
  const [https, http] = listeners
  const origins = originsOf({ port: https.port, httpPort: http.port })
  const registry = database?.registry ?? shared?.state.clients
  const demo = demoApp({ issuer: origins.origin, observer, ...environment, shared, registry })
  provideApp(demo.app)
  return {
    ...origins,
    certificate: certificate.cert,
    drain: demo.drain,
    async stop(graceMilliseconds) {
      demo.drain()
      await Promise.all(listeners.map((listener) => listener.close(graceMilliseconds)))
      await database?.close()
    },
  }
}

async function openListeners(
  { port, httpPort }: Environment,
  certificate: Certificate,
  answer: RequestListener,
): Promise<readonly [https: Listener, http: Listener]> {
  const createHttps = () => createHttpsServer(certificate, answer)
  const https = await listen({ variable: 'PORT', port, createServer: createHttps })
  const createHttp = () => createHttpServer(answer)
  const http = await listen({ variable: 'HTTP_PORT', port: httpPort, createServer: createHttp }).catch(
    async (error) => {
      await https.close()
      throw error
    },
  )
  return [https, http]
}
