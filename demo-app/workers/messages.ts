import type { Certificate } from '../certificate'
import type { Environment } from '../environment'

/**
 * What all workers have in common. The primary makes it and hands it over by the channel between the processes: a
 * command line, or an environment, could be read by others of this machine.
 */
export interface Handover {
  readonly environment: Environment
  readonly certificate: Certificate
  /** PKCS #8, PEM. */
  readonly signingKey: string
  readonly redis: string
  /** Names what this demo has in Redis. */
  readonly run: string
  readonly name: string
}

export type ToWorker = { readonly type: 'begin'; readonly handover: Handover } | { readonly type: 'stop' }

export type FromWorker =
  | { readonly type: 'hello' }
  | { readonly type: 'serving' }
  | { readonly type: 'failed'; readonly message: string }
  | { readonly type: 'line'; readonly text: string }
  | { readonly type: 'stopped' }

/** For how long a worker that has been told to stop goes on taking requests, while its readiness says no. */
export const DRAIN_MILLISECONDS = 1000

/** How long requests that are at work then may take. */
export const GRACE_MILLISECONDS = 10_000
