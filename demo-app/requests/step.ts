import type { EventType } from 'express-provisioning-keys'

/** The server that the tour calls, and the client that it authenticates as. */
export interface Site {
  readonly origin: string
  readonly cleartextOrigin: string
  readonly clientId: string
  readonly clientSecret: string
}

/** An HTTP request. */
export interface Call {
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE'
  readonly url: string
  readonly userAgent?: string
  readonly authorization?: string
  readonly dpop?: string
  readonly form?: Readonly<Record<string, string>>
  readonly json?: object
}

/** Values that one step receives and later steps need, by name. */
export interface Memory {
  /** Remembers a secret. From now on, its name is printed instead. */
  keepSecret(name: string, secret: string): string
  /** Remembers a value that may be printed. */
  keepValue(name: string, value: string): void
  recall(name: string): string
}

/** Creates a request from what the tour knows. */
export type CallFactory = (site: Site, memory: Memory) => Call

/** A request and its expected answer. */
export interface Exchange {
  readonly call: CallFactory
  readonly status: number
  /** Members that the answer must have. */
  readonly members?: Readonly<Record<string, unknown>>
  /** Members of the answer that are secrets, and the names under which to remember them. */
  readonly secrets?: Readonly<Record<string, string>>
  /** Members of the answer that may be printed, and the names under which to remember them. */
  readonly values?: Readonly<Record<string, string>>
  /** The event that the server must emit. */
  readonly event?: EventType
  /** Whether the tour closes the connection before it reads the answer. */
  readonly isCut?: boolean
  /** Whether the answer must equal the answer before it, byte for byte. */
  readonly isRepetition?: boolean
}

/** One or several requests, and an explanation. */
export interface Step extends Exchange {
  readonly title: string
  readonly next?: readonly Exchange[]
  readonly explanation: string
}
