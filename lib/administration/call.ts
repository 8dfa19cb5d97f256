import type { RequestSource } from '../base/request.js'
import type { DrainState } from '../http/readiness.js'
import type { Operations } from '../operations/operations.js'
import type { Config } from '../options/options.js'
import type { Operator } from './access.js'
import type { AdministrationRole } from './administration-options.js'
import type { EventLog } from './event-log.js'
import type { KeyCounter } from './key-counts.js'

/** What the endpoints work with. */
export interface AdministrationContext {
  readonly config: Pick<Config, 'deployment' | 'events'>
  readonly operations: Operations
  readonly drainState: Readonly<DrainState>
  readonly log: EventLog
  readonly counter: KeyCounter
  /** NumericDate. */
  readonly startedAt: number
}

/** One authorized request. */
export interface Call {
  readonly context: AdministrationContext
  readonly operator: Operator
  /** The query of a GET request, or the body of a POST request. */
  readonly parameters: Readonly<Record<string, unknown>>
  /** Where the request comes from, for the audit event. */
  readonly source: RequestSource
}

/** One endpoint of the API that answers with an object. */
export interface ApiEndpoint {
  readonly role: AdministrationRole
  readonly handle: (call: Call) => Promise<object>
}
