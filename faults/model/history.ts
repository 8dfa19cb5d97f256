/** What a client asks for. `redeem` is a route of the host's, `exchange` the token endpoint. */
export type Verb = 'issue' | 'redeem' | 'exchange' | 'revoke' | 'introspect'

/** A call as its caller saw it. Times are of one clock. */
export interface Call {
  readonly id: string
  readonly verb: Verb
  /** Which process was asked. */
  readonly worker: number
  readonly begin: number
  readonly end: number
  /** Not there when no answer came. */
  readonly status?: number
  readonly keyId?: string
  /** Why it was refused, as the server tells its operator. */
  readonly reason?: string
  /** The `error` of a refusal. */
  readonly code?: string
  readonly retryAfter?: string
  /** What an introspection said. */
  readonly active?: boolean
  /** What the answer says was brought forth: the call whose action it was, or the access token. */
  readonly outcome?: string
}

/** What an action did, as it noted itself, outside of Redis and of what anybody was told. */
export interface Effect {
  /** The call that the action ran for. */
  readonly call: string
  readonly keyId: string
  /** `minted`: an access token was brought forth and is about to leave. */
  readonly kind: 'began' | 'done' | 'failed' | 'minted'
  readonly at: number
  readonly worker: number
  /** The access token that was minted. */
  readonly outcome?: string
  /** What names the redemption, whoever tries it again. */
  readonly redemption?: string
}

/**
 * What happened to the store.
 *
 * - `forgot`: all that it knew is gone
 * - `failed over, replicated`: what was not confirmed to its caller may be undone
 * - `failed over`: anything may be undone
 */
export interface Loss {
  readonly kind: 'forgot' | 'failed over, replicated' | 'failed over'
  readonly begin: number
  readonly end: number
}

/** A time in which the store may not have answered. */
export interface Trouble {
  readonly begin: number
  readonly end: number
}

export interface History {
  readonly calls: readonly Call[]
  readonly effects: readonly Effect[]
  /** Keys that are bound to a proof key, by id. */
  readonly bound: ReadonlySet<string>
  readonly losses: readonly Loss[]
  readonly troubles: readonly Trouble[]
  /** How long a worker waits for the store, in milliseconds. */
  readonly patience: number
  /** After how many milliseconds the holder of a bound key may take its own claim over; never where there is none. */
  readonly lease?: number
}

export function isSuccess({ status }: Call): boolean {
  return status !== undefined && status < 300
}

/** Nobody was told what came of it. */
export function isUncertain({ status }: Call): boolean {
  return status === undefined || status >= 500
}

export function isRedemption({ verb }: Call): boolean {
  return verb === 'redeem' || verb === 'exchange'
}
