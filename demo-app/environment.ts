import { randomBytes } from 'node:crypto'

/** What the demo takes from its environment. */
export interface Environment {
  /** Of the HTTPS listener; 0: any that is free. */
  readonly port: number
  /** Of the cleartext listener. */
  readonly httpPort: number
  readonly clientId: string
  readonly clientSecret: string
  /** Whether the secret was made just now, so that a person must be shown it. */
  readonly isSecretRandom: boolean
  /** The file that keeps the clients; without one they are gone when the demo stops. */
  readonly database?: string
}

/** The environment does not let the demo run; the message says why in one line. */
export class EnvironmentError extends Error {
  override readonly name = 'EnvironmentError'
}

const DEFAULT_PORT = 8443
const DEFAULT_HTTP_PORT = 8080
const SHORTEST_SECRET = 24

/**
 * Reads the environment; a variable that is empty counts as unset.
 *
 * @throws EnvironmentError with every fault at once
 */
export function readEnvironment(env: NodeJS.ProcessEnv): Environment {
  const faults: string[] = []
  const port = readPort('PORT', env, DEFAULT_PORT, faults)
  const httpPort = readPort('HTTP_PORT', env, DEFAULT_HTTP_PORT, faults)
  if (port === httpPort && port !== 0) {
    faults.push(`HTTP_PORT: expected another port than PORT, got ${port} for both`)
  }
  const clientId = env.DEMO_CLIENT_ID || 'demo-client'
  if (!/^[\x20-\x7e]{1,255}$/.test(clientId)) {
    faults.push(`DEMO_CLIENT_ID: expected 1 to 255 printable ASCII characters, got ${quote(clientId)}`)
  }
  const givenSecret = env.DEMO_CLIENT_SECRET || undefined
  if (givenSecret !== undefined && givenSecret.length < SHORTEST_SECRET) {
    const expected = `at least ${SHORTEST_SECRET} characters (generate one: openssl rand -hex 32)`
    faults.push(`DEMO_CLIENT_SECRET: expected ${expected}, got ${givenSecret.length}`)
  }
  if (faults.length > 0) throw new EnvironmentError(faults.join('; '))
  const clientSecret = givenSecret ?? randomBytes(32).toString('base64url')
  const isSecretRandom = givenSecret === undefined
  const database = env.DEMO_DATABASE ? { database: env.DEMO_DATABASE } : {}
  return { port, httpPort, clientId, clientSecret, isSecretRandom, ...database }
}

/** @throws EnvironmentError when there are arguments: everything is set in the environment */
export function refuseArguments(arguments_: readonly string[]): void {
  const [first] = arguments_
  if (first === undefined) return
  const variables = 'PORT, HTTP_PORT, DEMO_CLIENT_ID, DEMO_CLIENT_SECRET, DEMO_DATABASE'
  throw new EnvironmentError(`expected no arguments but the environment (${variables}), got ${quote(first)}`)
}

function readPort(name: string, env: NodeJS.ProcessEnv, otherwise: number, faults: string[]): number {
  const text = env[name] || String(otherwise)
  const port = /^\d{1,5}$/.test(text) ? Number(text) : Number.NaN
  if (port <= 65535) return port
  faults.push(`${name}: expected a port from 0 (any that is free) to 65535, got ${quote(text)}`)
  return Number.NaN
}

/** One line of printable ASCII, whatever the value is. */
export function quote(text: string): string {
  const printable = JSON.stringify(text).replace(/[^\x20-\x7e]/g, '?')
  return printable.length > 40 ? `${printable.slice(0, 36)}..."` : printable
}
