import { decodeCanonical } from '../base/canonical-base64.js'
import { describeSecret, newFaults } from '../base/faults.js'
import { list, object, type Reader, required, rule } from '../base/schema.js'
import { type EventType, SEVERITY } from '../ports/events.js'
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
 * Options of `webhook()`.
 *
 * @example
 * const { HOOK_URL = '', HOOK_SECRET = '' } = process.env
 * const options: WebhookOptions = { url: HOOK_URL, secrets: [HOOK_SECRET], types: ['key.replayed', 'key.forged'] }
 */
export interface WebhookOptions extends DeliveryOptions {
  /**
   * The https URL of the receiver. Redirects are not followed.
   * @example 'https://alerts.example.com/hooks/provisioning'
   */
  readonly url: string | URL
  /**
   * The secret that signs the webhooks: `whsec_`, and 24 to 64 random bytes in base64. During a rotation, give the new
   * and the old secret: then each webhook has two signatures, and the receiver accepts either.
   * @example [process.env.HOOK_SECRET ?? '']
   */
  readonly secrets: readonly string[]
  /**
   * The types of events to send. Default: all events of the severity `high`.
   * @example ['key.replayed', 'client.deleted']
   */
  readonly types?: readonly EventType[]
}

/** The options of a webhook, read. */
export interface WebhookSettings {
  readonly url: URL
  /** The bytes of the secrets. */
  readonly secrets: readonly Buffer[]
  readonly types: ReadonlySet<string> | undefined
  readonly delivery: DeliverySettings
}

const PREFIX = 'whsec_'
const SECRET_BYTES = { least: 24, most: 64 }

/** The bytes of a secret of Standard Webhooks 1.0.0; `undefined` if the text is none. */
function secretBytes(text: unknown): Buffer | undefined {
  if (typeof text !== 'string' || !text.startsWith(PREFIX)) return undefined
  const bytes = decodeCanonical(text.slice(PREFIX.length), 'base64')
  const isLong = bytes !== undefined && bytes.length >= SECRET_BYTES.least
  return isLong && bytes.length <= SECRET_BYTES.most ? bytes : undefined
}

const readSecret = rule<string>(
  `${PREFIX} and ${SECRET_BYTES.least} to ${SECRET_BYTES.most} bytes in base64 (generate one: echo "${PREFIX}$(openssl rand -base64 32)")`,
  (value) => secretBytes(value) !== undefined,
  describeSecret,
)

const SECRETS = 'a list of one secret, or two during a rotation'
const readList = list(SECRETS, readSecret, { least: 1, most: 2 })

const readSecrets: Reader<readonly string[]> = (value, path, faults) => {
  if (!Array.isArray(value)) {
    // It may be the secret itself.
    faults.reject(path, SECRETS, value, describeSecret)
    return undefined as never
  }
  const secrets = readList(value, path, faults)
  if (secrets?.length === 2 && secrets[0] === secrets[1])
    faults.add(`${path}[1]`, 'another secret than the first', 'the same secret again')
  return secrets
}

const readOptions = object<WebhookOptions>(
  {
    url: required(readReceiverUrl as Reader<string | URL>),
    secrets: required(readSecrets),
    types: list('a list of event types', eventTypes(Object.keys(SEVERITY) as EventType[]), { least: 1 }),
    ...DELIVERY_MEMBERS,
  },
  'an object with url and secrets',
  describeSecret,
)

/** @throws ConfigurationError with all faults of the options */
export function parseWebhookOptions(given: WebhookOptions): WebhookSettings {
  const faults = newFaults()
  const { url, secrets = [], types, ...delivery } = readOptions(given, '', faults)
  notePrivateUrl(url as URL | undefined, 'url', delivery, faults)
  faults.throwIfAny()
  return {
    url: url as URL,
    secrets: secrets.map((secret) => secretBytes(secret) as Buffer),
    types: types && new Set(types),
    delivery: withDefaults(delivery),
  }
}
