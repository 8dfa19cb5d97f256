import { withoutUndefined } from '../base/object.js'
import type { ProvisioningEvent } from '../ports/events.js'
import type { EventRow } from './event-map.js'

/** The members of an event that a mapping has not used yet, so that it can keep all others unmapped. */
export class EventMembers {
  readonly #members: Map<string, unknown>

  constructor(event: ProvisioningEvent) {
    this.#members = new Map(Object.entries(withoutUndefined(event)))
  }

  take(name: string): unknown {
    const value = this.#members.get(name)
    this.#members.delete(name)
    return value
  }

  /** Takes a member if it is a text. */
  text(name: string): string | undefined {
    const value = this.#members.get(name)
    if (typeof value !== 'string') return undefined
    this.#members.delete(name)
    return value
  }

  /** Takes a member if it is a number. */
  number(name: string): number | undefined {
    const value = this.#members.get(name)
    if (typeof value !== 'number') return undefined
    this.#members.delete(name)
    return value
  }

  /** Takes a NumericDate, and returns it in milliseconds. */
  milliseconds(name: string): number | undefined {
    const seconds = this.number(name)
    return seconds === undefined ? undefined : seconds * 1_000
  }

  /** Takes a list of texts. */
  texts(name: string): readonly string[] {
    const value = this.take(name)
    return Array.isArray(value) ? value.map(String) : []
  }

  /** All members that nobody has taken; `undefined` if there are none. */
  rest(): Record<string, unknown> | undefined {
    return this.#members.size === 0 ? undefined : Object.fromEntries(this.#members)
  }
}

/** The outcome of an event, as its row says. */
export function outcomeOf(
  event: ProvisioningEvent,
  { outcome }: EventRow,
): 'success' | 'failure' | 'unknown' | undefined {
  if (outcome === 'none') return undefined
  if (outcome !== 'ifRevoked') return outcome
  const { revoked, tokenRevoked } = event as { readonly revoked?: boolean; readonly tokenRevoked?: boolean }
  return revoked === true || tokenRevoked === true ? 'success' : 'unknown'
}

/** An object without its `undefined` members, or `undefined` if it has no others. */
export function present(members: Record<string, unknown>): Record<string, unknown> | undefined {
  const defined = withoutUndefined(members)
  return Object.keys(defined).length === 0 ? undefined : defined
}
