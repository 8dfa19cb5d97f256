import {
  type Deployment,
  type DeploymentOptions,
  deployOverReplicas,
  deployOverSingleRedis,
} from './deployment'
import type { Scale } from './scale'
import type { Scenario } from './scenario'
import { cutOff, cutOffUnconfirmed, failover } from './scenarios/failover'
import { interleavings } from './scenarios/interleavings'
import { redisPaused } from './scenarios/pause'
import { flushAll, fullMemory, redisCrash, scriptFlush } from './scenarios/redis-faults'
import { storm } from './scenarios/storm'
import { workerCrash } from './scenarios/worker-crash'

/** Scenarios that run one after another on the same deployment. */
export interface ScenarioGroup {
  readonly setting: string
  readonly start: (options: DeploymentOptions) => Promise<Deployment>
  readonly scenarios: readonly Scenario[]
}

/** All scenarios of a scale. */
export function catalog(scale: Scale): ScenarioGroup[] {
  const onSingleRedis: Scenario<never>[] = [
    ...scale.storms.map(storm),
    interleavings,
    workerCrash,
    scriptFlush,
    flushAll,
    redisCrash,
    redisPaused,
    fullMemory,
  ]
  const single = { setting: 'one Redis', start: deployOverSingleRedis }
  const replicated = {
    setting: 'a primary and its replica',
    start: (options: DeploymentOptions) => deployOverReplicas({ ...options, minReplicas: 1 }),
  }
  const unconfirmed = { setting: 'a primary that waits for no replica', start: deployOverReplicas }
  return [
    group(scale, single, onSingleRedis),
    group(scale, replicated, [failover]),
    group(scale, replicated, [cutOff]),
    group(scale, unconfirmed, [cutOffUnconfirmed]),
  ].filter(({ scenarios }) => scenarios.length > 0)
}

/** The type parameter guarantees that a group starts the kind of deployment that its scenarios need. */
function group<D extends Deployment>(
  { without }: Scale,
  start: { readonly setting: string; readonly start: (options: DeploymentOptions) => Promise<D> },
  scenarios: readonly Scenario<D>[],
): ScenarioGroup {
  const included = scenarios.filter(({ name }) => !without.includes(name))
  return { ...start, scenarios: included as readonly Scenario<never>[] as readonly Scenario[] }
}
