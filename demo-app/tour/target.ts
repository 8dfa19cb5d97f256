import type { ProvisioningEvent } from 'express-provisioning-keys'
import { DEMO_NAME } from '../app'
import { type Environment, EnvironmentError, readEnvironment } from '../environment'
import { startDemo } from '../server'
import { send, type Trust } from './send'
import type { Site } from './step'

/** The server the tour goes through. */
export interface Target {
  readonly site: Site
  readonly trust: Trust
  readonly description: string
  /** What the server has told its observers, as far as the tour is in its process. */
  readonly events?: ProvisioningEvent[]
  stop(): Promise<void>
}

const PROBE_MILLISECONDS = 1500

/**
 * A demo that runs already, where there is one and its secret is known; otherwise a fresh one, on free ports.
 *
 * @throws EnvironmentError
 */
export async function chooseTarget(env: NodeJS.ProcessEnv): Promise<Target> {
  const environment = readEnvironment(env)
  if (env.DEMO_URL) return namedTarget(env.DEMO_URL, environment)
  const isSecretKnown = !environment.isSecretRandom && environment.port !== 0
  const { origin } = new URL(`https://localhost:${environment.port}`)
  const issuer = isSecretKnown ? await issuerOfDemoAt(origin) : undefined
  return issuer === undefined ? freshTarget(environment) : runningTarget(issuer, environment)
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
  if (issuer === undefined) throw new EnvironmentError(`DEMO_URL: no demo answers at ${origin}`)
  return runningTarget(issuer, environment)
}

const LOOPBACK = new Set(['localhost', '127.0.0.1', '[::1]'])

/** The certificate of a demo in another process is not known, and need not be: nothing leaves this machine. */
const UNJUDGED: Trust = { rejectUnauthorized: false }

async function issuerOfDemoAt(origin: string): Promise<string | undefined> {
  const answer = await send({ method: 'GET', url: `${origin}/` }, UNJUDGED, PROBE_MILLISECONDS).catch(
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
    trust: UNJUDGED,
    description:
      `The demo that runs at ${origin}. Its certificate is not verified, which is fine for a connection that does ` +
      `not leave this machine. Its cleartext listener is taken to be ${cleartextOrigin} (HTTP_PORT). Its events ` +
      'appear where it runs.',
    stop: async () => undefined,
  }
}

async function freshTarget(environment: Environment): Promise<Target> {
  const events: ProvisioningEvent[] = []
  const demo = await startDemo({ ...environment, port: 0, httpPort: 0 }, (event) => events.push(event))
  const { origin, cleartextOrigin, certificate, stop } = demo
  const { clientId, clientSecret } = environment
  return {
    site: { origin, cleartextOrigin, clientId, clientSecret },
    trust: { ca: certificate },
    description:
      `A fresh demo at ${origin}, whose certificate is verified. For one that runs already, export its ` +
      'DEMO_CLIENT_SECRET, and DEMO_URL where it is not at https://localhost:8443.',
    events,
    stop,
  }
}
