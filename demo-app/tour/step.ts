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
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE'
  readonly url: string
  readonly authorization?: string
  readonly dpop?: string
  readonly form?: Readonly<Record<string, string>>
  readonly json?: object
}

/** What steps have to do with each other: what one brings and a later one uses, by name. */
export interface Memory {
  /** Keeps a secret, which is shown by its name from then on. */
  keep(name: string, secret: string): string
  /** Keeps what is no secret. */
  note(name: string, text: string): void
  recall(name: string): string
}

/** Makes a request of what the tour knows. */
export type Ask = (site: Site, memory: Memory) => Call

/** One request, and what its answer must be. */
export interface Exchange {
  readonly call: Ask
  readonly status: number
  /** Members that the answer must have. */
  readonly members?: Readonly<Record<string, unknown>>
  /** Members of the answer that are secret, and the names they are kept under. */
  readonly secrets?: Readonly<Record<string, string>>
  /** Members of the answer that are needed later, and are no secret. */
  readonly notes?: Readonly<Record<string, string>>
  /** What the server must tell its observers. */
  readonly event?: EventType
  /** The connection is cut when the answer begins to arrive, so that nothing of it is known. */
  readonly isCut?: boolean
  /** The answer must be that of the exchange before, byte for byte. */
  readonly isRepetition?: boolean
}

/** What is done, by a request or several, and what that means. */
export interface Step extends Exchange {
  readonly title: string
  /** Whether the first request is shown in few lines too. */
  readonly isBrief?: boolean
  /** Further requests, shown in few lines. */
  readonly next?: readonly Exchange[]
  readonly meaning: string
}
