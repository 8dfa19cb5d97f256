import type { RequestHandler } from 'express'
import {
  type GuardOptions,
  memoryStore,
  type ProvisioningOptions,
  type ProvisioningStore,
  type RedemptionHandler,
} from '../../lib/index.js'
import { requestDigest } from '../../lib/redemption/outcome.js'
import { type ClientKey, clientKey } from './client-assertion.js'
import { answerTo, type ExactAnswer, type ExactRequest, exactly, openRequest } from './exact.js'
import { signProof } from './proof.js'
import { REDEEM, refOf } from './redeeming.js'
import { askForKey, EXCHANGE, JWT_TYPE, obtainKey } from './requests.js'
import { AUDIENCE, ISSUER, type RunningServer, startServer } from './server.js'

/** The proof keys of the client and of a stranger. */
export const HOLDER = clientKey()
export const STRANGER = clientKey()

/** A use of a key: the request without the key and the proof. */
export interface Errand {
  readonly name: string
  readonly scope: string
  readonly origin: string
  readonly path: string
  readonly method?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string | Buffer
  /** The parameters of a form whose subject token is the key. */
  readonly form?: Readonly<Record<string, string>>
}

export const TOKEN: Errand = {
  name: 'token exchange',
  scope: 'provision:token devices:create devices:read',
  origin: ISSUER,
  path: '/oauth/token',
  form: { scope: 'devices:read' },
}
export const BIND: Errand = { name: 'bind', scope: 'provision:bind', origin: ISSUER, path: '/oauth/bind' }
export const REGISTER: Errand = {
  name: 'register',
  scope: 'provision:register devices:read',
  origin: ISSUER,
  path: '/oauth/register',
  headers: { 'Content-Type': 'application/json' },
  body: '{"client_name":"a","scope":"devices:read"}',
}
export const ACT: Errand = {
  name: 'a custom route',
  scope: 'devices:create devices:read',
  origin: AUDIENCE,
  path: '/act',
  headers: { 'Content-Type': 'application/json' },
  body: '{"name":"a"}',
}
export const ERRANDS: readonly Errand[] = [TOKEN, BIND, REGISTER, ACT]

/** The owner id that the store gets for an errand, for a key that is bound to a proof key. */
export function ownerIdFor(jkt: string | undefined, { method = 'POST', path }: Errand): string {
  const [, action] = /^\/oauth\/(\w+)$/.exec(path) ?? []
  const at = action === undefined ? requestDigest(method, path) : null
  return requestDigest(jkt ?? null, null, action ?? 'route', at)
}

/** The credentials of a request for an errand. */
export interface Manner {
  /** The key that makes the proof; `null`: no proof. Default: the holder's. */
  readonly prover?: ClientKey | null
  readonly scheme?: 'DPoP' | 'Bearer'
  /** The proof itself. */
  readonly proof?: string
  /** The NumericDate of the proof. */
  readonly now?: number
}

export function requestFor(key: string, errand: Errand, manner: Manner = {}): ExactRequest {
  const { method = 'POST', path, origin, headers, form } = errand
  const { prover = HOLDER, scheme = 'DPoP', now } = manner
  const subject = { grant_type: EXCHANGE, subject_token: key, subject_token_type: JWT_TYPE }
  const body = form === undefined ? errand.body : new URLSearchParams({ ...subject, ...form }).toString()
  const target = { method, url: `${origin}${path.replace(/\?.*/, '')}` }
  const made = prover && signProof(prover, target, { ...(!form && { token: key }), ...(now && { now }) })
  const proof = manner.proof ?? made
  const all = {
    ...(form
      ? { 'Content-Type': 'application/x-www-form-urlencoded' }
      : { Authorization: `${scheme} ${key}` }),
    ...(proof && { DPoP: proof }),
    ...(body !== undefined && { 'Content-Length': Buffer.byteLength(body) }),
    ...headers,
  }
  return { method, path, headers: all, ...(body !== undefined && { body }) }
}

export function run(
  server: RunningServer,
  key: string,
  errand: Errand,
  manner?: Manner,
): Promise<ExactAnswer> {
  return exactly(server, requestFor(key, errand, manner))
}

