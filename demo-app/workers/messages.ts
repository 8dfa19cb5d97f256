import type { Certificate } from '../certificate'
import type { Environment } from '../environment'

/**
 * The settings that all workers share. The primary process sends them over the channel between the processes, because
 * other users of this machine could read a command line or an environment.
 */
export interface WorkerSettings {
  readonly environment: Environment
  readonly certificate: Certificate
  /** PKCS #8, PEM. */
  readonly signingKey: string
  readonly redis: string
  /** Names the state of this demo in Redis. */
  readonly run: string
  readonly name: string
}

export type ToWorker =
  | { readonly type: 'start'; readonly settings: WorkerSettings }
  | { readonly type: 'stop' }

export type FromWorker =
  | { readonly type: 'ready' }
  | { readonly type: 'serving' }
  | { readonly type: 'failed'; readonly message: string }
  | { readonly type: 'line'; readonly text: string }
  | { readonly type: 'stopped' }

/** How long a worker still accepts requests when it stops. Its readiness already answers 503. */
export const DRAIN_MILLISECONDS = 1000

/** How long requests may take to finish after that. */
export const GRACE_MILLISECONDS = 10_000
