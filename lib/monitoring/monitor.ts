import type { EventType, ProvisioningEvent } from '../ports/events.js'
import type { Detector } from './detector.js'
import type { FindingRecorder } from './findings.js'
import { isRefusal, type RefusalLimiter } from './refusal-limiter.js'

/** Looks at each event before the observers get it. */
export interface Monitor {
  /** Whether it looks at events of a type. Events that nobody looks at are not made. */
  watches(type: EventType): boolean
  /** Returns whether the observers get the event. */
  inspect(event: ProvisioningEvent): boolean
}

export function monitor(
  detector: Detector,
  { recorder, refusals }: { readonly recorder: FindingRecorder; readonly refusals: RefusalLimiter },
): Monitor {
  return {
    watches: (type) => detector.watches(type),
    inspect(event) {
      for (const detection of detector.inspect(event)) recorder.add(detection)
      return !isRefusal(event) || refusals.passes(event)
    },
  }
}
