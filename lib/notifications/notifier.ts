import { sourceOf } from '../base/network.js'
import { type Reader, rule } from '../base/schema.js'
import type { EventType, Observer, ProvisioningEvent } from '../ports/events.js'
import type { DeliveryQueue, DeliveryStats, Letter } from './delivery-queue.js'

/**
 * Sends events to one receiver.
 *
 * @example
 * async function stop(notifier: Notifier) {
 *   console.log(notifier.stats().queued, 'events were not sent')
 *   notifier.close()
 * }
 */
export interface Notifier {
  /** Receives events. It returns immediately, and never throws. Pass it to `keys.on()` or as the option `observer`. */
  readonly observer: Observer
  stats(): DeliveryStats
  /** Ends all attempts and timers. Events that are not delivered become dead letters. */
  close(): void
}

/** Makes a notifier that sends the events for which `write` returns a letter. */
export function notifierOf<L extends Letter>(
  queue: DeliveryQueue<L>,
  write: (event: ProvisioningEvent) => L | undefined,
): Notifier {
  return {
    observer: (event: ProvisioningEvent) => {
      try {
        const letter = write(event)
        if (letter !== undefined) queue.add(letter)
      } catch {
        const type: unknown = event?.type
        queue.giveUp({ id: '', type: typeof type === 'string' ? type : 'unknown' }, 'invalid')
      }
    },
    stats: () => queue.stats(),
    close: () => queue.close(),
  }
}

/**
 * What an event is about: its type, and the key, the finding, the client or the sender, whichever is known first. A refused
 * request is about its sender: a stranger can name any client.
 */
export function topicOf(event: ProvisioningEvent): string {
  const { type, keyId, findingId, clientId }: Readonly<Record<string, unknown>> = { ...event }
  const sender = event.address && sourceOf(event.address)
  const party = type === 'request.refused' ? (sender ?? clientId) : (clientId ?? sender)
  return `${type} ${keyId ?? findingId ?? party ?? ''}`
}

/** Reads one of these types of events. */
export function eventTypes(known: readonly EventType[]): Reader<EventType> {
  return rule(
    `one of ${known.join(', ')}`,
    (value) => typeof value === 'string' && (known as readonly string[]).includes(value),
  )
}
