import { object, oneOf, parse, required, text, whole } from '../base/schema.js'
import { CLIENT_ID } from '../ports/client.js'
import { callStore, type Deployment, numericDate } from '../ports/deployment.js'
import {
  type ClientUse,
  type Finding,
  LOCK_KINDS,
  type Lock,
  type LockKind,
} from '../ports/monitoring-store.js'
import type { CloseFindingOutcome, LockOutcome, UnlockOutcome } from '../ports/store-outcomes.js'
import { lockClient, unlockClient } from './locks.js'

/**
 * A lock that an operator makes.
 *
 * @example
 * await keys.lockClient({ clientId: 'runner-7', reason: 'its host was broken into', author: 'alice' })
 */
export interface LockOptions {
  /**
   * The client, or the subject of keys.
   * @example 'runner-7'
   */
  readonly clientId: string
  /**
   * Why you lock it.
   * @example 'its host was broken into'
   */
  readonly reason: string
  /**
   * Who locks it, for the audit log.
   * @example 'alice'
   */
  readonly author: string
  /**
   * `lock`: no keys, and its keys and access tokens are refused. `stepUp`: new keys must be bound to a DPoP key or a
   * certificate. `throttle`: one outstanding key at a time. Default `lock`.
   * @example 'stepUp'
   */
  readonly kind?: LockKind
  /**
   * How long the lock lasts, in seconds. Default 86,400 (a day), at most 31,536,000 (a year).
   * @example 3_600
   */
  readonly lockSeconds?: number
}

/**
 * Names what an operator ends, and the operator.
 *
 * @example
 * await keys.unlockClient({ clientId: 'runner-7', author: 'alice' })
 */
export interface UnlockOptions {
  /**
   * The locked client.
   * @example 'runner-7'
   */
  readonly clientId: string
  /**
   * Who unlocks it, for the audit log.
   * @example 'alice'
   */
  readonly author: string
}

/**
 * Names a finding, and the operator who closes it.
 *
 * @example
 * const [finding] = await keys.findings()
 * if (finding !== undefined) await keys.closeFinding({ findingId: finding.id, author: 'alice' })
 */
export interface CloseFindingOptions {
  /**
   * The `id` of the finding.
   * @example 'replayed_key.473982.5kqV1N0xQ2e0mZ7u'
   */
  readonly findingId: string
  /**
   * Who closes it, for the audit log.
   * @example 'alice'
   */
  readonly author: string
}

/**
 * Selects clients and bindings that have not been used for some time.
 *
 * @example
 * const stale = await keys.unusedClients({ unusedForSeconds: 90 * 86_400 })
 */
export interface UnusedOptions {
  /**
   * How long they have not been used, in seconds.
   * @example 90 * 86_400
   */
  readonly unusedForSeconds: number
  /**
   * The most results. Default 100, at most 1,000.
   * @example 20
   */
  readonly limit?: number
}

/** The operations for findings, locks and the last use of clients. Each concerns all processes that share the store. */
export interface MonitoringOperations {
  /** The open findings, the latest first. A finding ends a week after its last event. */
  findings(): Promise<readonly Finding[]>
  /**
   * Closes a finding. If its rule matches again, a new finding opens.
   *
   * @throws ConfigurationError when an argument is missing; ProvisioningError when the store does not answer
   */
  closeFinding(options: CloseFindingOptions): Promise<CloseFindingOutcome>
  /**
   * Locks a client. It applies to the next request at every process.
   *
   * @returns `unchanged` when a longer lock of the same kind is in force
   * @throws ConfigurationError when an argument is missing or wrong; ProvisioningError when the store does not answer, or
   *   is full
   */
  lockClient(options: LockOptions): Promise<Exclude<LockOutcome, 'full'>>
  /**
   * Ends all locks of a client, whether an operator or a rule has made them.
   *
   * @throws ConfigurationError when an argument is missing; ProvisioningError when the store does not answer
   */
  unlockClient(options: UnlockOptions): Promise<UnlockOutcome>
  /** All locks. */
  locks(): Promise<readonly Lock[]>
  /**
   * When, and from which network, a client and each of its bindings were last used. Precise to a minute. A use of a binding is
   * a use of its client too.
   */
  lastUses(clientId: string): Promise<readonly ClientUse[]>
  /**
   * The clients and bindings that have not been used for some time, the longest unused first. A client that was never
   * used is not among them.
   *
   * @throws ConfigurationError when an argument is missing or wrong; ProvisioningError when the store does not answer
   */
  unusedClients(options: UnusedOptions): Promise<readonly ClientUse[]>
}

const YEAR_SECONDS = 31_536_000
const DEFAULT_LOCK_SECONDS = 86_400
const DEFAULT_LIMIT = 100

const clientId = required(text('the id of a client', CLIENT_ID))
const author = required(text('a name of 1 to 256 characters', isShort))
const readLock = object<LockOptions>({
  clientId,
  author,
  reason: required(text('a reason of 1 to 256 characters', isShort)),
  kind: oneOf(LOCK_KINDS),
  lockSeconds: whole(1, YEAR_SECONDS, ' seconds'),
})
const readUnlock = object<UnlockOptions>({ clientId, author })
const readClose = object<CloseFindingOptions>({
  findingId: required(text('the id of a finding', (given) => given !== '')),
  author,
})
const readUnused = object<UnusedOptions>({
  unusedForSeconds: required(whole(1, 10 * YEAR_SECONDS, ' seconds')),
  limit: whole(1, 1_000),
})

function isShort(given: string): boolean {
  return given.length > 0 && given.length <= 256
}

export function monitoringOperations(deployment: Deployment): MonitoringOperations {
  const { store, emit } = deployment
  return {
    findings: () => callStore(() => store.findings()),
    async closeFinding(options) {
      const read = parse(readClose, options, 'options')
      const outcome = await callStore(() => store.closeFinding(read.findingId))
      if (outcome === 'closed') emit('finding.closed', read)
      return outcome
    },
    async lockClient(options) {
      const {
        kind = 'lock',
        lockSeconds = DEFAULT_LOCK_SECONDS,
        ...read
      } = parse(readLock, options, 'options')
      return lockClient(deployment, { ...read, kind, lockSeconds })
    },
    unlockClient: async (options) => unlockClient(deployment, parse(readUnlock, options, 'options')),
    locks: () => callStore(() => store.locks()),
    lastUses: async (given) => {
      const id = parse(clientId, given, 'clientId')
      return callStore(() => store.lastUses(id))
    },
    async unusedClients(options) {
      const { unusedForSeconds, limit = DEFAULT_LIMIT } = parse(readUnused, options, 'options')
      return callStore(() => store.unusedSince(numericDate(deployment) - unusedForSeconds, limit))
    },
  }
}
