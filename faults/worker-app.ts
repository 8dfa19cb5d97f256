import { AsyncLocalStorage } from 'node:async_hooks'
import { ServerResponse } from 'node:http'
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
  /** The number of requests in progress. */
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

/** Headers that name a call and control its action. */
export const HEADERS = {
  call: 'x-call',
  /** How long the action takes, in milliseconds. */
  work: 'x-work-ms',
  /** Whether the action fails. */
  fails: 'x-fails',
  /** In answers: the private reason of a refusal. Normally, only an event contains it. */
  reason: 'x-reason',
} as const

const SCOPES = ['work:once', 'provision:token'] as const

interface Context {
  readonly call: string
  readonly res: Response
}

/** An app with all endpoints, and with a route that redeems a key and notes what its action does. */
export function workerApp(options: WorkerAppOptions): WorkerApp {
  const contexts = new AsyncLocalStorage<Context>()
  const keys = provisioning(options, sendReason(contexts), noteMinted(contexts, options.note))
  const app = express()
  let inFlight = 0
  app.use((req, res, next) => {
    inFlight += 1
    res.once('close', () => {
      inFlight -= 1
    })
    endLater(res)
    contexts.run({ call: callOf(req), res }, next)
  })
  app.use(keys.router())
  app.post('/work', keys.redeemProvisioningKey({ scope: 'work:once' }), action(options.note))
  app.use(keys.errorHandler())
  return { app, inFlight: () => inFlight }
}

function provisioning(options: WorkerAppOptions, ...observers: readonly Observer[]): ProvisioningKeys {
  const { issuer, signingKey, clientId, clientSecret, leaseSeconds, store } = options
  return provisioningKeys({
    issuer,
    audience: issuer,
    signingKeys: signingKey,
    clients: [{ clientId, clientSecret }],
    policy: { scopes: [...SCOPES], defaultScopes: [...SCOPES], outstandingKeys: 1_000_000 },
    // All load comes from one address.
    rateLimit: false,
    monitoring: { detailedRefusals: 1_000_000 },
    redemptionLeaseSeconds: leaseSeconds,
    store,
    observer: (event) => {
      for (const observe of observers) observe(event)
    },
  })
}

/** Observers get an event after the code that has emitted it, so the answer must wait for the header of `sendReason`. */
function endLater(res: Response): void {
  const end = res.end.bind(res) as (...given: unknown[]) => unknown
  res.end = (...given: unknown[]) => {
    queueMicrotask(() => end(...given))
    return res
  }
}

function sendReason(contexts: AsyncLocalStorage<Context>): Observer {
  return (event) => {
    const context = contexts.getStore()
    if (event.type === 'request.refused' && context?.res.headersSent === false)
      // The answer is decided already, so the method of the response itself would change nothing any more.
      ServerResponse.prototype.setHeader.call(context.res, HEADERS.reason, event.reason)
  }
}

/** When the event is emitted, the key is settled, and the token is about to be sent. */
function noteMinted(contexts: AsyncLocalStorage<Context>, note: WorkerAppOptions['note']): Observer {
  return (event) => {
    if (event.type !== 'token.issued') return
    const { keyId, tokenId: outcome } = event
    note({
      call: contexts.getStore()?.call ?? '',
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
