import type { Emit, EventOf } from '../ports/events.js'
import type { Schedule } from './findings.js'

const MINUTE = 60_000

/** The most addresses that are told apart in one minute. All others share one summary. */
const MOST_ADDRESSES = 1_000

interface Refusals {
  detailed: number
  readonly suppressed: Map<string, number>
}

/** The name under which all addresses beyond the limit are counted. No address has it. */
const OTHERS = 'others'

/**
 * Limits the refusals of each address that observers get: the first of each minute are complete events, and the others
 * become one summary at the end of the minute. So strangers cannot flood a log, and still no refusal is invisible.
 */
export class RefusalLimiter {
  readonly #most: number
  readonly #emit: Emit
  readonly #schedule: Schedule
  #addresses = new Map<string, Refusals>()
  #hasTimer = false

  /** @param most the complete events of one address and minute */
  constructor(most: number, { emit, schedule }: { readonly emit: Emit; readonly schedule: Schedule }) {
    this.#most = most
    this.#emit = emit
    this.#schedule = schedule
  }

  /** Whether observers get a refusal. */
  passes({ address, reason }: EventOf<'request.refused'>): boolean {
    const refusals = this.#of(address ?? 'unknown')
    if (refusals.detailed < this.#most) {
      refusals.detailed += 1
      return true
    }
    refusals.suppressed.set(reason, (refusals.suppressed.get(reason) ?? 0) + 1)
    return false
  }

  #of(address: string): Refusals {
    this.#startMinute()
    const name = this.#addresses.has(address) || this.#addresses.size < MOST_ADDRESSES ? address : OTHERS
    const refusals = this.#addresses.get(name) ?? { detailed: 0, suppressed: new Map<string, number>() }
    this.#addresses.set(name, refusals)
    return refusals
  }

  #startMinute(): void {
    if (this.#hasTimer) return
    this.#hasTimer = true
    this.#schedule(() => this.#summarize(), MINUTE)
  }

  #summarize(): void {
    const addresses = this.#addresses
    this.#addresses = new Map()
    this.#hasTimer = false
    for (const [name, { suppressed }] of addresses) {
      if (suppressed.size === 0) continue
      const count = [...suppressed.values()].reduce((sum, one) => sum + one, 0)
      const reasons = [...suppressed].map(([reason, times]) => `${reason}: ${times}`)
      const address = name === OTHERS || name === 'unknown' ? undefined : name
      this.#emit('refusals.summarized', { count, reasons }, { address })
    }
  }
}
