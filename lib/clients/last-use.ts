import { networkOf } from '../base/network.js'
import { RecentMap } from '../base/recent-map.js'
import type { Binding } from '../ports/client.js'
import type { UsedClient } from '../ports/deployment.js'
import type { ClientUse, MonitoringStore } from '../ports/monitoring-store.js'

/** The same client is noted at most once in this time, so that its last use costs a busy client nothing. */
const PRECISION_MILLISECONDS = 60_000

/** A client that was not used for so long counts as never used. */
const RETENTION_SECONDS = 400 * 86_400

const CLIENTS_OF_A_GENERATION = 5_000

export class LastUses {
  readonly #store: Pick<MonitoringStore, 'noteUse'>
  readonly #now: () => number
  /** When each of them was last noted, by this process. */
  readonly #noted = new RecentMap<number>(CLIENTS_OF_A_GENERATION)

  constructor(store: Pick<MonitoringStore, 'noteUse'>, now: () => number) {
    this.#store = store
    this.#now = now
  }

  /**
   * Notes a use of a binding as a use of its client too, so that the client was used at least as late as its bindings. The
   * request does not wait for it, and a store that does not answer refuses nothing.
   */
  note({ clientId, bindingId, source }: UsedClient): void {
    const now = this.#now()
    const names = new Set([nameOf(clientId, bindingId), nameOf(clientId)])
    const [used = ''] = names
    if (now - (this.#noted.get(used) ?? Number.NEGATIVE_INFINITY) < PRECISION_MILLISECONDS) return
    for (const name of names) this.#noted.add(name, now)
    const lastUsedAt = Math.floor(now / 1_000)
    const network = networkOf(source.address)
    const until = lastUsedAt + RETENTION_SECONDS
    const use = { clientId, lastUsedAt, until, ...(network !== undefined && { network }) }
    this.#save(use)
    if (bindingId !== undefined) this.#save({ ...use, bindingId })
  }

  #save(use: ClientUse): void {
    this.#store.noteUse(use).catch(() => undefined)
  }
}

function nameOf(clientId: string, bindingId?: string): string {
  return JSON.stringify([clientId, bindingId])
}

/** The binding of a key or certificate. */
export function bindingIdOf(
  bindings: readonly Binding[],
  { jkt, certificate }: { readonly jkt?: string | undefined; readonly certificate?: string | undefined },
): string | undefined {
  const isUsed = ({ confirmation }: Binding) =>
    (jkt !== undefined && confirmation.jkt === jkt) ||
    (certificate !== undefined && confirmation['x5t#S256'] === certificate)
  return bindings.find(isUsed)?.bindingId
}
