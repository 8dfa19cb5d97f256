import type { IncomingMessage, ServerResponse } from 'node:http'
import { createServer, type Server } from 'node:https'
import type { AddressInfo } from 'node:net'
import express, { type Express } from 'express'
import {
  type ProvisioningEvent,
  type ProvisioningKeyVerifier,
  type ProvisioningOptions,
  provisioningKeyVerifier,
  type VerifierOptions,
} from '../../lib/index.js'
import {
  AUDIENCE,
  closeServer,
  ISSUER,
  lasting,
  localCertificate,
  mountAll,
  type RunningServer,
  SECRET,
  startServer,
  workingOptions,
} from './server.js'
import { trustingFetch } from './trusting-fetch.js'

/** The client of the API for introspection. */
export const API = 'api'

/** An issuer that lets the API introspect keys for its audience. */
export function startIssuer(overrides: Partial<ProvisioningOptions> = {}): Promise<RunningServer> {
  const { clients, ...working } = workingOptions()
  const api = { clientId: API, clientSecret: SECRET, policy: { scopes: [], introspectAudiences: [AUDIENCE] } }
  const known = Array.isArray(clients) ? clients : []
  return startServer({ options: { ...working, clients: [...known, api], ...overrides }, mount: mountAll })
}

/** An API behind a verifier. */
export interface RunningApi {
  readonly verifier: ProvisioningKeyVerifier
  readonly events: ProvisioningEvent[]
  readonly app: Express
  readonly origin: string
  readonly cert: string
  readonly port: number
  close(): Promise<void>
}

/** Options of an API that asks an issuer for its signing keys and for the state of each key. */
export async function askingOptions(
  issuer: Pick<RunningServer, 'origin' | 'cert'>,
  overrides: Partial<VerifierOptions> = {},
): Promise<VerifierOptions> {
  return {
    issuer: ISSUER,
    audience: AUDIENCE,
    jwks: `${issuer.origin}/oauth/jwks`,
    introspection: {
      endpoint: `${issuer.origin}/oauth/introspect`,
      clientId: API,
      clientSecret: SECRET,
    },
    fetch: await trustingFetch(issuer.cert),
    rateLimit: false,
    monitoring: false,
    ...overrides,
  }
}

/** Starts an API with a guarded route, one behind an access token and, with a store, one that redeems. */
export async function startApi(options: VerifierOptions): Promise<RunningApi> {
  const events: ProvisioningEvent[] = []
  const verifier = provisioningKeyVerifier({ ...options, observer: (event) => events.push(event) })
  const app = express()
  app.use(verifier.metadata())
  app.get('/devices', verifier.requireProvisioningKey({ scope: 'devices:read' }), (req, res) => {
    res.json(req.provisioning)
  })
  app.get('/orders', verifier.requireAccessToken({ scope: 'devices:read' }), (req, res) => {
    res.json(req.accessToken)
  })
  if (options.store !== undefined) {
    app.post('/devices', verifier.redeemProvisioningKey({ scope: 'devices:create' }), (req, res) => {
      res.status(201).json({ created: req.provisioning?.subject })
    })
  }
  app.use(verifier.errorHandler())
  const { https, origin, cert, port } = await listen(app)
  return { verifier, events, app, origin, cert, port, close: () => closeServer(https) }
}

/** A server that answers instead of an issuer, and the number of its requests. */
export interface Impostor {
  readonly origin: string
  readonly cert: string
  readonly asked: () => number
  close(): Promise<void>
}

export type Answering = (req: IncomingMessage, res: ServerResponse) => void

export async function startImpostor(answering: Answering): Promise<Impostor> {
  let asked = 0
  const { https, origin, cert } = await listen((req, res) => {
    asked += 1
    answering(req, res)
  })
  return { origin, cert, asked: () => asked, close: () => closeServer(https) }
}

async function listen(
  answering: Answering,
): Promise<{ https: Server; origin: string; cert: string; port: number }> {
  const { key, cert } = localCertificate()
  const https = lasting(createServer({ key, cert }, answering))
  await new Promise<void>((resolve) => https.listen(0, '127.0.0.1', resolve))
  const { port } = https.address() as AddressInfo
  return { https, origin: `https://localhost:${port}`, cert, port }
}
