import { randomBytes } from 'node:crypto'

/** The settings of the demo, from environment variables. */
export interface Environment {
  /** The port for HTTPS; 0 means any free port. */
  readonly port: number
  /** The port for plain HTTP; 0 means any free port. */
  readonly httpPort: number
  readonly clientId: string
  readonly clientSecret: string
  /** Whether the demo generated the secret, so that it must print it. */
  readonly isSecretRandom: boolean
  /** The file that stores the clients. Default: they are lost when the demo stops. */
  readonly database?: string
}

/** The demo cannot run with these settings or on this machine; the message says why, without a stack. */
export class EnvironmentError extends Error {
  override readonly name = 'EnvironmentError'
}

/** Where the demo listens, and where the tour looks for it. */
export const DEFAULT_PORT = 8443
const DEFAULT_HTTP_PORT = 8080
const MIN_SECRET_LENGTH = 24

/**
 * Reads the settings. An empty variable counts as unset.
 *
 * @throws EnvironmentError that lists all invalid settings
 */
export function readEnvironment(env: NodeJS.ProcessEnv): Environment {
  const faults: string[] = []
  const port = readPort('PORT', env, DEFAULT_PORT, faults)
  const httpPort = readPort('HTTP_PORT', env, DEFAULT_HTTP_PORT, faults)
  if (port === httpPort && port !== 0) {
    faults.push(`HTTP_PORT: expected a port other than PORT, got ${port} for both`)
  }
  const clientId = env.DEMO_CLIENT_ID || 'demo-client'
  if (!/^[\x20-\x7e]{1,255}$/.test(clientId)) {
    faults.push(`DEMO_CLIENT_ID: expected 1 to 255 printable ASCII characters, got ${quote(clientId)}`)
  }
  const givenSecret = env.DEMO_CLIENT_SECRET || undefined
  if (givenSecret !== undefined && givenSecret.length < MIN_SECRET_LENGTH) {
    const expected = `at least ${MIN_SECRET_LENGTH} characters (generate one: openssl rand -hex 32)`
    faults.push(`DEMO_CLIENT_SECRET: expected ${expected}, got ${givenSecret.length}`)
  }
  if (faults.length > 0) throw new EnvironmentError(faults.join('; '))
  const clientSecret = givenSecret ?? randomBytes(32).toString('base64url')
  const isSecretRandom = givenSecret === undefined
  const database = env.DEMO_DATABASE ? { database: env.DEMO_DATABASE } : {}
  return { port, httpPort, clientId, clientSecret, isSecretRandom, ...database }
}

/** @throws EnvironmentError if there are arguments: all settings are environment variables */
export function refuseArguments(arguments_: readonly string[]): void {
  const [first] = arguments_
  if (first === undefined) return
  const variables = 'PORT, HTTP_PORT, DEMO_CLIENT_ID, DEMO_CLIENT_SECRET, DEMO_DATABASE'
  throw new EnvironmentError(
    `unexpected argument ${quote(first)}; set environment variables instead: ${variables}`,
  )
}

function readPort(name: string, env: NodeJS.ProcessEnv, fallback: number, faults: string[]): number {
  const text = env[name] || String(fallback)
  const port = /^\d{1,5}$/.test(text) ? Number(text) : Number.NaN
  if (port <= 65535) return port
  faults.push(`${name}: expected a port from 0 (any free port) to 65535, got ${quote(text)}`)
  return Number.NaN
}

/** Quotes any value as at most 40 printable ASCII characters. */
export function quote(text: string): string {
  const printable = JSON.stringify(text).replace(/[^\x20-\x7e]/g, '?')
  return printable.length > 40 ? `${printable.slice(0, 36)}..."` : printable
}
