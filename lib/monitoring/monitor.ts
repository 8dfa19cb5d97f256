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

/** The parts of a monitor. */
export interface MonitorParts {
  readonly detector: Detector
  readonly recorder: FindingRecorder
  readonly refusals: RefusalLimiter
}

export function monitor({ detector, recorder, refusals }: MonitorParts): Monitor {
  return {
    watches: (type) => detector.watches(type),
    inspect(event) {
      for (const detection of detector.inspect(event)) recorder.add(detection)
      return !isRefusal(event) || refusals.passes(event)
    },
  }
}
