import type { RequestSource } from '../base/request.js'
import type { Deployment } from '../ports/deployment.js'
import type { EventDetails } from '../ports/events.js'

/** Emits an event if a client is a canary, which nobody has a reason to use. */
export function noteCanary(
  { canaries, emit }: Pick<Deployment, 'canaries' | 'emit'>,
  use: EventDetails['canary.used'],
  source: RequestSource,
): void {
  if (canaries.has(use.clientId)) emit('canary.used', use, source)
}
