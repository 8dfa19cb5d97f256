import { lookup } from 'node:dns/promises'
import { createSecureContext } from 'node:tls'
import { describeSecret, type Faults } from '../base/faults.js'
import { aFunction, clock, flag, type Members, type Reader, rule, seconds, whole } from '../base/schema.js'
import { httpsUrl } from '../options/https-url.js'
import { isPrivateHost } from './public-address.js'

/**
 * Why an event was given up:
 *
 * - `rejected`: the receiver refused it, and would refuse it again
 * - `expired`: all attempts failed until `giveUpAfterSeconds`
 * - `gone`: the receiver wants no more events (410)
 * - `queue_full`: too many events waited
 * - `repeated`: 20 events of this type about the same key, finding, client or sender waited
 * - `closed`: you called `close()`
 * - `invalid`: the event cannot be written as JSON
 *
 * @example
 * const temporary: readonly DeadLetterReason[] = ['expired', 'queue_full', 'closed']
 */
export type DeadLetterReason =
  | 'rejected'
  | 'expired'
  | 'gone'
  | 'queue_full'
  | 'repeated'
  | 'closed'
  | 'invalid'

/**
 * An event that was given up. It contains no secret, and no text of the receiver.
 *
 * @example
 * const onDeadLetter = ({ id, type, reason, detail }: DeadLetter) =>
 *   console.error(`event ${id} (${type}) was not delivered: ${reason} ${detail ?? ''}`)
 */
export interface DeadLetter {
  /** The `webhook-id`, or the `jti` of the Security Event Token. */
  readonly id: string
  /** The type of the event. */
  readonly type: string
  readonly reason: DeadLetterReason
  /** The last failure: a status, an error code of RFC 8935 2.4, or a code of Node such as `ECONNREFUSED`. */
  readonly detail?: string
  /** How often the event was sent. */
  readonly attempts: number
}

/**
 * How events are delivered. Webhooks and Security Event Tokens have these options in common.
 *
 * @example
 * const delivery: DeliveryOptions = { timeoutSeconds: 5, giveUpAfterSeconds: 86_400 }
 */
export interface DeliveryOptions {
  /**
   * How long one attempt may take, in seconds. Default 15, at most 60.
   * @example 5
   */
  readonly timeoutSeconds?: number
  /**
   * The longest wait before the first retry, in seconds. It doubles with each retry, and each wait is a random part of it.
   * Default 1.
   * @example 5
   */
  readonly retryDelaySeconds?: number
  /**
   * The longest wait before any retry, in seconds. A longer `Retry-After` is shortened to it. Default 300.
   * @example 60
   */
  readonly maxRetryDelaySeconds?: number
  /**
   * How long an event is retried, in seconds. After that, it is a dead letter. Default 3600, at most 604,800 (a week).
   * @example 86_400
   */
  readonly giveUpAfterSeconds?: number
  /**
   * The most events that wait or are being sent. Further events become dead letters. Default 1,000, at most 10,000.
   * @example 5_000
   */
  readonly maxQueued?: number
  /**
   * Whether the receiver may have a private, loopback or link-local address. Default `false`: the address is checked
   * whenever a connection is made.
   * @example true
   */
  readonly allowPrivateNetworks?: boolean
  /**
   * The certificates of the authorities that the receiver's certificate may come from, as PEM text. Default: those that
   * Node trusts.
   * @example process.env.INTERNAL_CA ?? ''
   */
  readonly ca?: string | readonly string[]
  /**
   * Resolves a host name to IP addresses. Default: `lookup` of `node:dns`.
   * @example async (hostname) => (hostname === 'hooks.internal' ? ['10.0.0.7'] : [])
   */
  readonly resolveHost?: (hostname: string) => Promise<readonly string[]>
  /**
   * Is called for each event that is given up. Its errors are dropped. Default: a process warning `EPK_DEAD_LETTER` for the
   * first one; `stats()` counts all.
   * @example ({ id, type, reason }) => console.error(`${type} ${id}: ${reason}`)
   */
  readonly onDeadLetter?: (letter: DeadLetter) => unknown
  /**
   * The clock for timestamps, in milliseconds since the epoch. Default `Date.now`.
   * @example () => performance.timeOrigin + performance.now()
   */
  readonly now?: () => number
}

/** The options with their defaults. */
export type DeliverySettings = Required<Omit<DeliveryOptions, 'ca'>> & Pick<DeliveryOptions, 'ca'>

const WEEK = 604_800

const DEFAULTS: Omit<DeliverySettings, 'onDeadLetter'> = {
  timeoutSeconds: 15,
  retryDelaySeconds: 1,
  maxRetryDelaySeconds: 300,
  giveUpAfterSeconds: 3600,
  maxQueued: 1000,
  allowPrivateNetworks: false,
  resolveHost: async (hostname) => (await lookup(hostname, { all: true })).map(({ address }) => address),
  now: Date.now,
}

/** The readers of these options, to be combined with others. */
export const DELIVERY_MEMBERS: Members<DeliveryOptions> = {
  timeoutSeconds: seconds(0.05, 60),
  retryDelaySeconds: seconds(0.001, 3600),
  maxRetryDelaySeconds: seconds(0.001, 86_400),
  giveUpAfterSeconds: seconds(0.05, WEEK),
  maxQueued: whole(1, 10_000),
  allowPrivateNetworks: flag,
  ca: rule('certificates as PEM text, or a list of them', isCertificates, describeSecret),
  resolveHost: aFunction('a function from a host name to a promise of its IP addresses'),
  onDeadLetter: aFunction(),
  now: clock,
}

function isCertificates(value: unknown): boolean {
  const texts: readonly unknown[] = [value].flat()
  const arePem = texts.length > 0 && texts.every((one) => /-----BEGIN CERTIFICATE-----/.test(String(one)))
  if (!arePem) return false
  try {
    createSecureContext({ ca: texts.map(String) })
    return true
  } catch {
    return false
  }
}

export function withDefaults(read: DeliveryOptions): DeliverySettings {
  return { ...DEFAULTS, onDeadLetter: warnerOfDeadLetters(), ...read }
}

/** Without `onDeadLetter`, nobody learns that alerts do not arrive. Warns of the first one. */
function warnerOfDeadLetters(): (letter: DeadLetter) => void {
  let isWarned = false
  return ({ type, reason, detail }) => {
    if (isWarned) return
    isWarned = true
    const why = detail === undefined ? reason : `${reason}, ${detail}`
    process.emitWarning(
      `An event ${type} was not delivered (${why}). This warning comes only once. Set onDeadLetter to learn of each event ` +
        'that is not delivered.',
      { type: 'ProvisioningKeysWarning', code: 'EPK_DEAD_LETTER' },
    )
  }
}

/** Reads the URL of a receiver. The path of many such URLs is a secret, so no fault shows it. */
export const readReceiverUrl: Reader<URL> = (value, path, faults) => {
  const url = httpsUrl(value)
  if (url === undefined)
    faults.reject(path, 'an https URL without credentials and fragment', value, describeSecret)
  return url as URL
}

/** Notes a URL of this machine or a private network. Names are resolved later, at each connection. */
export function notePrivateUrl(
  url: URL | undefined,
  path: string,
  { allowPrivateNetworks }: DeliveryOptions,
  faults: Faults,
): void {
  if (url === undefined || allowPrivateNetworks || !isPrivateHost(url.hostname)) return
  faults.add(path, 'a public host; for a private one, set allowPrivateNetworks', 'a private address')
}
