import type { ProvisioningEvent } from 'express-provisioning-keys'
import { DEMO_NAME } from '../app'
import { type Environment, EnvironmentError, readEnvironment } from '../environment'
import { type Route, send } from '../requests/send'
import type { Site } from '../requests/step'
import { startDemo } from '../server'

/** The server that the tour calls. */
export interface Target {
  readonly site: Site
  readonly route: Route
  readonly description: string
  /** The events of the server, if it runs in this process. */
  readonly events?: ProvisioningEvent[]
  stop(): Promise<void>
}

const PROBE_MILLISECONDS = 1500

/**
 * Uses a demo that is already running, if its secret is known. Otherwise starts one on free ports.
 *
 * @throws EnvironmentError
 */
export async function chooseTarget(env: NodeJS.ProcessEnv): Promise<Target> {
  const environment = readEnvironment(env)
  if (env.DEMO_URL) return namedTarget(env.DEMO_URL, environment)
  const isSecretKnown = !environment.isSecretRandom && environment.port !== 0
  const { origin } = new URL(`https://localhost:${environment.port}`)
  const issuer = isSecretKnown ? await issuerOfDemoAt(origin) : undefined
  return issuer === undefined ? newTarget(environment) : runningTarget(issuer, environment)
}

async function namedTarget(url: string, environment: Environment): Promise<Target> {
  const { protocol, hostname, pathname, origin } = URL.canParse(url) ? new URL(url) : new URL('none:')
  if (protocol !== 'https:' || !LOOPBACK.has(hostname) || pathname !== '/') {
    throw new EnvironmentError(
      'DEMO_URL: expected an https URL of this machine, such as https://localhost:8443',
    )
  }
  if (environment.isSecretRandom) {
    throw new EnvironmentError('DEMO_CLIENT_SECRET: expected the secret of the demo at DEMO_URL, got none')
  }
  const issuer = await issuerOfDemoAt(origin)
  if (issuer === undefined) throw new EnvironmentError(`DEMO_URL: there is no demo at ${origin}`)
  return runningTarget(issuer, environment)
}

const LOOPBACK = new Set(['localhost', '127.0.0.1', '[::1]'])

/** The tour does not know the certificate of a demo in another process. The connection stays on this machine. */
const UNVERIFIED: Route = { trust: { rejectUnauthorized: false } }

async function issuerOfDemoAt(origin: string): Promise<string | undefined> {
  const answer = await send({ method: 'GET', url: `${origin}/` }, UNVERIFIED, PROBE_MILLISECONDS).catch(
    () => undefined,
  )
  const { name, issuer } = answer?.members ?? {}
  const isOfThisMachine = typeof issuer === 'string' && LOOPBACK.has(new URL(issuer).hostname)
  return name === DEMO_NAME && isOfThisMachine ? issuer : undefined
}

function runningTarget(origin: string, { httpPort, clientId, clientSecret }: Environment): Target {
  const cleartextOrigin = new URL(`http://localhost:${httpPort}`).origin
  return {
    site: { origin, cleartextOrigin, clientId, clientSecret },
    route: UNVERIFIED,
    description:
      `Using the demo that is running at ${origin}. The tour does not verify its certificate, because the ` +
      `connection stays on this machine. It sends plain HTTP to ${cleartextOrigin}; set HTTP_PORT for another ` +
      'port. The page of the demo shows its events.',
    stop: async () => undefined,
  }
}

async function newTarget(environment: Environment): Promise<Target> {
  const events: ProvisioningEvent[] = []
  const demo = await startDemo(
    { ...environment, port: 0, httpPort: 0 },
    { observer: (event) => events.push(event) },
  )
  const { origin, cleartextOrigin, certificate, stop } = demo
  const { clientId, clientSecret } = environment
  return {
    site: { origin, cleartextOrigin, clientId, clientSecret },
    route: { trust: { ca: certificate } },
    description:
      `Using a new demo at ${origin}. To use a demo that is already running, export its DEMO_CLIENT_SECRET, ` +
      'and its DEMO_URL unless that is https://localhost:8443.',
    events,
    stop,
  }
}
