import { sourceOf } from '../base/network.js'
import type { EventType, ProvisioningEvent } from '../ports/events.js'
import { HeavyHitters } from './heavy-hitters.js'
import { memberOf, type Rule, type RuleContext, type SubjectKind, type Threshold } from './rules/rule.js'

/** The most subjects of each kind that one rule counts at a time. */
const MOST_SUBJECTS: Record<SubjectKind, number> = { client: 2_000, address: 1_000, deployment: 1 }

/** A rule whose threshold has been reached. */
export interface Detection {
  readonly rule: Rule
  readonly subject: string
  /** The event that reached the threshold, or one after it. */
  readonly event: ProvisioningEvent
  /** How many events have matched since the last detection, within the time of the threshold. */
  readonly count: number
  /** Whether the event is that of another client: the subject is found by its silence. */
  readonly isByAnother: boolean
}

/** A rule with the settings of a deployment. */
export interface ActiveRule {
  readonly rule: Rule
  readonly threshold: Threshold
}

interface Watcher extends ActiveRule {
  /** `undefined` if the first event opens a finding. */
  readonly counts: HeavyHitters | undefined
  readonly isUnusual: ReturnType<NonNullable<Rule['watch']>> | undefined
  readonly reasons: ReadonlySet<string> | undefined
}

/**
 * Finds misuse in events, by all active rules. It looks at every event once and takes constant time for it. Its memory is
 * bounded, whatever strangers send.
 */
export class Detector {
  readonly #context: RuleContext
  readonly #isExempt: (event: ProvisioningEvent) => boolean
  readonly #watchers = new Map<EventType, Watcher[]>()

  constructor(
    rules: readonly ActiveRule[],
    { isExempt, ...context }: RuleContext & { readonly isExempt: (event: ProvisioningEvent) => boolean },
  ) {
    this.#context = context
    this.#isExempt = isExempt
    for (const active of rules) this.#add(active)
  }

  /** Whether a rule watches events of a type. */
  watches(type: EventType): boolean {
    return this.#watchers.has(type)
  }

  inspect(event: ProvisioningEvent): readonly Detection[] {
    const watchers = this.#watchers.get(event.type)
    if (watchers === undefined || this.#isExempt(event)) return NOTHING
    let detections: Detection[] | undefined
    for (const watcher of watchers) {
      const detection = this.#detect(watcher, event)
      if (detection === undefined) continue
      detections ??= []
      detections.push(detection)
    }
    return detections ?? NOTHING
  }

  #add({ rule, threshold }: ActiveRule): void {
    const { signal, watch } = rule
    const watcher: Watcher = {
      rule,
      threshold,
      counts:
        threshold.count === 1
          ? undefined
          : new HeavyHitters(MOST_SUBJECTS[signal.by], threshold.seconds * 1_000),
      isUnusual: watch?.(),
      reasons: signal.reasons && new Set(signal.reasons),
    }
    for (const type of signal.events) this.#watchers.set(type, [...(this.#watchers.get(type) ?? []), watcher])
  }

  #detect(watcher: Watcher, event: ProvisioningEvent): Detection | undefined {
    const { rule, threshold, counts, isUnusual, reasons } = watcher
    if (event.type === 'request.refused' && reasons?.has(event.reason) === false) return undefined
    if (rule.where?.(event, this.#context) === false) return undefined
    const unusual = isUnusual?.(event) ?? true
    if (unusual === false) return undefined
    const subject = typeof unusual === 'string' ? `client:${unusual}` : subjectOf(event, rule.signal.by)
    if (subject === undefined) return undefined
    if (counts !== undefined && counts.add(subject, event.at.getTime()) < threshold.count) return undefined
    const isByAnother = typeof unusual === 'string'
    return { rule, subject, event, isByAnother, count: counts?.take(subject) ?? 1 }
  }
}

const NOTHING: readonly Detection[] = Object.freeze([])

/** `undefined` for an event without a subject of this kind: nobody could act on such a finding. */
function subjectOf(event: ProvisioningEvent, kind: SubjectKind): string | undefined {
  if (kind === 'deployment') return kind
  if (kind === 'address')
    return event.address === undefined ? undefined : `address:${sourceOf(event.address)}`
  const clientId = memberOf(event, 'clientId')
  return typeof clientId === 'string' ? `client:${clientId}` : undefined
}

/** Whom a finding is about: the client or the address in its `subject`. */
export function partiesOf(subject: string | undefined): { clientId?: string; address?: string } {
  if (subject?.startsWith('client:')) return { clientId: subject.slice('client:'.length) }
  if (subject?.startsWith('address:')) return { address: subject.slice('address:'.length) }
  return {}
}
