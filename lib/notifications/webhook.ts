import { createHmac, randomUUID } from 'node:crypto'
import type { ProvisioningEvent } from '../ports/events.js'
import { DeliveryQueue, type Letter, type Verdict } from './delivery-queue.js'
import { type Answer, httpsPost, type NoAnswer } from './https-post.js'
import { type Notifier, notifierOf, topicOf } from './notifier.js'
import { verdictOf } from './verdict.js'
import { parseWebhookOptions, type WebhookOptions } from './webhook-options.js'

/** An event as JSON, once: each attempt sends the same bytes. */
interface WebhookLetter extends Letter {
  readonly body: string
}

/** A new finding can have a lower severity, but somebody should look at it. */
const ALWAYS_SENT: ReadonlySet<string> = new Set(['finding.opened'])

/**
 * Sends events to an HTTPS server as webhooks (Standard Webhooks 1.0.0). By default, it sends all events of the severity
 * `high`. It retries failed attempts with the same `webhook-id`, and stops for ever if the receiver answers 410.
 *
 * @throws ConfigurationError with all faults of the options
 *
 * @example
 * const { HOOK_SECRET = '' } = process.env
 * const hook = webhook({ url: 'https://alerts.example.com/hooks/keys', secrets: [HOOK_SECRET] })
 * keys.on('*', hook.observer)
 */
export function webhook(options: WebhookOptions): Notifier {
  const { url, secrets, types, delivery } = parseWebhookOptions(options)
  const { now } = delivery
  const post = httpsPost(url, delivery)

  async function send({ id, body }: WebhookLetter, signal: AbortSignal): Promise<Verdict> {
    const timestamp = Math.floor(now() / 1000)
    const headers = {
      'content-type': 'application/json',
      'user-agent': 'express-provisioning-keys',
      'webhook-id': id,
      'webhook-timestamp': String(timestamp),
      'webhook-signature': signatures(secrets, `${id}.${timestamp}.${body}`),
    }
    return webhookVerdict(await post({ headers, body }, signal), now())
  }

  const isSent = ({ type, severity }: ProvisioningEvent) =>
    types === undefined ? severity === 'high' || ALWAYS_SENT.has(type) : types.has(type)
  const queue = new DeliveryQueue(send, delivery)
  return Object.freeze(notifierOf(queue, (event) => (isSent(event) ? letterOf(event) : undefined)))
}

/** The id has no full stop, because full stops separate the signed parts. */
function letterOf(event: ProvisioningEvent): WebhookLetter {
  const { type, at } = event
  const body = JSON.stringify({ type, timestamp: at.toISOString(), data: event })
  return { id: `msg_${randomUUID()}`, type, topic: topicOf(event), body }
}

/** One signature for each secret, so that a receiver can change its secret at any time during a rotation. */
function signatures(secrets: readonly Buffer[], content: string): string {
  return secrets
    .map((secret) => `v1,${createHmac('sha256', secret).update(content).digest('base64')}`)
    .join(' ')
}

function webhookVerdict(result: Answer | NoAnswer, now: number): Verdict {
  const status = 'status' in result ? result.status : 0
  if (status >= 200 && status < 300) return { kind: 'delivered' }
  return status === 410 ? { kind: 'gone', detail: '410' } : verdictOf(result, now)
}
