import { createServer as createHttpServer, type RequestListener } from 'node:http'
import { createServer as createHttpsServer } from 'node:https'
import type { Observer } from 'express-provisioning-keys'
import { demoApp } from './app'
import { localhostCertificate } from './certificate'
import { type ClientDatabase, enrol, openDatabase } from './database'
import type { Environment } from './environment'
import { listen } from './listener'

/** The demo, running in this process. */
export interface RunningDemo {
  /** `https://localhost:PORT`. */
  readonly origin: string
  /** `http://localhost:HTTP_PORT`. */
  readonly cleartextOrigin: string
  /** PEM, for whoever wants to trust it. */
  readonly certificate: string
  /** Closes both listeners; resolves when no connection is left, after a second at most. */
  stop(): Promise<void>
}

/**
 * Starts both listeners on one app.
 *
 * @throws EnvironmentError when a port or the database cannot be had; nothing is left open then
 */
export async function startDemo(environment: Environment, observer: Observer): Promise<RunningDemo> {
  const { database: path, clientId, clientSecret } = environment
  const database = path === undefined ? undefined : openDatabase(path)
  try {
    await (database && enrol(database.registry, clientId, clientSecret))
    return await startWith(environment, observer, database)
  } catch (error) {
    await database?.close()
    throw error
  }
}

async function startWith(
  environment: Environment,
  observer: Observer,
  database: ClientDatabase | undefined,
): Promise<RunningDemo> {
  const { key, cert } = await localhostCertificate()
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

  const { origin } = new URL(`https://localhost:${https.port}`)
  openFor(demoApp({ issuer: origin, observer, ...environment, registry: database?.registry }))
  return {
    origin,
    cleartextOrigin: new URL(`http://localhost:${http.port}`).origin,
    certificate: cert,
    async stop() {
      await Promise.all([https.close(), http.close()])
      await database?.close()
    },
  }
}
