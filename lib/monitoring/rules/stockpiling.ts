import { ClientHistory, FadingMean } from './client-history.js'
import { rule } from './rule.js'

const WINDOW = 600_000
const LEAST_KEYS = 50
/** Usually the client redeems more than this share of its keys. */
const USUAL_SHARE = 0.5
const LEAST_SHARE = 0.1
/** The rule is silent before it has seen so many windows of a client. */
const LEAST_WINDOWS = 3
const HALF_LIFE_WINDOWS = 12

class Stock {
  readonly #share = new FadingMean(HALF_LIFE_WINDOWS)
  #windows = 0
  #window = Number.NaN
  #issued = 0
  #redeemed = 0

  /** Counts an event, and returns whether the client collects keys. */
  add(nowMilliseconds: number, isIssued: boolean): boolean {
    const window = Math.floor(nowMilliseconds / WINDOW)
    if (window !== this.#window) this.#start(window)
    if (isIssued) this.#issued += 1
    else this.#redeemed += 1
    const isUnusual = this.#windows >= LEAST_WINDOWS && this.#share.value > USUAL_SHARE
    return isIssued && isUnusual && this.#issued >= LEAST_KEYS && this.#redeemed < LEAST_SHARE * this.#issued
  }

  #start(window: number): void {
    if (this.#issued > 0) {
      this.#share.add(Math.min(1, this.#redeemed / this.#issued))
      this.#windows += 1
    }
    this.#window = window
    this.#issued = 0
    this.#redeemed = 0
  }
}

export const stockpiling = rule({
  id: 'stockpiling',
  version: 1,
  title: 'A client collects keys and does not redeem them',
  kind: 'statistical',
  severity: 'notice',
  evidence: 'bound',
  techniques: ['T1528'],
  signal: {
    events: ['key.issued', 'key.redeemed'],
    condition: `the client got at least ${LEAST_KEYS} keys in 10 minutes, and redeemed less than a tenth of them. Before, this client usually redeemed more than half of its keys`,
    by: 'client',
  },
  falsePositives:
    'The devices cannot reach the server, but the program that installs them still asks for keys.',
  runbook: [
    'Check whether the devices of the client can redeem their keys. If they can, ask the person who runs the client why the client needs so many keys.',
    'In the policy of the client, lower outstandingKeys to the number of unused keys that the client really needs, and lifetimeSeconds to the time that a device needs.',
  ],
  watch() {
    const clients = new ClientHistory(() => new Stock())
    return (event) => clients.of(event).add(event.at.getTime(), event.type === 'key.issued')
  },
})
