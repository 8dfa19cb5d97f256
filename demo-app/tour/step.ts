import type { EventType } from 'express-provisioning-keys'

/** The server that the tour goes through, and the client it goes as. */
export interface Site {
  readonly origin: string
  readonly cleartextOrigin: string
  readonly clientId: string
  readonly clientSecret: string
}

/** One request, before it is written. */
export interface Call {
  readonly method: 'GET' | 'POST'
  readonly url: string
  readonly authorization?: string
  readonly form?: Readonly<Record<string, string>>
  readonly json?: object
}

/** What steps have to do with each other: secrets that one brings and a later one uses, by name. */
export interface Memory {
  keep(name: string, secret: string): string
  recall(name: string): string
}

/** One request, what its answer must be, and what that means. */
export interface Step {
  readonly title: string
  readonly call: (site: Site, memory: Memory) => Call
  readonly status: number
  /** Members that the answer must have. */
  readonly members?: Readonly<Record<string, unknown>>
  /** Members of the answer that are secret, and the names they are kept under. */
  readonly secrets?: Readonly<Record<string, string>>
  /** What the server must tell its observers. */
  readonly event?: EventType
  readonly meaning: string
}
