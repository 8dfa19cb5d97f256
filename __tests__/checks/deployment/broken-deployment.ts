import {
  createServer as createHttp,
  type IncomingMessage,
  request,
  type Server,
  type ServerResponse,
} from 'node:http'
import { createServer as createHttps, type ServerOptions } from 'node:https'
import type { AddressInfo } from 'node:net'
import express from 'express'
import type { DeploymentSettings } from '../../../lib/checks/deployment/session.js'
import { type ProvisioningOptions, provisioningKeys } from '../../../lib/index.js'
import { makeAuthority } from '../../support/certificates.js'
import { closeServer, SECRET, SIGNING_KEY } from '../../support/server.js'

/** A request on its way through the proxy. */
export interface ProxyRequest {
  readonly method: string
  readonly path: string
  /** As the deployment gets them. */
  readonly headers: Record<string, string | string[] | undefined>
  /** As the client has sent them. */
  readonly sent: Record<string, string | string[] | undefined>
  readonly form: URLSearchParams
  readonly text: string
}

/** An answer on its way back. */
export interface ProxyAnswer {
  readonly status: number
  readonly headers: Record<string, string | string[] | undefined>
  readonly text: string
}

/** What is broken in a deployment. */
export interface Breakage {
  /** Changes a request, or answers it. */
  readonly request?: (
    request: ProxyRequest,
  ) => Partial<ProxyRequest> & { readonly answer?: Partial<ProxyAnswer> }
  readonly answer?: (answer: ProxyAnswer, request: ProxyRequest) => Partial<ProxyAnswer>
  /** Options of the deployment behind the proxy. */
  readonly options?: Partial<ProvisioningOptions>
  readonly tls?: ServerOptions
  /** How long the certificate is still valid. Default: 90. */
  readonly certificateDays?: number
  /** Whether the port for plain HTTP serves what the other one serves. */
  readonly cleartext?: (request: ProxyRequest) => boolean
  readonly settings?: Partial<DeploymentSettings>
}

export interface RunningDeployment {
  readonly settings: DeploymentSettings
  breakWith(breakage: Breakage): void
  close(): Promise<void>
}

export const SCOPES = ['provision:token', 'devices:create', 'devices:read']

/** A real deployment behind a TLS proxy that can break one thing. The proxy overwrites `X-Forwarded-*`. */
export async function startDeployment(initial: Breakage = {}): Promise<RunningDeployment> {
  let broken = initial
  const app = express().set('trust proxy', 'loopback').disable('x-powered-by')
  const inner = await listening(createHttp(app))
  const handle = (isTls: boolean) => (req: IncomingMessage, res: ServerResponse) =>
    void pass({ req, res, isTls, broken, port: portOf(inner) }).catch(() => res.destroy())
  const { key, cert } = makeAuthority('localhost', {
    names: [['dns', 'localhost']],
    notAfter: daysFromNow(initial.certificateDays ?? 90),
  })
  const outer = await listening(createHttps({ key, cert, ...initial.tls }, handle(true)))
  const cleartext = await listening(createHttp(handle(false)))
  const issuer = `https://localhost:${portOf(outer)}`
  mount(app, issuer, initial.options)
  const settings: DeploymentSettings = {
    issuer,
    clientId: 'tester',
    clientSecret: SECRET,
    otherAudience: `${issuer}/other`,
    protectedUrl: undefined,
    cleartextPort: portOf(cleartext),
    devicePrefix: 'device:check-',
    waitSeconds: 0,
    trusted: async () => [cert],
  }
  return {
    settings: { ...settings, protectedUrl: `${issuer}/devices`, ...initial.settings },
    breakWith(breakage) {
      broken = breakage
    },
    close: async () => void (await Promise.all([inner, outer, cleartext].map(closeServer))),
  }
}

function mount(app: express.Express, issuer: string, options: Partial<ProvisioningOptions> = {}): void {
  const keys = provisioningKeys({
    issuer,
    audience: [issuer, `${issuer}/other`],
    signingKeys: SIGNING_KEY,
    policy: { scopes: [...SCOPES, 'provision:bind', 'provision:register'] },
    clients: [
      { clientId: 'tester', clientSecret: SECRET, policy: { defaultScopes: SCOPES, subjects: ['device:*'] } },
    ],
    rateLimit: { token: { limit: 10_000 } },
    ...options,
  })
  app.use(keys.router())
  app.get(
    '/devices',
    keys.requireProvisioningKey({ scope: 'devices:read', audience: issuer }),
    (_req, res) => {
      res.json([])
    },
  )
  app.use(keys.errorHandler())
}

interface Passing {
  readonly req: IncomingMessage
  readonly res: ServerResponse
  readonly isTls: boolean
  readonly broken: Breakage
  readonly port: number
}

async function pass({ req, res, isTls, broken, port }: Passing): Promise<void> {
  const text = await textOf(req)
  const { method = '', url: path = '', headersDistinct } = req
  const headers = Object.fromEntries(
    Object.entries(headersDistinct).map(([name, values = []]) => [
      name,
      values.length > 1 ? values : values[0],
    ]),
  )
  const received: ProxyRequest = {
    method,
    path,
    headers,
    sent: headers,
    text,
    form: new URLSearchParams(text),
  }
  const isSecure = isTls || broken.cleartext?.(received) === true
  const clean = { ...received, headers: { ...headers, ...forwarded(isSecure) } }
  const changed = broken.request?.(clean) ?? {}
  const answer =
    changed.answer !== undefined
      ? { status: 200, headers: JSON_TYPE, text: '{}', ...changed.answer }
      : await forward({ ...clean, ...changed }, port)
  const { status, headers: fields, text: body } = { ...answer, ...broken.answer?.(answer, clean) }
  const {
    'content-length': _,
    connection: __,
    'transfer-encoding': ___,
    ...kept
  } = fields as Record<string, unknown>
  res.writeHead(status, { ...(kept as object), 'Content-Length': Buffer.byteLength(body) }).end(body)
}

function daysFromNow(days: number): Date {
  return new Date(Date.now() + days * 86_400_000 + 3_600_000)
}

const JSON_TYPE = { 'content-type': 'application/json', 'cache-control': 'no-store' }

function forwarded(isSecure: boolean) {
  const none = { forwarded: undefined, 'x-forwarded-host': undefined, 'x-real-ip': undefined }
  return { ...none, 'x-forwarded-proto': isSecure ? 'https' : 'http', 'x-forwarded-for': '203.0.113.7' }
}

function forward({ method, path, headers, text }: ProxyRequest, port: number): Promise<ProxyAnswer> {
  const defined = Object.fromEntries(Object.entries(headers).filter(([, value]) => value !== undefined))
  const fields = { ...defined, 'content-length': String(Buffer.byteLength(text)) } as Record<string, string>
  return new Promise((resolve, reject) => {
    const sending = request({ port, method, path, headers: fields, host: '127.0.0.1' }, async (incoming) => {
      const { statusCode = 0, headers: received } = incoming
      resolve({ status: statusCode, headers: received, text: await textOf(incoming) })
    })
    sending.once('error', reject).end(text)
  })
}

async function textOf(stream: AsyncIterable<Buffer>): Promise<string> {
  const parts: Buffer[] = []
  for await (const part of stream) parts.push(part)
  return Buffer.concat(parts).toString('utf8')
}

async function listening<S extends Server>(server: S): Promise<S> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return server
}

function portOf(server: Server): number {
  return (server.address() as AddressInfo).port
}
