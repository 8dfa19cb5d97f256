import type { Expiring, ExpiryQueue, Moment } from './expiry.js'
import type { Sweep } from './sweep.js'

/** Slots end at full hours, so that entries with many different ends share few moments. */
const HOUR_SECONDS = 3_600

/** A place for an entry. It is empty between two entries. */
export class Slot<T> implements Expiring<Slot<T>> {
  entry: T | undefined
  end: Moment<Slot<T>>
  next: Slot<T> | undefined = undefined
  /** The time for which the slot waits in the queue. */
  queuedUntil: number | undefined = undefined

  constructor(entry: T, end: Moment<Slot<T>>) {
    this.entry = entry
    this.end = end
  }
}

/**
 * Slots for entries that often go before their end, because they are removed or make room. The queue of ends keeps a
 * slot until its end, so an empty slot is used again, but not for an entry that ends earlier: the queue would find the end
 * of that entry too late.
 */
export class Slots<T extends { readonly until: number }> {
  readonly #sweep: Sweep
  readonly #expiry: ExpiryQueue<Slot<T>>
  readonly #empty: Slot<T>[] = []

  /** @param forget removes an expired entry from its table */
  constructor(sweep: Sweep, forget: (entry: T) => void) {
    this.#sweep = sweep
    this.#expiry = sweep.queue<Slot<T>>({
      forget(slot) {
        const { entry } = slot
        slot.queuedUntil = undefined
        if (entry === undefined) return
        slot.entry = undefined
        forget(entry)
      },
      keep(slot) {
        slot.queuedUntil = slot.end.time
      },
    })
  }

  fill(entry: T): Slot<T> {
    const end = this.#endOf(entry)
    const slot = this.#emptyUntil(end.time) ?? new Slot(entry, end)
    slot.entry = entry
    slot.end = end
    if (slot.queuedUntil !== undefined) return slot
    slot.queuedUntil = end.time
    this.#expiry.add(slot)
    this.#sweep.start()
    return slot
  }

  /** An empty slot whose end in the queue is not later. */
  #emptyUntil(time: number): Slot<T> | undefined {
    const { queuedUntil = 0 } = this.#empty.at(-1) ?? {}
    return queuedUntil <= time ? this.#empty.pop() : undefined
  }

  replace(slot: Slot<T>, entry: T): void {
    slot.entry = entry
    slot.end = this.#endOf(entry)
  }

  clear(slot: Slot<T>): void {
    if (slot.entry === undefined) return
    slot.entry = undefined
    this.#empty.push(slot)
  }

  /** The entry of a slot, if its time is not over. */
  entryIn(slot: Slot<T> | undefined): T | undefined {
    const entry = slot?.entry
    return entry !== undefined && entry.until >= this.#sweep.nowSeconds() ? entry : undefined
  }

  #endOf({ until }: T): Moment<Slot<T>> {
    return this.#expiry.momentAt(Math.ceil(until / HOUR_SECONDS) * HOUR_SECONDS)
  }
}
