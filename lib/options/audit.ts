import { aFunction, flag, object, required } from '../base/schema.js'
import type { Observer } from '../ports/events.js'

/**
 * Where the audit log goes.
 *
 * @example
 * const audit: AuditOptions = { sink: (event) => appendFile('/var/log/keys/audit.log', `${JSON.stringify(event)}\n`), failClosed: true }
 */
export interface AuditOptions {
  /**
   * Receives every event, in order. If it returns a promise, the next event waits for it.
   * @example (event) => appendFile('/var/log/keys/audit.log', `${JSON.stringify(event)}\n`)
   */
  readonly sink: Observer
  /**
   * Whether the server issues and redeems no key while the sink fails. Each of these requests then waits for the sink,
   * at most 10 seconds, and gets 503 if the sink does not take its event. Verification never waits. Default `false`.
   * @example true
   */
  readonly failClosed?: boolean
}

export const readAudit = object<AuditOptions>({
  sink: required(aFunction('a function that receives events')),
  failClosed: flag,
})
