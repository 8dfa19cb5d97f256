import type { ProvisioningEvent } from 'express-provisioning-keys'
import { DEMO_NAME } from '../app'
import { DEFAULT_PORT, type Environment, EnvironmentError, readEnvironment } from '../environment'
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
  const candidates = candidatesOf(environment)
  for (const origin of candidates) {
    const issuer = await issuerOfDemoAt(origin)
    if (issuer !== undefined) return runningTarget(issuer, environment)
  }
  return newTarget(environment, candidates)
}

/** Where a demo with the given secret may run. PORT may be set for another program, so the default counts too. */
export function candidatesOf({ port, isSecretRandom }: Environment): readonly string[] {
  if (isSecretRandom || port === 0) return []
  return [...new Set([port, DEFAULT_PORT])].map((one) => new URL(`https://localhost:${one}`).origin)
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
  if (issuer === undefined)
    throw new EnvironmentError(`DEMO_URL: there is no demo at ${origin}; start it, or unset DEMO_URL`)
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

/** @param tried the origins where no demo runs */
async function newTarget(environment: Environment, tried: readonly string[]): Promise<Target> {
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
    description: `Using a new demo at ${origin}. ${adviceFor(tried)}`,
    events,
    stop,
  }
}

/** How the tour finds a demo that is already running. */
export function adviceFor(tried: readonly string[]): string {
  if (tried.length === 0)
    return 'To use a demo that is already running, export its DEMO_CLIENT_SECRET and its DEMO_URL.'
  return `DEMO_CLIENT_SECRET is set, but no demo answers at ${tried.join(' or ')}. If yours runs elsewhere, export its DEMO_URL.`
}
