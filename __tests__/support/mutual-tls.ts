import { type Agent, request, type ServerOptions } from 'node:https'
import type { ProvisioningOptions } from '../../lib/index.js'
import {
  type CertificatePlan,
  type IssuedCertificate,
  makeAuthority,
  makeCertificate,
} from './certificates.js'
import type { Answered } from './refusals/case.js'
import { AUDIENCE, type RunningServer, SECRET, startServer } from './server.js'

/** The authority for client certificates that test servers trust. */
export const AUTHORITY = makeAuthority()

/** The client that authenticates with a certificate of the authority. */
export const SENSOR = 'sensor-7'
export const SENSOR_NAME = 'sensor-7.example.com'

export function sensorCertificate(plan: CertificatePlan = {}): IssuedCertificate {
  return makeCertificate({ names: [['dns', SENSOR_NAME]], issuer: AUTHORITY, ...plan })
}

/** The client that authenticates with a self-signed certificate. */
export const PINNED = 'pinned'
export const PINNED_CERTIFICATE = makeCertificate()

const SCOPES = ['provision:token', 'provision:bind', 'provision:register', 'devices:create', 'devices:read']

/** One client of each kind. All may have every scope. */
export function certificateClients(): ProvisioningOptions['clients'] {
  const policy = { scopes: SCOPES, subjects: ['device:*'] }
  return [
    { clientId: SENSOR, metadata: { tls_client_auth_san_dns: SENSOR_NAME }, policy },
    {
      clientId: PINNED,
      authenticationMethods: ['self_signed_tls_client_auth'],
      jwks: { keys: [pinnedJwk(PINNED_CERTIFICATE)] },
      policy,
    },
    { clientId: 'secretive', clientSecret: SECRET, policy },
    { clientId: 'mtls-only', clientSecret: SECRET, policy: { ...policy, senderConstraint: 'mtls' } },
  ]
}

/** A key as a client registers it together with its certificate (RFC 7517 4.7). */
export function pinnedJwk({ publicKey, der }: IssuedCertificate) {
  return { ...publicKey.export({ format: 'jwk' }), x5c: [der.toString('base64')] }
}

/** A server that requests a client certificate and accepts any, or none. */
export function startMutualServer(
  options: Partial<ProvisioningOptions> = {},
  tls: ServerOptions = {},
): Promise<RunningServer> {
  return startServer({
    options: { audience: AUDIENCE, clients: certificateClients(), ...options },
    tls: { requestCert: true, rejectUnauthorized: false, ca: AUTHORITY.cert, ...tls },
  })
}

/** A request and its client certificate. */
export interface MutualRequest {
  readonly certificate?: IssuedCertificate | undefined
  readonly method?: 'GET' | 'POST'
  readonly path?: string
  readonly form?: Record<string, string>
  readonly json?: object
  /** Pairs, so that a name can occur twice. */
  readonly headers?: readonly string[]
  readonly agent?: Agent
}

/** Sends a request, by default over a new connection. */
export async function sendMutual(server: RunningServer, wanted: MutualRequest): Promise<Answered> {
  const {
    certificate,
    method = 'POST',
    path = '/oauth/token',
    form,
    json,
    headers = [],
    agent = false,
  } = wanted
  const body = form === undefined ? JSON.stringify(json) : new URLSearchParams(form).toString()
  const type = form === undefined ? [] : ['Content-Type', 'application/x-www-form-urlencoded']
  return new Promise((resolve, reject) => {
    const sent = request(`${server.origin}${path}`, {
      method,
      ca: server.cert,
      agent,
      headers: ['Host', 'localhost', 'Content-Length', String(body?.length ?? 0), ...type, ...headers],
      ...(certificate && { cert: certificate.cert, key: certificate.key }),
    })
    sent.on('error', reject)
    sent.on('response', (response) => {
      const chunks: Buffer[] = []
      response.on('data', (chunk: Buffer) => chunks.push(chunk))
      response.on('error', reject)
      response.on('end', () => {
        const text = Buffer.concat(chunks).toString('utf8')
        const status = response.statusCode ?? 0
        resolve({ status, body: text === '' ? {} : JSON.parse(text), headers: response.headers as never })
      })
    })
    sent.end(body)
  })
}

/** Asks for a key with a `client_id` and a certificate. */
export function askWith(
  server: RunningServer,
  certificate: IssuedCertificate | undefined,
  form: Record<string, string> = {},
  rest: MutualRequest = {},
): Promise<Answered> {
  const asked = { grant_type: 'client_credentials', client_id: SENSOR, scope: 'devices:read', ...form }
  return sendMutual(server, { certificate, form: asked, ...rest })
}

/** The header `Client-Cert` of a proxy (RFC 9440 2.2). */
export function clientCert(certificate: IssuedCertificate): string {
  return `:${certificate.der.toString('base64')}:`
}
