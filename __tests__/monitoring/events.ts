import { Detector } from '../../lib/monitoring/detector.js'
import type { RuleId } from '../../lib/monitoring/rules/rule.js'
import { RULES } from '../../lib/monitoring/rules/rules.js'
import { type EventType, type ProvisioningEvent, SEVERITY } from '../../lib/ports/events.js'

export const START_MILLISECONDS = 1_700_000_000_000

/** An event, some milliseconds after the start. It has only the details that a test gives. */
export function eventAt(milliseconds: number, type: EventType, details: object): ProvisioningEvent {
  const at = new Date(START_MILLISECONDS + milliseconds)
  const envelope = { type, code: type, at, severity: SEVERITY[type], address: '192.0.2.1' }
  return { ...envelope, ...details } as unknown as ProvisioningEvent
}

/** A detector with some rules, with their own thresholds. */
export function detectorOf(...ids: RuleId[]): Detector {
  const active = ids.map((id) => ({ rule: RULES[id], threshold: RULES[id].threshold }))
  return new Detector(active, { canaries: new Set(['canary']), isExempt: () => false })
}
