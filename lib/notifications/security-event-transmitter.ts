import { randomUUID } from 'node:crypto'
import { parseObject } from '../base/object.js'
import type { JwkSet } from '../jose/jwk.js'
import { signJwt } from '../jose/jwt.js'
import { publish } from '../jose/key-ring.js'
import type { ProvisioningEvent } from '../ports/events.js'
import { caepClaims } from './caep.js'
import { DeliveryQueue, type Letter, type Verdict } from './delivery-queue.js'
import { type Answer, httpsPost, type NoAnswer } from './https-post.js'
import { type Notifier, notifierOf, topicOf } from './notifier.js'
import {
  parseTransmitterOptions,
  type SecurityEventTransmitterOptions,
  type TransmitterSettings,
} from './security-event-transmitter-options.js'
import { verdictOf } from './verdict.js'

/**
 * Pushes Security Event Tokens to one receiver.
 *
 * @example
 * function publish(transmitter: SecurityEventTransmitter) {
 *   app.get('/security-events/jwks', (req, res) => res.json(transmitter.jwks()))
 * }
 */
export interface SecurityEventTransmitter extends Notifier {
  /** The public keys of `signingKeys` (RFC 7517 5). Serve them, and give the URL to the receiver. */
  jwks(): JwkSet
}

/** A token. It is signed at the first attempt, and each attempt sends the same one (RFC 8935 2). */
interface TokenLetter extends Letter {
  token(): string
}

/**
 * Pushes Security Event Tokens (RFC 8417, RFC 8935) with CAEP 1.0 events: `credential-change` and `session-revoked`. It is
 * a push transmitter only, and no complete transmitter of the Shared Signals Framework: it has no streams, no verification
 * events and no poll delivery.
 *
 * @throws ConfigurationError with all faults of the options
 *
 * @example
 * const { EVENT_KEY = '' } = process.env
 * const transmitter = securityEventTransmitter({
 *   issuer: 'https://auth.example.com',
 *   signingKeys: EVENT_KEY,
 *   receiver: { url: 'https://soc.example.com/events', audience: 'https://soc.example.com' },
 * })
 * keys.on('*', transmitter.observer)
 */
export function securityEventTransmitter(options: SecurityEventTransmitterOptions): SecurityEventTransmitter {
  const settings = parseTransmitterOptions(options)
  const { url, delivery, types, keys } = settings
  const post = httpsPost(url, delivery)

  async function send(letter: TokenLetter, signal: AbortSignal): Promise<Verdict> {
    const authorization = await settings.authorization()
    const headers = {
      'content-type': 'application/secevent+jwt',
      accept: 'application/json',
      'user-agent': 'express-provisioning-keys',
      ...(authorization !== undefined && { authorization }),
    }
    const result = await post({ headers, body: letter.token() }, signal)
    return transmissionVerdict(result, settings)
  }

  const queue = new DeliveryQueue(send, delivery)
  const write = (event: ProvisioningEvent) => (types.has(event.type) ? letterOf(event, settings) : undefined)
  return Object.freeze({ ...notifierOf(queue, write), jwks: () => publish([keys.active, ...keys.others]) })
}

function letterOf(event: ProvisioningEvent, settings: TransmitterSettings): TokenLetter | undefined {
  const caep = caepClaims(event)
  if (caep === undefined) return undefined
  const { issuer, audience, keys, delivery } = settings
  const id = randomUUID()
  const claims = {
    iss: issuer,
    jti: id,
    iat: Math.floor(delivery.now() / 1000),
    aud: audience,
    ...(event.traceId !== undefined && { txn: event.traceId }),
    // RFC 9493 3.2.2.
    sub_id: { format: 'iss_sub', iss: issuer, sub: caep.subject ?? issuer },
    events: caep.events,
  }
  let token: string | undefined
  return {
    id,
    type: event.type,
    topic: topicOf(event),
    token: () => {
      token ??= signJwt(claims, keys.active, 'secevent+jwt')
      return token
    },
  }
}

/** The registered error codes (RFC 8935 7.1). Any other text of the receiver is not passed on. */
const ERROR_CODES: readonly unknown[] = [
  'invalid_request',
  'invalid_key',
  'invalid_issuer',
  'invalid_audience',
  'authentication_failed',
  'access_denied',
]

/** 202 is the only success (RFC 8935 2.2). A token that was refused is not sent again (RFC 8935 2). */
function transmissionVerdict(result: Answer | NoAnswer, settings: TransmitterSettings): Verdict {
  const status = 'status' in result ? result.status : 0
  if (status === 202) return { kind: 'delivered' }
  const error = status === 400 ? errorCodeIn(result as Answer) : undefined
  const detail = error === undefined ? String(status) : `${status} ${error}`
  // An expired access token is recoverable, if the next attempt has another one.
  const isUnauthenticated = status === 401 || error === 'authentication_failed'
  if (isUnauthenticated && settings.renewsAuthorization) return { kind: 'failed', detail }
  return error === undefined ? verdictOf(result, settings.delivery.now()) : { kind: 'rejected', detail }
}

function errorCodeIn({ body }: Answer): string | undefined {
  const error = parseObject(body)?.err
  return ERROR_CODES.includes(error) ? (error as string) : undefined
}
