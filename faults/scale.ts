/** Many redemptions of one key at once. */
export interface Storm {
  readonly count: number
  readonly isBound?: boolean
}

/** How much is done, and for how long: all numbers of a run. */
export interface Scale {
  readonly workers: number
  /** How many redemptions of one key come at once. */
  readonly storms: readonly Storm[]
  /** Of random interleavings. */
  readonly randomSeconds: number
  /** How many keys are at work at once in the load. */
  readonly lanes: number
  /** Of load before something is done to it, and after all is well again. */
  readonly calmSeconds: number
  /** For how long Redis is paused, down, full. */
  readonly faultSeconds: number
  /** Requests a second that do not wait for each other, while Redis is paused. */
  readonly floodPerSecond: number
  /** How many keys a crash or a cut catches in the middle. */
  readonly caught: number
  /** Names of scenarios that are left out. */
  readonly without: readonly string[]
}

export const FULL: Scale = {
  workers: 4,
  storms: [{ count: 100 }, { count: 1_000 }, { count: 100, isBound: true }],
  randomSeconds: 60,
  lanes: 8,
  calmSeconds: 2,
  faultSeconds: 5,
  floodPerSecond: 200,
  caught: 20,
  without: [],
}

/** What runs with the tests. */
export const SHORT: Scale = {
  workers: 4,
  storms: [{ count: 100 }, { count: 40, isBound: true }],
  randomSeconds: 4,
  lanes: 6,
  calmSeconds: 0.5,
  faultSeconds: 2.5,
  floodPerSecond: 120,
  caught: 8,
  without: ['cut', 'cut, unconfirmed'],
}

/** What workers are set to, and what is asked of them. */
export const LIMITS = {
  /** `timeoutSeconds` of the store: the default. */
  timeoutSeconds: 2,
  /** `redemptionLeaseSeconds`: longer than any action, and than most stalls. */
  leaseSeconds: 5,
  /** `maxPending` of the store. */
  maxPending: 300,
  /** Beyond the store's timeout, for a machine that has other things to do. */
  slackMilliseconds: 8_000,
  /** From the end of a fault until nothing is answered with 503 any more. */
  recoveryMilliseconds: 15_000,
  /** What a worker may keep of a pause, in bytes, while it lasts. */
  heapGrowth: 48 * 1024 * 1024,
  /** What a run must have got done for its silence to mean something. */
  leastRedemptions: 5,
  callMilliseconds: 20_000,
} as const
