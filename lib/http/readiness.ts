import type { Request, RequestHandler } from 'express'
import { deadline } from '../base/deadline.js'
import type { ProvisioningStore } from '../ports/store.js'
import { hasBody } from './body.js'
import type { GuardContext } from './context.js'
import { httpsGuard } from './https.js'
import { answer } from './wire.js'

/** Shows orchestrators and load balancers whether this process accepts requests. */
export interface Readiness {
  /**
   * Answers 200 `{"ready":true}` or 503 `{"ready":false}` within a second. Mount it before `enforceHttps()` if probes
   * come over cleartext. It answers a cleartext request that has no credentials, query or body.
   */
  readiness(): RequestHandler
  /** Whether the store accepts changes, and `drain()` has not been called. Never rejects. */
  isReady(): Promise<boolean>
  /** Makes readiness answer 503 from now on, so that load balancers stop. Later requests are still served. */
  drain(): void
  /**
   * Ends the work that no request waits for: writes findings and carries out their responses, revokes keys that came over
   * cleartext or were reported as leaked, undoes actions whose redemption the store did not confirm, and emits the summary
   * of refused requests. It also waits until observers and the audit log have taken all events. Call it after the server has
   * closed, and before you close the connections of the store and of the audit log. Resolves within ten seconds, and never
   * rejects.
   */
  finish(): Promise<void>
}

/** Whether `drain()` was called. */
export interface DrainState {
  isDraining: boolean
}

export function readiness(context: GuardContext, state: DrainState = { isDraining: false }): Readiness {
  const { deployment, events } = context.config
  // Do not ask a remote issuer: when it is down, all APIs would go out of service together.
  const canServe = 'askIssuer' in deployment ? async () => true : storeProbe(deployment.store)
  const enforceHttps = httpsGuard(context)
  const isReady = async () => (await canServe()) && !state.isDraining

  return {
    isReady,
    drain() {
      state.isDraining = true
    },
    finish: () => context.background.finish(() => events.idle()),
    readiness: () =>
      function readiness(req, res, next) {
        const answerReadiness = () => {
          context.present(req)
          void isReady().then((ready) => answer(res, { status: ready ? 200 : 503, body: { ready } }))
        }
        if (!req.secure && carriesNothing(req)) answerReadiness()
        else
          enforceHttps(req, res, (error?: unknown) => (error === undefined ? answerReadiness() : next(error)))
      },
  }
}

/** Whether a request contains nothing that cleartext could expose, as a probe does. */
function carriesNothing(req: Request): boolean {
  return req.headers.authorization === undefined && !req.originalUrl.includes('?') && !hasBody(req)
}

/**
 * Names of keys that do not exist. `redisStore()` keeps each in another quarter of a cluster. One answer is enough:
 * another process could not serve the clients of a failed node either.
 */
const NOBODYS = [17, 4, 6, 1].map((number) => ({ clientId: `readiness-${number}`, jti: 'readiness' }))

/** How long an answer of the store counts as current, and how long to wait for it. */
const FRESH_MILLISECONDS = 1000
const LONGEST_MILLISECONDS = 900

/** Checks at most once a second whether the store accepts changes. */
function storeProbe(store: Pick<ProvisioningStore, 'release'>): () => Promise<boolean> {
  const ask = deadline({ milliseconds: LONGEST_MILLISECONDS, who: 'The store' })
  let known: { readonly since: number; readonly answers: Promise<boolean> } | undefined

  function probe(): Promise<boolean> {
    // A change of nothing. A store that only answers questions, such as a read-only replica, can issue and redeem no key.
    const asked = NOBODYS.map((key) => ask(() => store.release(key, 'readiness')))
    return Promise.any(asked).then(
      () => true,
      () => false,
    )
  }

  return async function acceptsChanges() {
    const now = performance.now()
    if (known === undefined || now - known.since >= FRESH_MILLISECONDS)
      known = { since: now, answers: probe() }
    return known.answers
  }
}
