import { createSecretKey, type KeyObject, randomBytes } from 'node:crypto'
import express, { type Express } from 'express'
import { type Random, random } from '../faults/random'
import { httpContext } from '../lib/http/context.js'
import { guards } from '../lib/http/guards.js'
import { middlewares } from '../lib/http/middlewares.js'
import { routers } from '../lib/http/routers.js'
import { memoryStore, type ProvisioningEvent, type ProvisioningOptions } from '../lib/index.js'
import { startMonitoring } from '../lib/operations/monitoring.js'
import { parseOptions } from '../lib/options/options.js'
import { Requests } from './requests'
import { Timeline } from './timeline'

const ISSUER = 'https://auth.example.com'
export const OTHER_AUDIENCE = 'https://other.example.com'
export const DAY = 86_400_000
export const HOUR = 3_600_000
export const MINUTE = 60_000
export const SECOND = 1_000

/** Monday, 3 November 2025, 0:00 UTC. */
export const START = Date.UTC(2025, 10, 3)

/** A finding, as the event that opened it. */
export interface OpenedFinding {
  readonly rule: string
  readonly subject: string
  readonly at: number
}

/** A simulated deployment: the real library in a real Express app, with a clock that the simulation sets. */
export interface World {
  readonly timeline: Timeline
  readonly random: Random
  readonly requests: Requests
  /** The private key of the server, for attackers who have stolen it. */
  readonly signingKey: KeyObject
  readonly findings: readonly OpenedFinding[]
  /** Plans something for a time after the start of the simulation. */
  plan(milliseconds: number, act: () => unknown): void
}

type Clients = Extract<ProvisioningOptions['clients'], readonly unknown[]>

export interface WorldOptions {
  readonly seed: number
  readonly clients: Clients
  readonly canaries: readonly string[]
}

const SCOPES = ['provision:token', 'provision:bind', 'provision:register', 'devices:read']

export function createWorld({ seed, clients, canaries }: WorldOptions): World {
  const timeline = new Timeline(START)
  const findings: OpenedFinding[] = []
  const now = () => timeline.now
  const signingKey = createSecretKey(randomBytes(32))
  const observe = (event: ProvisioningEvent) => {
    if (event.type !== 'finding.opened') return
    findings.push({ rule: event.rule, subject: event.subject, at: event.firstAt * SECOND })
  }
  const app = deploy(timeline, {
    issuer: ISSUER,
    audience: [ISSUER, OTHER_AUDIENCE],
    signingKeys: signingKey,
    environment: 'production',
    clients,
    policy: {
      scopes: SCOPES,
      defaultScopes: SCOPES,
      maxLifetimeSeconds: 3_600,
      accessTokenLifetimeSeconds: 3_600,
    },
    // Its limits count in real time, and would see a week as a minute.
    rateLimit: false,
    store: memoryStore({ now }),
    monitoring: { canaries },
    observer: observe,
    now,
  })
  return {
    timeline,
    random: random(seed),
    requests: new Requests(app, timeline),
    signingKey,
    findings,
    plan: (milliseconds, act) => timeline.at(START + milliseconds, act),
  }
}

/** The same as `provisioningKeys()`, but the timers of monitoring follow the simulated clock. */
function deploy(timeline: Timeline, options: ProvisioningOptions): Express {
  const config = parseOptions(options)
  const context = httpContext(config)
  if (config.monitoring !== false)
    startMonitoring(config.deployment, config.events, config.monitoring, {
      run: (work) => context.background.run(work),
      schedule: (work, milliseconds) => timeline.after(milliseconds, work),
    })
  const app = express()
  app.use(routers(context).router())
  const { requireProvisioningKey, requireAccessToken } = guards(context)
  app.get('/devices', requireProvisioningKey({ scope: 'devices:read', audience: ISSUER }), (_req, res) =>
    res.json({ devices: [] }),
  )
  app.get('/api', requireAccessToken({ scope: 'devices:read', audience: ISSUER }), (_req, res) =>
    res.json({}),
  )
  app.use(middlewares(context).errorHandler())
  return app
}
