import type { Background } from '../base/background.js'
import { sourceOf } from '../base/network.js'
import type { Emit, EventOf, ProvisioningEvent } from '../ports/events.js'

const MINUTE = 60_000

/** The most sources, and again the most keys, that are told apart in one minute. All others share one summary. */
const MOST_SOURCES = 1_000

/** The most summaries of one minute: those of the sources with the most refusals. The others share one. */
const MOST_SUMMARIES = 100

/** The events of refused requests, which strangers can cause. */
type Refusal = EventOf<'request.refused'> | EventOf<'administration.refused'>

export function isRefusal(event: ProvisioningEvent): event is Refusal {
  return event.type === 'request.refused' || event.type === 'administration.refused'
}

/** The refusals of one source, or of one genuine key. */
interface Refusals {
  detailed: number
  readonly suppressed: Map<string, number>
  readonly of: Partial<Pick<EventOf<'request.refused'>, 'address' | 'clientId' | 'keyId'>>
}

/** The name under which everything beyond the limit is counted. No address and no key has it. */
const OTHERS = 'others'

/**
 * Limits the refusals of each source that observers get: the first of each minute are complete events, and the others
 * become one summary at the end of the minute. So strangers cannot flood a log, and still no refusal is invisible. The
 * refusals of a genuine key are counted apart, so that strangers cannot hide them. If the timer of a minute is late or
 * never comes, the next refusal ends the minute.
 */
export class RefusalLimiter {
  readonly #most: number
  readonly #emit: Emit
  readonly #background: Background
  #sources = new Map<string, Refusals>()
  /** Apart from the sources, so that strangers cannot use up the places of keys. */
  #keys = new Map<string, Refusals>()
  /** When the current minute ends. `undefined` before its first refusal. */
  #end: number | undefined

  /** @param most the complete events of one source and minute */
  constructor(most: number, { emit, background }: { readonly emit: Emit; readonly background: Background }) {
    this.#most = most
    this.#emit = emit
    this.#background = background
  }

  /** Whether observers get a refusal. */
  passes(event: Refusal): boolean {
    const refusals = this.#of(event)
    if (refusals.detailed < this.#most) {
      refusals.detailed += 1
      return true
    }
    refusals.suppressed.set(event.reason, (refusals.suppressed.get(event.reason) ?? 0) + 1)
    return false
  }

  #of(event: Refusal): Refusals {
    const { at, address } = event
    this.#startMinute(at.getTime())
    const { clientId, keyId } = event.type === 'request.refused' ? event : {}
    const all = keyId === undefined ? this.#sources : this.#keys
    const wanted = keyId === undefined ? `source ${address && sourceOf(address)}` : `key ${clientId} ${keyId}`
    const name = all.has(wanted) || all.size < MOST_SOURCES ? wanted : OTHERS
    const known = all.get(name)
    if (known !== undefined) return known
    const of = name === OTHERS ? {} : { address, ...(keyId !== undefined && { clientId, keyId }) }
    const refusals: Refusals = { detailed: 0, suppressed: new Map(), of: of as Refusals['of'] }
    all.set(name, refusals)
    return refusals
  }

  #startMinute(now: number): void {
    if (this.#end !== undefined && now >= this.#end) this.#summarize()
    if (this.#end !== undefined) return
    const end = now + MINUTE
    this.#end = end
    this.#background.schedule(() => {
      if (this.#end === end) this.#summarize()
    }, MINUTE)
  }

  #summarize(): void {
    const all = [...this.#keys.values(), ...this.#sources.values()].filter(
      ({ suppressed }) => suppressed.size > 0,
    )
    this.#sources = new Map()
    this.#keys = new Map()
    this.#end = undefined
    const sorted = all.sort((left, right) => countOf(right) - countOf(left))
    for (const refusals of sorted.slice(0, MOST_SUMMARIES)) this.#emitSummary(refusals)
    const rest = sorted.slice(MOST_SUMMARIES)
    if (rest.length > 0) this.#emitSummary(together(rest))
  }

  #emitSummary({ suppressed, of: { address, ...identity } }: Refusals): void {
    const reasons = [...suppressed].map(([reason, times]) => `${reason}: ${times}`)
    this.#emit('refusals.summarized', { ...identity, count: countOf({ suppressed }), reasons }, { address })
  }
}

function countOf({ suppressed }: Pick<Refusals, 'suppressed'>): number {
  return [...suppressed.values()].reduce((sum, one) => sum + one, 0)
}

function together(all: readonly Refusals[]): Refusals {
  const suppressed = new Map<string, number>()
  for (const one of all)
    for (const [reason, times] of one.suppressed)
      suppressed.set(reason, (suppressed.get(reason) ?? 0) + times)
  return { detailed: 0, suppressed, of: {} }
}
