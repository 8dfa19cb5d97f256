import { type Evidence, type Finding, MOST_FINDINGS, SEVERITIES } from '../../ports/monitoring-store.js'
import type { CloseFindingOutcome, NotedFinding } from '../../ports/store.js'
import { byLastAt, keptActions, keptSamples } from '../monitoring-arguments.js'
import { type Slot, Slots } from './slots.js'
import type { Sweep } from './sweep.js'

/**
 * The open findings. In each group of evidence, a finding of the lowest severity makes room for a new one, and of these the
 * one with the earliest `lastAt`.
 */
export class FindingTable {
  readonly #byId = new Map<string, Slot<Finding>>()
  readonly #slots: Slots<Finding>

  constructor(sweep: Sweep) {
    this.#slots = new Slots(sweep, ({ id }) => this.#byId.delete(id))
  }

  note(report: Finding): NotedFinding {
    const slot = this.#byId.get(report.id)
    const present = this.#slots.entryIn(slot)
    const finding = Object.freeze(present === undefined ? report : merged(present, report))
    if (slot === undefined) this.#byId.set(report.id, this.#slots.fill(finding))
    else this.#slots.replace(slot, finding)
    if (present?.evidence !== finding.evidence) this.#makeRoom(finding)
    return Object.freeze({ finding, isOpened: present === undefined })
  }

  /** The latest first. */
  all(): readonly Finding[] {
    const living = [...this.#byId.values()].flatMap((slot) => this.#slots.entryIn(slot) ?? [])
    return living.sort(byLastAt)
  }

  close(id: string): CloseFindingOutcome {
    const outcome = this.#slots.entryIn(this.#byId.get(id)) === undefined ? 'unknown' : 'closed'
    this.#forget(id)
    return outcome
  }

  /** The new one stays, even if others are later or more severe. */
  #makeRoom({ id, evidence }: { readonly id: string; readonly evidence: Evidence }): void {
    let size = 0
    let least: Finding | undefined
    for (const slot of this.#byId.values()) {
      const one = this.#slots.entryIn(slot)
      if (one?.evidence !== evidence) continue
      size += 1
      if (one.id !== id && (least === undefined || isLess(one, least))) least = one
    }
    if (size > MOST_FINDINGS && least !== undefined) this.#forget(least.id)
  }

  #forget(id: string): void {
    const slot = this.#byId.get(id)
    if (slot === undefined) return
    this.#byId.delete(id)
    this.#slots.clear(slot)
  }
}

/** The rank of the severity: 0 for the lowest. */
function rankOf({ severity }: Finding): number {
  return SEVERITIES.indexOf(severity)
}

/** Whether a finding makes room before another one. */
function isLess(one: Finding, other: Finding): boolean {
  const rank = rankOf(one) - rankOf(other)
  return rank < 0 || (rank === 0 && byLastAt(one, other) > 0)
}

/** An open finding with one more report. */
function merged(present: Finding, report: Finding): Finding {
  const severest = Math.max(rankOf(present), rankOf(report))
  return {
    ...present,
    severity: SEVERITIES[severest] ?? present.severity,
    evidence: [present, report].some(({ evidence }) => evidence === 'bound') ? 'bound' : 'unbound',
    count: present.count + report.count,
    firstAt: Math.min(present.firstAt, report.firstAt),
    lastAt: Math.max(present.lastAt, report.lastAt),
    samples: keptSamples([...present.samples, ...report.samples]),
    actions: keptActions([...present.actions, ...report.actions]),
    until: Math.max(present.until, report.until),
  }
}
