import { deadline } from '../base/deadline.js'
import { describeSecret, newFaults } from '../base/faults.js'
import { list, object, type Read, type Reader, required, rule, text } from '../base/schema.js'
import { httpsUrl } from '../options/https-url.js'
import { type KeyMaterial, readRs256Keys, type SigningKeys } from '../options/signing-keys.js'
import type { EventType } from '../ports/events.js'
import { MAPPED_TYPES } from './caep.js'
import {
  DELIVERY_MEMBERS,
  type DeliveryOptions,
  type DeliverySettings,
  notePrivateUrl,
  readReceiverUrl,
  withDefaults,
} from './delivery-options.js'
import { eventTypes } from './notifier.js'

/**
 * The receiver of Security Event Tokens.
 *
 * @example
 * const { SOC_TOKEN = '' } = process.env
 * const receiver: SecurityEventReceiverOptions = {
 *   url: 'https://soc.example.com/events',
 *   audience: 'https://soc.example.com',
 *   authorization: `Bearer ${SOC_TOKEN}`,
 * }
 */
export interface SecurityEventReceiverOptions {
  /**
   * The https URL that tokens are pushed to (RFC 8935 2.1). Redirects are not followed.
   * @example 'https://soc.example.com/events'
   */
  readonly url: string | URL
  /**
   * The `aud` of the tokens: what the receiver calls itself (RFC 8417 2.2).
   * @example 'https://soc.example.com'
   */
  readonly audience: string
  /**
   * The value of the header `Authorization`. Give a function if it changes: it is called before each attempt, and may take
   * `timeoutSeconds`. Default: no header.
   * @example async () => `Bearer ${await tokens.issue('soc', ['events'])}`
   */
  readonly authorization?: string | (() => string | Promise<string>)
}

/**
 * Options of `securityEventTransmitter()`.
 *
 * @example
 * const { EVENT_KEY = '' } = process.env
 * const options: SecurityEventTransmitterOptions = {
 *   issuer: 'https://auth.example.com',
 *   signingKeys: EVENT_KEY,
 *   receiver: { url: 'https://soc.example.com/events', audience: 'https://soc.example.com' },
 * }
 */
export interface SecurityEventTransmitterOptions extends DeliveryOptions {
  /**
   * The `iss` of the tokens and of the subjects in them: the option `issuer` of your `provisioningKeys()`.
   * @example 'https://auth.example.com'
   */
  readonly issuer: string
  /**
   * A private RSA key of 2048, 3072 or 4096 bits that signs nothing else, as PEM text, JWK or `KeyObject`. Receivers expect
   * RS256 (CAEP Interoperability Profile 2.6). During a rotation, give a list: the first key signs, and `jwks()` contains all
   * keys. The others can be public.
   * @example process.env.EVENT_KEY ?? ''
   */
  readonly signingKeys: KeyMaterial | readonly KeyMaterial[]
  /**
   * Where the tokens go.
   * @example { url: 'https://soc.example.com/events', audience: 'https://soc.example.com' }
   */
  readonly receiver: SecurityEventReceiverOptions
  /**
   * The types of events to send, among those that have a CAEP event. Default: all of these.
   * @example ['key.replayed', 'client.deleted']
   */
  readonly types?: readonly EventType[]
}

/** The options of a transmitter, read. */
export interface TransmitterSettings {
  readonly issuer: string
  readonly keys: SigningKeys
  readonly url: URL
  readonly audience: string
  /** Makes the header of one attempt. It rejects if the user's function fails, or if its result is no header. */
  readonly authorization: () => Promise<string | undefined>
  /** Whether the next attempt may have another header. */
  readonly renewsAuthorization: boolean
  readonly types: ReadonlySet<string>
  readonly delivery: DeliverySettings
}

/** Printable ASCII: nothing that could add a header (RFC 9110 5.5). */
const HEADER_VALUE = /^[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?$/

const readReceiver = object<SecurityEventReceiverOptions>(
  {
    url: required(readReceiverUrl as Reader<string | URL>),
    audience: required(text('a text that is not empty', (value) => value !== '')),
    authorization: rule(
      'the value of a header in printable ASCII, or a function that returns one',
      (value) => typeof value === 'function' || isHeaderValue(value),
      describeSecret,
    ),
  },
  'an object with url and audience',
  describeSecret,
)

const readOptions = object<Read<SecurityEventTransmitterOptions, { signingKeys: SigningKeys }>>(
  {
    issuer: required(text('an https URL', (value) => httpsUrl(value) !== undefined)),
    signingKeys: required(readRs256Keys),
    receiver: required(readReceiver),
    types: list('a list of event types', eventTypes(MAPPED_TYPES), { least: 1 }),
    ...DELIVERY_MEMBERS,
  },
  'an object with issuer, signingKeys and receiver',
  describeSecret,
)

/** @throws ConfigurationError with all faults of the options */
export function parseTransmitterOptions(given: SecurityEventTransmitterOptions): TransmitterSettings {
  const faults = newFaults()
  const { issuer, signingKeys, receiver, types, ...delivery } = readOptions(given, '', faults)
  const { url, audience, authorization }: Partial<SecurityEventReceiverOptions> = receiver ?? {}
  notePrivateUrl(url as URL | undefined, 'receiver.url', delivery, faults)
  faults.throwIfAny()
  const settings = withDefaults(delivery)
  return {
    issuer,
    keys: signingKeys,
    url: url as URL,
    audience: audience as string,
    authorization: authorizationOf(authorization, settings.timeoutSeconds),
    renewsAuthorization: typeof authorization === 'function',
    types: new Set(types ?? MAPPED_TYPES),
    delivery: settings,
  }
}

function authorizationOf(
  given: SecurityEventReceiverOptions['authorization'],
  timeoutSeconds: number,
): TransmitterSettings['authorization'] {
  if (typeof given !== 'function') return async () => given
  const inTime = deadline({ milliseconds: timeoutSeconds * 1000, who: 'authorization()' })
  return async () => {
    const value = await inTime(given).catch(() => undefined)
    if (isHeaderValue(value)) return value
    throw Object.assign(new Error('authorization() failed'), { code: 'AUTHORIZATION_FAILED' })
  }
}

function isHeaderValue(value: unknown): value is string {
  return typeof value === 'string' && HEADER_VALUE.test(value)
}
