import { RecentMap } from '../../base/recent-map.js'
import type { ProvisioningEvent } from '../../ports/events.js'
import { memberOf } from './rule.js'

/** Half of the most clients that a statistical rule remembers. */
const CLIENTS_OF_A_GENERATION = 5_000

/** What a statistical rule remembers of each client. It remembers at most 10,000, those that it has seen last. */
export class ClientHistory<T> {
  readonly #make: () => T
  readonly #clients = new RecentMap<T>(CLIENTS_OF_A_GENERATION)

  constructor(make: () => T) {
    this.#make = make
  }

  /** The past of the client of an event. */
  of(event: ProvisioningEvent): T {
    const clientId = String(memberOf(event, 'clientId'))
    const known = this.#clients.get(clientId)
    if (known !== undefined) return known
    const made = this.#make()
    this.#clients.add(clientId, made)
    return made
  }
}

/** A mean that forgets: the weight of a value halves with each half-life. */
export class FadingMean {
  readonly #keep: number
  #sum = 0
  #weight = 0

  /** @param halfLife the number of values after which the weight of a value has halved */
  constructor(halfLife: number) {
    this.#keep = 0.5 ** (1 / halfLife)
  }

  get value(): number {
    return this.#weight === 0 ? 0 : this.#sum / this.#weight
  }

  add(value: number): void {
    this.#sum = this.#sum * this.#keep + value
    this.#weight = this.#weight * this.#keep + 1
  }
}

/** The probability of `count` or more events, if `mean` are usual (the tail of a Poisson distribution). */
export function poissonTail(count: number, mean: number): number {
  if (count <= 0) return 1
  let term = Math.exp(-mean)
  let below = term
  for (let i = 1; i < count; i += 1) {
    term *= mean / i
    below += term
  }
  // For a tiny tail, 1 - below would be rounding errors. The first terms of the tail bound it well enough.
  if (1 - below > 1e-9) return 1 - below
  let tail = term * (mean / count)
  let sum = tail
  for (let i = count + 1; tail > sum * 1e-12; i += 1) {
    tail *= mean / i
    sum += tail
  }
  return sum
}
