import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import express, { type Express } from 'express'
import {
  generateSigningKeys,
  type ProvisioningEvent,
  type ProvisioningKeys,
  type ProvisioningOptions,
  provisioningKeys,
} from '../../lib/index.js'
import { CLIENT, closeServer, lasting, SECRET } from './server.js'

/** A local deployment behind a real HTTP server. */
export interface LocalServer {
  readonly app: Express
  readonly keys: ProvisioningKeys
  readonly events: ProvisioningEvent[]
  readonly http: Server
  readonly port: number
  /** The issuer, and the only audience. */
  readonly origin: string
  close(): Promise<void>
}

/** @param host where it listens; the issuer is always `http://localhost` */
export async function startLocalServer(
  options: Partial<ProvisioningOptions> = {},
  host = '127.0.0.1',
): Promise<LocalServer> {
  const app = express()
  const http = lasting(createServer(app))
  await new Promise<void>((resolve) => http.listen(0, host, resolve))
  const { port } = http.address() as AddressInfo
  const origin = `http://localhost:${port}`
  const events: ProvisioningEvent[] = []
  const scopes = ['provision:token', 'provision:bind', 'provision:register', 'devices:create', 'devices:read']
  const keys = provisioningKeys({
    issuer: origin,
    audience: origin,
    signingKeys: generateSigningKeys('ES256'),
    clients: [{ clientId: CLIENT, clientSecret: SECRET, policy: { scopes } }],
    observer: (event) => events.push(event),
    ...options,
  })
  app.use(keys.router())
  app.post('/devices', keys.redeemProvisioningKey({ scope: 'devices:create' }), (req, res) => {
    res.status(201).json({ device: req.provisioning?.subject })
  })
  app.get('/devices', keys.requireAccessToken({ scope: 'devices:read' }), (req, res) => {
    res.json({ client: req.accessToken?.clientId })
  })
  return { app, keys, events, http, port, origin, close: () => closeServer(http) }
}
