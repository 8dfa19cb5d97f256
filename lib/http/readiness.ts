import type { Request, RequestHandler } from 'express'
import { deadline } from '../base/deadline.js'
import type { ProvisioningStore } from '../ports/store.js'
import type { GuardContext } from './context.js'
import { httpsGuard } from './https.js'
import { answer } from './wire.js'

/** How orchestrators and load balancers learn whether requests may be sent to this process. */
export interface Readiness {
  /**
   * Answers 200 `{"ready":true}` or 503 `{"ready":false}`, within a second. Mount it before `enforceHttps()` where you
   * are probed over cleartext: a request without credentials, query and body is answered there too.
   */
  readiness(): RequestHandler
  /** Whether the store answers, and `drain()` has not been called. Never rejects. */
  isReady(): Promise<boolean>
  /** Makes readiness say no from now on, so that nothing more is sent here. Whatever still comes is served. */
  drain(): void
}

export function readiness(context: GuardContext): Readiness {
  const { deployment } = context.config
  // An issuer elsewhere is not asked: every API would be taken out of service together when it is down.
  const canServe = 'askIssuer' in deployment ? async () => true : storeProbe(deployment.store)
  const enforceHttps = httpsGuard(context, context.siteOf({ name: 'resource', challenges: 'resource' }))
  let isDraining = false
  const isReady = async () => (await canServe()) && !isDraining

  return {
    isReady,
    drain() {
      isDraining = true
    },
    readiness: () =>
      function readiness(req, res, next) {
        const tell = () => {
          context.present(req)
          void isReady().then((ready) => answer(res, { status: ready ? 200 : 503, body: { ready } }))
        }
        if (!req.secure && carriesNothing(req)) tell()
        else enforceHttps(req, res, (error?: unknown) => (error === undefined ? tell() : next(error)))
      },
  }
}

/** Whether nothing in a request can have been exposed in cleartext: it is a mere probe. */
function carriesNothing({ headers, originalUrl }: Request): boolean {
  const hasBody = headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) !== 0
  return headers.authorization === undefined && !originalUrl.includes('?') && !hasBody
}

/**
 * Keys that are nobody's, chosen so that `redisStore()` has each in another quarter of a cluster. One that answers is
 * enough: a node that is down takes some clients with it, which another process could not serve either.
 */
const NOBODYS = [17, 4, 6, 1].map((number) => ({ clientId: `readiness-${number}`, jti: 'readiness' }))

/** How long an answer of the store is taken for the state of things, and how long it is waited for. */
const FRESH_MILLISECONDS = 1000
const LONGEST_MILLISECONDS = 900

/** Asks the store whether it answers, once a second at most however often that is wanted. */
function storeProbe(store: Pick<ProvisioningStore, 'find'>): () => Promise<boolean> {
  const ask = deadline({ milliseconds: LONGEST_MILLISECONDS, who: 'The store' })
  let known: { readonly since: number; readonly answers: Promise<boolean> } | undefined

  function probe(): Promise<boolean> {
    const asked = NOBODYS.map((key) => ask(() => store.find(key)))
    return Promise.any(asked).then(
      () => true,
      () => false,
    )
  }

  return async function storeAnswers() {
    const now = performance.now()
    if (known === undefined || now - known.since >= FRESH_MILLISECONDS)
      known = { since: now, answers: probe() }
    return known.answers
  }
}
