import type { Answer, Client, ClientRequest } from './client'
import { clock } from './clock'
import type { KeyOwner } from './key-owner'
import type { Call, Verb } from './model/history'
import type { Recorder } from './recorder'
import { HEADERS } from './worker-app'

export interface Key {
  readonly keyId: string
  readonly token: string
  readonly owner: KeyOwner
}

export interface RedeemOptions {
  /** How long the action takes. */
  readonly workMilliseconds?: number
  /** Whether the action fails, so that the key is released. */
  readonly fails?: boolean
}

/** Calls workers, and records the calls and their answers. */
export interface Driver {
  /** Resolves with `undefined` if no key was issued. */
  issue(worker: number, owner: KeyOwner): Promise<Key | undefined>
  /** Calls a route that redeems the key. */
  redeem(key: Key, worker: number, options?: RedeemOptions): Promise<Call>
  /** Calls the token endpoint. */
  exchange(key: Key, worker: number): Promise<Call>
  revoke(key: Key, worker: number): Promise<Call>
  introspect(key: Key, worker: number): Promise<Call>
  /** Opens connections, so that later calls need not wait for them. */
  connect(worker: number, count: number): Promise<void>
}

export interface DriverOptions {
  readonly client: Client
  readonly issuer: string
  readonly clientId: string
  readonly clientSecret: string
  readonly portOf: (worker: number) => number
  readonly recorder: Recorder
}

const GRANTS = {
  issue: { grant_type: 'client_credentials' },
  exchange: {
    grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
    subject_token_type: 'urn:ietf:params:oauth:token-type:jwt',
  },
} as const

export function driver(options: DriverOptions): Driver {
  const { client, portOf } = options
  const call = caller(options)
  const credentials = Buffer.from(`${options.clientId}:${options.clientSecret}`).toString('base64')
  const headers = { Authorization: `Basic ${credentials}` }
  return {
    ...redemptions(options.issuer, call),
    issue: (worker, owner) => issue(options, call, { worker, owner, headers }),
    async revoke({ keyId }, worker) {
      return (await call('revoke', worker, { path: '/oauth/revoke', headers, form: { token: keyId }, keyId }))
        .call
    },
    async introspect({ keyId }, worker) {
      const request = { path: '/oauth/introspect', headers, form: { token: keyId }, keyId }
      return (await call('introspect', worker, request)).call
    },
    async connect(worker, count) {
      const request: ClientRequest = { port: portOf(worker), method: 'GET', path: '/oauth/jwks', headers: {} }
      await Promise.all(Array.from({ length: count }, () => client.send(request)))
    },
  }
}

type CallWorker = ReturnType<typeof caller>

interface IssueRequest {
  readonly worker: number
  readonly owner: KeyOwner
  readonly headers: Readonly<Record<string, string>>
}

async function issue(
  { issuer, recorder }: DriverOptions,
  call: CallWorker,
  { worker, owner, headers }: IssueRequest,
): Promise<Key | undefined> {
  const path = '/oauth/token'
  const proof = owner.proof('POST', `${issuer}${path}`)
  const issued = await call('issue', worker, { path, headers: { ...headers, ...proof }, form: GRANTS.issue })
  const { access_token: token } = issued.answer?.body ?? {}
  const { keyId } = issued.call
  if (keyId === undefined || typeof token !== 'string') return undefined
  if (owner.isBound) recorder.recordBound(keyId)
  return { keyId, token, owner }
}

function redemptions(issuer: string, call: CallWorker): Pick<Driver, 'redeem' | 'exchange'> {
  return {
    async redeem({ keyId, token, owner }, worker, { workMilliseconds = 0, fails = false } = {}) {
      const path = '/work'
      const headers = {
        Authorization: `${owner.scheme} ${token}`,
        ...owner.proof('POST', `${issuer}${path}`, token),
        [HEADERS.work]: String(workMilliseconds),
        ...(fails && { [HEADERS.fails]: '1' }),
      }
      return (await call('redeem', worker, { path, headers, keyId })).call
    },
    async exchange({ keyId, token, owner }, worker) {
      const path = '/oauth/token'
      const headers = owner.proof('POST', `${issuer}${path}`, token)
      const form = { ...GRANTS.exchange, subject_token: token }
      return (await call('exchange', worker, { path, headers, form, keyId })).call
    },
  }
}

interface WorkerRequest extends Pick<ClientRequest, 'path' | 'headers' | 'form'> {
  readonly keyId?: string
}

function caller({ client, portOf, recorder }: DriverOptions) {
  return async function call(verb: Verb, worker: number, { keyId, headers, ...request }: WorkerRequest) {
    const id = recorder.nextId()
    const port = portOf(worker)
    const begin = clock()
    const answer = await client.send({
      ...request,
      ...{ port, method: 'POST', headers: { ...headers, [HEADERS.call]: id } },
    })
    const call: Call = {
      ...{ id, verb, worker, begin, end: clock() },
      ...(keyId !== undefined && { keyId }),
      ...resultOf(verb, answer),
    }
    recorder.recordCall(call)
    return { call, answer }
  }
}

/** The part of an answer that the model uses. */
function resultOf(verb: Verb, answer: Answer | undefined): Partial<Call> {
  if (answer === undefined) return {}
  const { status, headers, body } = answer
  const text = (name: string, value: unknown) => (typeof value === 'string' ? { [name]: value } : {})
  if (status >= 400) {
    const reason = text('reason', headers[HEADERS.reason])
    return { status, ...reason, ...text('code', body.error), ...text('retryAfter', headers['retry-after']) }
  }
  if (verb === 'issue') return { status, ...text('keyId', body.key_id) }
  if (verb === 'redeem') return { status, ...text('outcome', body.execution) }
  if (verb === 'exchange') return { status, ...text('outcome', tokenIdOf(body.access_token)) }
  return { status, ...(verb === 'introspect' && { active: body.active === true }) }
}

function tokenIdOf(token: unknown): unknown {
  const [, claims = ''] = String(token).split('.')
  return JSON.parse(Buffer.from(claims, 'base64url').toString() || '{}').jti
}
