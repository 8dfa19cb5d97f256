import { generateKeyPairSync } from 'node:crypto'
import { createServer as createHttpServer, type RequestListener } from 'node:http'
import { createServer as createHttpsServer } from 'node:https'
import type { Observer } from 'express-provisioning-keys'
import { demoApp } from './app'
import { type Certificate, localhostCertificate } from './certificate'
import { type ClientDatabase, openDatabase, saveConfiguredClient } from './database'
import type { Environment } from './environment'
import { type Listener, listen } from './listener'
import type { Shared } from './redis'
import { type Pace, SLOW } from './story/pace'
import { startStory } from './story/story'

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
  /** The link to the story, with its token, if the demo has one. */
  readonly storyUrl: string | undefined
  /** Makes `GET /ready` answer 503 from now on. */
  drain(): void
  /** Closes all connections, those with requests after the grace period at the latest. Default: 1 second. */
  stop(graceMilliseconds?: number): Promise<void>
}

export interface StartOptions {
  readonly observer: Observer
  /** The state that several processes share. Default: none, for a single process. */
  readonly shared?: Shared
  /** Whether the listener for plain HTTP serves the story too. Default: no. */
  readonly hasStory?: boolean
  /** How fast the story plays all of its scenes. Default: so that a person can follow. */
  readonly pace?: Pace
}

/**
 * Starts an app that listens for HTTPS and for plain HTTP.
 *
 * @throws EnvironmentError if a port or the database is not available; nothing stays open then
 */
export async function startDemo(environment: Environment, options: StartOptions): Promise<RunningDemo> {
  const { database: path, clientId, clientSecret } = environment
  const database = path === undefined ? undefined : openDatabase(path, options.shared?.state.store)
  try {
    // With several workers, the primary process has done this.
    if (options.shared === undefined)
      await (database && saveConfiguredClient(database.registry, clientId, clientSecret))
    return await startWith({ ...options, environment, database })
  } catch (error) {
    await database?.close()
    throw error
  }
}

interface DemoParts extends StartOptions {
  readonly environment: Environment
  readonly database: ClientDatabase | undefined
}

async function startWith({ environment, database, ...options }: DemoParts): Promise<RunningDemo> {
  const { observer, shared, hasStory, pace = SLOW } = options
  const certificate = shared?.certificate ?? (await localhostCertificate())
  // The issuer contains the port. A free port is known only after listening, so early requests wait for the app.
  let provide: (answers: Answers) => void = () => undefined
  const answers = new Promise<Answers>((resolve) => {
    provide = resolve
  })
  const listeners = await openListeners(environment, certificate, answers)
  const [https, http] = listeners
  const origins = originsOf({ port: https.port, httpPort: http.port })
  const registry = database?.registry ?? shared?.state.clients
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const signingKey = shared?.signingKey ?? privateKey
  const demo = demoApp({ issuer: origins.origin, observer, signingKey, ...environment, shared, registry })
  const closeListeners = (grace?: number) => Promise.all(listeners.map((listener) => listener.close(grace)))
  const parts = { ...origins, ...environment, certificate, demo, signingKey: privateKey, pace }
  const story = hasStory ? await startStory(parts, closeListeners) : undefined
  provide({ https: demo.app, http: story?.answer ?? demo.app })
  return {
    ...origins,
    certificate: certificate.cert,
    storyUrl: story?.url,
    drain: demo.keys.drain,
    async stop(graceMilliseconds) {
      demo.keys.drain()
      await Promise.all([story?.close(), closeListeners(graceMilliseconds)])
      await demo.keys.finish()
      await database?.close()
    },
  }
}

/** What each listener answers with. */
interface Answers {
  readonly https: RequestListener
  readonly http: RequestListener
}

async function openListeners(
  { port, httpPort }: Environment,
  certificate: Certificate,
  answers: Promise<Answers>,
): Promise<readonly [https: Listener, http: Listener]> {
  const answerBy =
    (name: keyof Answers): RequestListener =>
    (req, res) =>
      void answers.then((answer) => answer[name](req, res))
  const createHttps = () => createHttpsServer(certificate, answerBy('https'))
  const https = await listen({ variable: 'PORT', port, createServer: createHttps })
  const createHttp = () => createHttpServer(answerBy('http'))
  const http = await listen({ variable: 'HTTP_PORT', port: httpPort, createServer: createHttp }).catch(
    async (error) => {
      await https.close()
      throw error
    },
  )
  return [https, http]
}
