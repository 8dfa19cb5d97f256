/** `redeem` is a call of a route that redeems the key, `exchange` a call of the token endpoint. */
export type Verb = 'issue' | 'redeem' | 'exchange' | 'revoke' | 'introspect'

/** A call as its caller saw it. All times come from one clock. */
export interface Call {
  readonly id: string
  readonly verb: Verb
  /** The process that was called. */
  readonly worker: number
  readonly begin: number
  readonly end: number
  /** Missing if there was no answer. */
  readonly status?: number
  readonly keyId?: string
  /** The private reason of a refusal. */
  readonly reason?: string
  /** The `error` of a refusal. */
  readonly code?: string
  readonly retryAfter?: string
  /** The answer of an introspection. */
  readonly active?: boolean
  /** The result in the answer: the id of the call that ran the action, or of the access token. */
  readonly outcome?: string
}

/** Something that an action did. The action notes it in a file, independent of Redis and of answers. */
export interface Effect {
  /** The id of the call that ran the action. */
  readonly call: string
  readonly keyId: string
  /** `minted`: an access token was created and is about to be sent. */
  readonly kind: 'began' | 'done' | 'failed' | 'minted'
  readonly at: number
  readonly worker: number
  /** The id of the access token. */
  readonly outcome?: string
  /** The id of the redemption, which all its attempts share. */
  readonly redemption?: string
}

/**
 * A loss of data in the store.
 *
 * - `forgot`: the store lost everything
 * - `failed over, replicated`: changes that were not confirmed to a caller may be lost
 * - `failed over`: all changes may be lost
 */
export interface Loss {
  readonly kind: 'forgot' | 'failed over, replicated' | 'failed over'
  readonly begin: number
  readonly end: number
}

/** A time in which the store may fail to answer. */
export interface Outage {
  readonly begin: number
  readonly end: number
}

export interface History {
  readonly calls: readonly Call[]
  readonly effects: readonly Effect[]
  /** The ids of the keys that are bound to a DPoP key. */
  readonly bound: ReadonlySet<string>
  readonly losses: readonly Loss[]
  readonly outages: readonly Outage[]
  /** How long a worker waits for the store. */
  readonly storeTimeoutMilliseconds: number
  /** When the owner of a bound key may replace its own reservation. Default: never. */
  readonly leaseMilliseconds?: number
}

export function isSuccess({ status }: Call): boolean {
  return status !== undefined && status < 300
}

/** Whether the caller does not know what happened. */
export function isUncertain({ status }: Call): boolean {
  return status === undefined || status >= 500
}

export function isRedemption({ verb }: Call): boolean {
  return verb === 'redeem' || verb === 'exchange'
}