/** Sends the request and returns a function that ends its connection. */
export function runAndHangUp(
  server: RunningServer,
  key: string,
  errand: Errand,
  manner?: Manner,
): () => void {
  const wanted = requestFor(key, errand, manner)
  const sent = openRequest(server, wanted)
  answerTo(sent).catch(() => undefined)
  sent.end(wanted.body)
  return () => void sent.destroy()
}

export interface RetryingServer extends RunningServer {
  readonly store: ProvisioningStore
  /** The number of runs of the handler of `/act`. */
  readonly runs: () => number
  /** A key for an errand, bound to the holder's proof key. */
  bound(errand: Errand, form?: Record<string, string>): Promise<string>
  /** A key for an errand, without a binding. */
  bearer(errand: Errand, form?: Record<string, string>): Promise<string>
  /** The number of events of a type. */
  countEvents(type: string): number
  /** The reason of the last refusal. */
  refusal(): string | undefined
  /** The state of a key, and whether its family is revoked. */
  standing(key: string): Promise<[state: string | undefined, familyRevoked: boolean | undefined]>
}

export interface RetryingPlan {
  /** The handlers of `/act`, behind the guard. */
  readonly handlers?: readonly RequestHandler[]
  /** A handler that returns its answer, instead of `handlers`. */
  readonly returns?: RedemptionHandler
  readonly before?: readonly RequestHandler[]
  readonly verbs?: (store: ProvisioningStore) => Partial<ProvisioningStore>
  readonly options?: Partial<ProvisioningOptions>
  readonly guard?: GuardOptions
}

const created: RequestHandler = (_req, res) => void res.status(201).json({ made: Math.random() })

export async function startRetrying(plan: RetryingPlan = {}): Promise<RetryingServer> {
  const now = plan.options?.now
  const memory = memoryStore(now === undefined ? {} : { now })
  const store = { ...memory, ...plan.verbs?.(memory) }
  let runs = 0
  const counting: RequestHandler = (_req, _res, next) => {
    runs += 1
    next()
  }
  const server = await startServer({
    options: { store, ...plan.options },
    mount(app, keys) {
      app.use(keys.router())
      const { returns } = plan
      const countingReturns: RedemptionHandler = (...given) => {
        runs += 1
        return returns?.(...given) ?? {}
      }
      const options = plan.guard ?? REDEEM
      const guard = returns
        ? keys.redeemProvisioningKey(options, countingReturns)
        : keys.redeemProvisioningKey(options)
      app.all(/^\/act/, ...(plan.before ?? []), guard, counting, ...(plan.handlers ?? [created]))
      app.use(keys.errorHandler())
    },
  })
  return {
    ...server,
    store: memory,
    runs: () => runs,
    async bound({ scope }, form = {}) {
      const target = { method: 'POST', url: `${ISSUER}/oauth/token` }
      const proof = signProof(HOLDER, target, now && { now: now() / 1000 })
      const { body } = await askForKey(server, { scope, ...form })
        .set('DPoP', proof)
        .expect(200)
      return body.access_token
    },
    bearer: ({ scope }, form = {}) => obtainKey(server, { scope, ...form }),
    countEvents: (type) => server.events.filter((event) => event.type === type).length,
    refusal: () => {
      const refused = server.events.filter((event) => event.type === 'request.refused')
      return refused.at(-1)?.reason
    },
    async standing(key) {
      const entry = await memory.find(refOf(key))
      return [entry?.state, entry?.familyRevoked]
    },
  }
}

export async function withRetrying(
  plan: RetryingPlan,
  test: (server: RetryingServer) => Promise<void>,
): Promise<void> {
  const server = await startRetrying(plan)
  try {
    await test(server)
  } finally {
    await server.close()
  }
}

/** The parts of an answer that are the same every time. */
export function lasting({ status, statusMessage, headers, bytes }: ExactAnswer) {
  const { date: _, connection: __, 'keep-alive': ___, 'transfer-encoding': ____, ...kept } = headers
  return { status, statusMessage, headers: kept, bytes: bytes.toString('base64') }
}
