import { networkOf } from '../../base/network.js'
import { ClientHistory, FadingMean, poissonTail } from './client-history.js'
import { memberOf, type Rule } from './rule.js'

const MINUTE = 60_000
const HALF_LIFE_MINUTES = 60
/** The rule is silent before it has seen that much of a client. */
const LEAST_MINUTES = 20
const LEAST_EVENTS = 50
/** A burst has at least so many keys, is so many times the mean, and is that improbable. */
const LEAST_BURST = 20
const LEAST_RATIO = 5
const MOST_PROBABILITY = 1e-6
/** Networks of a client that the rule remembers. */
const MOST_NETWORKS = 32
/** After so many minutes without an event, older minutes count as nothing. */
const LONGEST_GAP_MINUTES = 600

class Issuance {
  readonly #mean = new FadingMean(HALF_LIFE_MINUTES)
  readonly #networks = new Set<string>()
  #minute = Number.NaN
  #count = 0
  #minutes = 0
  #events = 0
  #newNetworks = 0

  /** Counts a key, and returns whether the keys of this minute are a burst. */
  add(nowMilliseconds: number, network: string): boolean {
    this.#goTo(Math.floor(nowMilliseconds / MINUTE))
    this.#count += 1
    this.#events += 1
    if (!this.#networks.has(network)) {
      if (this.#networks.size < MOST_NETWORKS) this.#networks.add(network)
      this.#newNetworks += 1
    }
    return this.#isBurst()
  }

  #isBurst(): boolean {
    const hasHistory = this.#minutes >= LEAST_MINUTES && this.#events - this.#count >= LEAST_EVENTS
    if (!hasHistory || this.#newNetworks === 0 || this.#count < LEAST_BURST) return false
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
    this.#newNetworks = 0
  }
}

export const issuanceBurst: Rule = {
  id: 'issuance_burst',
  version: 1,
  title: 'A client asks for unusually many keys, also from a new network',
  kind: 'statistical',
  severity: 'notice',
  evidence: 'bound',
  techniques: ['T1078.004', 'T1528'],
  signal: {
    events: ['key.issued'],
    condition: `at least ${LEAST_BURST} keys in a minute and ${LEAST_RATIO} times the mean of the client, and some of them from a network that the client has not used before`,
    by: 'client',
  },
  threshold: { count: 1, seconds: 3600 },
  falsePositives: 'The first roll-out in a new region.',
  runbook: [
    'Ask the owner of the client whether it installs devices from a new network now.',
    'If not, its credentials may be stolen: lock the client, rotate its credentials, and revoke its keys.',
  ],
  responses: ['report'],
  watch() {
    const clients = new ClientHistory(() => new Issuance())
    return (event) => {
      const network = networkOf(event.address) ?? 'unknown'
      return clients.of(String(memberOf(event, 'clientId'))).add(event.at.getTime(), network)
    }
  },
}
