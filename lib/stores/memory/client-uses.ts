import type { ClientUse } from '../../ports/store.js'
import { type Slot, Slots } from './slots.js'
import { SplitMap } from './split-map.js'
import type { Sweep } from './sweep.js'

/** A use, and its neighbours in the list of all uses by their times. */
interface ListedUse {
  use: ClientUse
  readonly until: number
  slot: Slot<ListedUse> | undefined
  earlier: ListedUse | undefined
  later: ListedUse | undefined
}

/** The last uses of clients, and of their bindings. In a full table, the longest unused one makes room. */
export class UseTable {
  /** By client, and then by binding. `undefined` stands for the client itself. */
  readonly #clients = new SplitMap<Map<string | undefined, ListedUse>>()
  readonly #slots: Slots<ListedUse>
  readonly #maximum: number
  #size = 0
  #earliest: ListedUse | undefined
  #latest: ListedUse | undefined

  constructor(sweep: Sweep, maximum: number) {
    this.#slots = new Slots(sweep, (listed) => this.#remove(listed))
    this.#maximum = maximum
  }

  note(use: ClientUse): void {
    const present = this.#get(use)
    const isLiving = present !== undefined && this.#slots.entryIn(present.slot) !== undefined
    if (isLiving && use.lastUsedAt < present.use.lastUsedAt) return
    if (present !== undefined) this.#forget(present)
    this.#add(isLiving ? { ...use, until: Math.max(use.until, present.use.until) } : use)
    if (this.#size > this.#maximum) this.#forgetEarliestExcept(use)
  }

  ofClient(clientId: string): readonly ClientUse[] {
    const listed = [...(this.#clients.get(clientId)?.values() ?? [])]
    return listed.flatMap(({ slot }) => this.#slots.entryIn(slot)?.use ?? [])
  }

  /** The longest unused first. */
  unusedSince(time: number, limit: number): readonly ClientUse[] {
    const found: ClientUse[] = []
    for (let one = this.#earliest; one !== undefined && one.use.lastUsedAt < time; one = one.later) {
      if (found.length >= limit) break
      if (this.#slots.entryIn(one.slot) !== undefined) found.push(one.use)
    }
    return found
  }

  /** The uses of clients, without those of their bindings, also those that are over. */
  *ofClients(): Generator<ClientUse> {
    for (const ofClient of this.#clients.values()) {
      const own = ofClient.get(undefined)
      if (own !== undefined) yield own.use
    }
  }

  /** Whether a use has not ended, and no later one has replaced it. */
  isKept(use: ClientUse): boolean {
    return this.#slots.entryIn(this.#get(use)?.slot)?.use === use
  }

  #get({ clientId, bindingId }: ClientUse): ListedUse | undefined {
    return this.#clients.get(clientId)?.get(bindingId)
  }

  #add(use: ClientUse): void {
    const listed = {
      use,
      until: use.until,
      slot: undefined,
      earlier: undefined,
      later: undefined,
    } as ListedUse
    const ofClient = this.#clients.get(use.clientId) ?? new Map<string | undefined, ListedUse>()
    this.#clients.set(use.clientId, ofClient)
    ofClient.set(use.bindingId, listed)
    listed.slot = this.#slots.fill(listed)
    this.#link(listed)
    this.#size += 1
  }

  #forgetEarliestExcept(use: ClientUse): void {
    const earliest = this.#earliest?.use === use ? this.#earliest.later : this.#earliest
    if (earliest !== undefined) this.#forget(earliest)
  }

  #forget(listed: ListedUse): void {
    this.#remove(listed)
    if (listed.slot !== undefined) this.#slots.clear(listed.slot)
  }

  #remove(listed: ListedUse): void {
    const { clientId, bindingId } = listed.use
    const ofClient = this.#clients.get(clientId)
    ofClient?.delete(bindingId)
    if (ofClient?.size === 0) this.#clients.delete(clientId)
    this.#unlink(listed)
    this.#size -= 1
  }

  /** Times nearly always go forward, so the search for the place takes one step. */
  #link(listed: ListedUse): void {
    let earlier = this.#latest
    while (earlier !== undefined && earlier.use.lastUsedAt > listed.use.lastUsedAt) earlier = earlier.earlier
    this.#join(listed, earlier === undefined ? this.#earliest : earlier.later)
    this.#join(earlier, listed)
  }

  #unlink({ earlier, later }: ListedUse): void {
    this.#join(earlier, later)
  }

  /** Makes two uses neighbours. `undefined` stands for an end of the list. */
  #join(earlier: ListedUse | undefined, later: ListedUse | undefined): void {
    if (earlier === undefined) this.#earliest = later
    else earlier.later = later
    if (later === undefined) this.#latest = earlier
    else later.earlier = earlier
  }
}
