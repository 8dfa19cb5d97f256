import type { Scale } from './scale'
import type { Scenario } from './scenario'
import { cutOff, cutOffUnconfirmed, failover } from './scenarios/failover'
import { interleavings } from './scenarios/interleavings'
import { redisPaused } from './scenarios/pause'
import { flushAll, fullMemory, redisCrash, scriptFlush } from './scenarios/redis-faults'
import { storm } from './scenarios/storm'
import { workerCrash } from './scenarios/worker-crash'
import { plainStage, type Stage, type StageOptions, watchedStage } from './stage'

/** Scenarios that can share a stage, one after the other. */
export interface Programme {
  /** What the stage is. */
  readonly setting: string
  readonly start: (options: StageOptions) => Promise<Stage>
  readonly scenarios: readonly Scenario[]
}

/** Everything that is tried, at a scale. */
export function catalog(scale: Scale): Programme[] {
  const plain: Scenario<never>[] = [
    ...scale.storms.map(storm),
    interleavings,
    workerCrash,
    scriptFlush,
    flushAll,
    redisCrash,
    redisPaused,
    fullMemory,
  ]
  const confirmed = (options: StageOptions) => watchedStage({ ...options, minReplicas: 1 })
  return [
    programme(scale, { setting: 'one Redis', start: plainStage }, plain),
    programme(scale, { setting: 'a primary and its replica', start: confirmed }, [failover]),
    programme(scale, { setting: 'a primary and its replica', start: confirmed }, [cutOff]),
    programme(scale, { setting: 'a primary that waits for nobody', start: watchedStage }, [
      cutOffUnconfirmed,
    ]),
  ].filter(({ scenarios }) => scenarios.length > 0)
}

/** The stage that a programme starts is the one that its scenarios want. */
function programme<S extends Stage>(
  { without }: Scale,
  { setting, start }: { readonly setting: string; readonly start: (options: StageOptions) => Promise<S> },
  scenarios: readonly Scenario<S>[],
): Programme {
  const kept = scenarios.filter(({ name }) => !without.includes(name))
  return { setting, start, scenarios: kept as readonly Scenario<never>[] as readonly Scenario[] }
}
