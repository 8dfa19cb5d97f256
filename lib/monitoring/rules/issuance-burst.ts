import { networkOf } from '../../base/network.js'
import { ClientHistory, FadingMean, poissonTail } from './client-history.js'
import { rule } from './rule.js'

const MINUTE = 60_000
const HALF_LIFE_MINUTES = 60
/** The rule is silent before it has seen that much of a client. */
const LEAST_MINUTES = 20
const LEAST_EVENTS = 50
/** A burst has at least so many keys, is so many times the mean, and is that improbable. */
const LEAST_BURST = 20
const LEAST_RATIO = 5
const MOST_PROBABILITY = 1e-6
/** Autoscaling adds a new network for a few keys of a roll-out. A thief asks for most of them from new networks. */
const LEAST_NEW_SHARE = 0.5
/** So long is a network new. */
const NEW_MINUTES = 60
/** Networks of a client that the rule remembers: those that it has used last. */
const MOST_NETWORKS = 32
/** After so many minutes without an event, older minutes count as nothing. */
const LONGEST_GAP_MINUTES = 600

class Issuance {
  readonly #mean = new FadingMean(HALF_LIFE_MINUTES)
  /** The minute in which each network was first used. */
  readonly #networks = new Map<string, number>()
  #minute = Number.NaN
  #count = 0
  #minutes = 0
  #events = 0
  #countOfNew = 0

  /** Counts a key, and returns whether the keys of this minute are a burst. */
  add(nowMilliseconds: number, network: string): boolean {
    this.#goTo(Math.floor(nowMilliseconds / MINUTE))
    this.#count += 1
    this.#events += 1
    if (this.#isNew(network)) this.#countOfNew += 1
    return this.#isBurst()
  }

  #isNew(network: string): boolean {
    const firstUsed = this.#networks.get(network) ?? this.#minute
    // A Map keeps the order in which its entries were set, so its first entry is the one not used for longest.
    this.#networks.delete(network)
    const [oldest] = this.#networks.keys()
    if (this.#networks.size >= MOST_NETWORKS && oldest !== undefined) this.#networks.delete(oldest)
    this.#networks.set(network, firstUsed)
    return this.#minute - firstUsed < NEW_MINUTES
  }

  #isBurst(): boolean {
    const hasHistory = this.#minutes >= LEAST_MINUTES && this.#events - this.#count >= LEAST_EVENTS
    if (!hasHistory || this.#count < LEAST_BURST) return false
    if (this.#countOfNew < LEAST_NEW_SHARE * this.#count) return false
    const mean = this.#mean.value
    return this.#count >= LEAST_RATIO * mean && poissonTail(this.#count, mean) < MOST_PROBABILITY
  }

  #goTo(minute: number): void {
    if (minute === this.#minute) return
    const gap = Number.isNaN(this.#minute) ? 0 : Math.min(minute - this.#minute, LONGEST_GAP_MINUTES)
    for (let i = 0; i < gap; i += 1) this.#mean.add(i === 0 ? this.#count : 0)
    this.#minutes += gap
    this.#minute = minute
    this.#count = 0
    this.#countOfNew = 0
  }
}

export const issuanceBurst = rule({
  id: 'issuance_burst',
  version: 1,
  title: 'A client asks for unusually many keys from new networks',
  kind: 'statistical',
  severity: 'notice',
  evidence: 'bound',
  techniques: ['T1078.004', 'T1528'],
  signal: {
    events: ['key.issued'],
    condition: `in one minute, the client asks for at least ${LEAST_BURST} keys, and for at least ${LEAST_RATIO} times as many keys as usual. At least half of these requests come from networks that the client used for the first time within the last hour`,
    by: 'client',
  },
  falsePositives: 'The client installs devices in a new region for the first time.',
  runbook: [
    'Ask the person who runs the client whether the client installs devices from a new network now.',
    'If the client does not install devices, its credentials may be stolen: lock the client with lockClient (button "Lock client" in the view of the client), change its credentials, and revoke its keys with revokeAllIssuedBefore (button "Revoke all keys" in the view of the client).',
  ],
  watch() {
    const clients = new ClientHistory(() => new Issuance())
    return (event) => {
      const network = networkOf(event.address) ?? 'unknown'
      return clients.of(event).add(event.at.getTime(), network)
    }
  },
})
