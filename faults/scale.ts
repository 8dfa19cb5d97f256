/** Concurrent redemptions of one key. */
export interface Storm {
  readonly count: number
  readonly isBound?: boolean
}

/** The size and duration of a run. */
export interface Scale {
  readonly workers: number
  readonly storms: readonly Storm[]
  /** How long `interleavings` runs. */
  readonly randomSeconds: number
  /** The number of keys that the load uses at the same time. */
  readonly concurrency: number
  /** How long the load runs before a fault and after the recovery. */
  readonly calmSeconds: number
  /** How long Redis is paused, down or full. */
  readonly faultSeconds: number
  /** The rate of requests while Redis is paused. They do not wait for each other. */
  readonly floodPerSecond: number
  /** The number of keys that are being redeemed when a worker is killed or a replica is cut off. */
  readonly caughtKeys: number
  /** The names of the scenarios to leave out. */
  readonly without: readonly string[]
}

export const FULL: Scale = {
  workers: 4,
  storms: [{ count: 100 }, { count: 1_000 }, { count: 100, isBound: true }],
  randomSeconds: 60,
  concurrency: 8,
  calmSeconds: 2,
  faultSeconds: 5,
  floodPerSecond: 200,
  caughtKeys: 20,
  without: [],
}

/** The scale that `npm test` uses. */
export const SHORT: Scale = {
  workers: 4,
  storms: [{ count: 100 }, { count: 40, isBound: true }],
  randomSeconds: 4,
  concurrency: 6,
  calmSeconds: 0.5,
  faultSeconds: 2.5,
  floodPerSecond: 120,
  caughtKeys: 8,
  without: ['cut', 'cut, unconfirmed'],
}

/** The settings of the workers, and the limits that results must keep. */
export const LIMITS = {
  /** `timeoutSeconds` of the store: the default. */
  timeoutSeconds: 2,
  /** `redemptionLeaseSeconds`: longer than every action, and than most delays of a busy machine. */
  leaseSeconds: 5,
  /** `maxPending` of the store. */
  maxPending: 300,
  /** How much longer than the store's timeout a 503 may take on a busy machine. */
  slackMilliseconds: 8_000,
  /** How long after the end of a fault a 503 may still occur. */
  recoveryMilliseconds: 15_000,
  /** How many bytes the heap of a worker may grow while Redis is paused. */
  heapGrowth: 48 * 1024 * 1024,
  /** With fewer redemptions, a scenario proves nothing. */
  minRedemptions: 5,
  callMilliseconds: 20_000,
} as const
