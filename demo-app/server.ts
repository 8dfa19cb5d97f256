import { createServer as createHttpServer, type RequestListener } from 'node:http'
import { createServer as createHttpsServer } from 'node:https'
import type { Observer } from 'express-provisioning-keys'
import { demoApp } from './app'
import { localhostCertificate } from './certificate'
import { type ClientDatabase, enrol, openDatabase } from './database'
import type { Environment } from './environment'
import { listen } from './listener'
import type { Shared } from './redis'

/** Where a demo is reached. */
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

/** The demo, running in this process. */
export interface RunningDemo extends Origins {
  /** PEM, for whoever wants to trust it. */
  readonly certificate: string
  /** Has the readiness say no from now on. */
  drain(): void
  /** Closes both listeners; resolves when no connection is left, after a second at most unless more is given. */
  stop(graceMilliseconds?: number): Promise<void>
}

/**
 * Starts both listeners on one app.
 *
 * @throws EnvironmentError when a port or the database cannot be had; nothing is left open then
 */
export async function startDemo(
  environment: Environment,
  observer: Observer,
  shared?: Shared,
): Promise<RunningDemo> {
  const { database: path, clientId, clientSecret } = environment
  const database = path === undefined ? undefined : openDatabase(path, shared?.state.store)
  try {
    // Of several processes, the one that starts them has done it.
    if (shared === undefined) await (database && enrol(database.registry, clientId, clientSecret))
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
  const { key, cert } = shared?.certificate ?? (await localhostCertificate())
  let openFor: (app: RequestListener) => void = () => undefined
  // The issuer names the port, and a free one is known only once it is listened on: early requests wait for the app.
  const ready = new Promise<RequestListener>((resolve) => {
    openFor = resolve
  })
  const answer: RequestListener = (req, res) => void ready.then((app) => app(req, res))

  const https = await listen({
    variable: 'PORT',
    port: environment.port,
    createServer: () => createHttpsServer({ key, cert }, answer),
  })
  const http = await listen({
    variable: 'HTTP_PORT',
    port: environment.httpPort,
    createServer: () => createHttpServer(answer),
  }).catch(async (error) => {
    await https.close()
    throw error
  })

  const origins = originsOf({ port: https.port, httpPort: http.port })
  const registry = database?.registry ?? shared?.state.clients
  const { app, drain } = demoApp({ issuer: origins.origin, observer, ...environment, shared, registry })
  openFor(app)
  return {
    ...origins,
    certificate: cert,
    drain,
    async stop(graceMilliseconds) {
      drain()
      await Promise.all([https.close(graceMilliseconds), http.close(graceMilliseconds)])
      await database?.close()
    },
  }
}
