import { AsyncLocalStorage } from 'node:async_hooks'
import express, { type Express, type Request, type RequestHandler, type Response } from 'express'
import {
  getProvisioning,
  type Observer,
  type ProvisioningKeys,
  type ProvisioningOptions,
  provisioningKeys,
} from 'express-provisioning-keys'
import { pause } from './clock'
import type { Note } from './journal'

export interface WorkerApp {
  readonly app: Express
  /** How many requests are being answered. */
  inFlight(): number
}

export interface WorkerAppOptions {
  readonly issuer: string
  readonly signingKey: string
  readonly clientId: string
  readonly clientSecret: string
  readonly leaseSeconds: number
  readonly store: NonNullable<ProvisioningOptions['store']>
  readonly note: (note: Note) => void
}

/** What a caller names its request by, and what it wants the action to do. */
export const HEADERS = {
  call: 'x-call',
  /** How long the action is to take, in milliseconds. */
  work: 'x-work-ms',
  /** Whether it is to fail. */
  fails: 'x-fails',
  /** In answers: why it was refused. An operator knows that from events; a caller is never told. */
  reason: 'x-reason',
} as const

const SCOPES = ['work:once', 'provision:token'] as const

interface Visit {
  readonly call: string
  readonly res: Response
}

/** The whole suite over a shared store, a route that a key is good for once, and a note of whatever its action does. */
export function workerApp(options: WorkerAppOptions): WorkerApp {
  const visits = new AsyncLocalStorage<Visit>()
  const keys = suite(options, tellReason(visits), noteMinted(visits, options.note))
  const app = express()
  let inFlight = 0
  app.use((req, res, next) => {
    inFlight += 1
    res.once('close', () => {
      inFlight -= 1
    })
    visits.run({ call: callOf(req), res }, next)
  })
  app.use(keys.router())
  app.post('/work', keys.redeemProvisioningKey({ scope: 'work:once' }), action(options.note))
  app.use(keys.errorHandler())
  return { app, inFlight: () => inFlight }
}

function suite(options: WorkerAppOptions, ...observers: readonly Observer[]): ProvisioningKeys {
  const { issuer, signingKey, clientId, clientSecret, leaseSeconds, store } = options
  return provisioningKeys({
    issuer,
    audience: issuer,
    signingKeys: signingKey,
    clients: [{ clientId, clientSecret }],
    policy: { scopes: [...SCOPES], defaultScopes: [...SCOPES], outstandingKeys: 1_000_000 },
    // One address is all of the load.
    rateLimit: false,
    redemptionLeaseSeconds: leaseSeconds,
    store,
    observer: (event) => {
      for (const observe of observers) observe(event)
    },
  })
}

function tellReason(visits: AsyncLocalStorage<Visit>): Observer {
  return (event) => {
    const visit = visits.getStore()
    if (event.type === 'request.refused' && visit?.res.headersSent === false)
      visit.res.setHeader(HEADERS.reason, event.reason)
  }
}

/** The key is settled by then, and the token about to leave. */
function noteMinted(visits: AsyncLocalStorage<Visit>, note: WorkerAppOptions['note']): Observer {
  return (event) => {
    if (event.type !== 'token.issued') return
    const { keyId, tokenId: outcome } = event
    note({
      call: visits.getStore()?.call ?? '',
      keyId,
      kind: 'minted',
      ...(outcome !== undefined && { outcome }),
    })
  }
}

function action(note: WorkerAppOptions['note']): RequestHandler {
  return async (req, res) => {
    const { keyId, redemptionId: redemption } = getProvisioning(req)
    const call = callOf(req)
    note({ call, keyId, kind: 'began', ...(redemption !== undefined && { redemption }) })
    await pause(Number(req.get(HEADERS.work) ?? 0))
    const fails = req.get(HEADERS.fails) !== undefined
    note({ call, keyId, kind: fails ? 'failed' : 'done' })
    res.status(fails ? 422 : 201).json({ execution: call })
  }
}

function callOf(req: Request): string {
  return req.get(HEADERS.call) ?? ''
}
