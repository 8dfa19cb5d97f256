import type { Answer, Client, Question } from './client'
import { clock } from './clock'
import type { Holder } from './holder'
import type { Call, Verb } from './model/history'
import type { Recorder } from './recorder'
import { HEADERS } from './worker-app'

/** A key as its holder has it. */
export interface Key {
  readonly keyId: string
  readonly token: string
  readonly holder: Holder
}

export interface RedeemOptions {
  /** How long the action takes. */
  readonly workMilliseconds?: number
  /** Whether the action is to fail, so that the key is given back. */
  readonly fails?: boolean
}

/** Calls a worker, and records what it asked and was told. */
export interface Driver {
  /** `undefined` where no key came. */
  issue(worker: number, holder: Holder): Promise<Key | undefined>
  /** At a route of the host's. */
  redeem(key: Key, worker: number, options?: RedeemOptions): Promise<Call>
  /** At the token endpoint. */
  exchange(key: Key, worker: number): Promise<Call>
  revoke(key: Key, worker: number): Promise<Call>
  introspect(key: Key, worker: number): Promise<Call>
  /** Has connections ready, so that what follows goes out at once. */
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
  const { client, issuer, portOf, recorder } = options
  const basic = Buffer.from(`${options.clientId}:${options.clientSecret}`).toString('base64')
  const authorization = { Authorization: `Basic ${basic}` }
  const call = caller(options)
  const urlOf = (path: string) => `${issuer}${path}`

  return {
    async issue(worker, holder) {
      const path = '/oauth/token'
      const headers = { ...authorization, ...holder.proof('POST', urlOf(path)) }
      const made = await call('issue', worker, { path, headers, form: GRANTS.issue })
      const { access_token: token } = made.answer?.body ?? {}
      if (made.call.keyId === undefined || typeof token !== 'string') return undefined
      if (holder.isBound) recorder.bound(made.call.keyId)
      return { keyId: made.call.keyId, token, holder }
    },
    async redeem({ keyId, token, holder }, worker, { workMilliseconds = 0, fails = false } = {}) {
      const path = '/work'
      const headers = {
        Authorization: `${holder.scheme} ${token}`,
        ...holder.proof('POST', urlOf(path), token),
        [HEADERS.work]: String(workMilliseconds),
        ...(fails && { [HEADERS.fails]: '1' }),
      }
      return (await call('redeem', worker, { path, headers, keyId })).call
    },
    async exchange({ keyId, token, holder }, worker) {
      const path = '/oauth/token'
      const headers = holder.proof('POST', urlOf(path), token)
      const form = { ...GRANTS.exchange, subject_token: token }
      return (await call('exchange', worker, { path, headers, form, keyId })).call
    },
    async revoke({ keyId }, worker) {
      const asked = { path: '/oauth/revoke', headers: authorization, form: { token: keyId }, keyId }
      return (await call('revoke', worker, asked)).call
    },
    async introspect({ keyId }, worker) {
      const asked = { path: '/oauth/introspect', headers: authorization, form: { token: keyId }, keyId }
      return (await call('introspect', worker, asked)).call
    },
    async connect(worker, count) {
      const question: Question = { port: portOf(worker), method: 'GET', path: '/oauth/jwks', headers: {} }
      await Promise.all(Array.from({ length: count }, () => client.ask(question)))
    },
  }
}

interface Asked {
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  readonly form?: Readonly<Record<string, string>>
  readonly keyId?: string
}

function caller({ client, portOf, recorder }: DriverOptions) {
  return async function call(verb: Verb, worker: number, { path, headers, form, keyId }: Asked) {
    const id = recorder.nextId()
    const question: Question = {
      port: portOf(worker),
      method: 'POST',
      path,
      headers: { ...headers, [HEADERS.call]: id },
      ...(form && { form }),
    }
    const begin = clock()
    const answer = await client.ask(question)
    const about = keyId === undefined ? {} : { keyId }
    const made: Call = { id, verb, worker, begin, end: clock(), ...about, ...told(verb, answer) }
    recorder.record(made)
    return { call: made, answer }
  }
}

/** What of an answer the model knows. */
function told(verb: Verb, answer: Answer | undefined): Partial<Call> {
  if (answer === undefined) return {}
  const { status, headers, body } = answer
  const text = (name: string, value: unknown) => (typeof value === 'string' ? { [name]: value } : {})
  if (status >= 400) {
    const reasons = text('reason', headers[HEADERS.reason])
    return { status, ...reasons, ...text('code', body.error), ...text('retryAfter', headers['retry-after']) }
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
