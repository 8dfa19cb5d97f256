import type { Check } from '../check.js'
import { type ScenarioContext, scenarioCheck } from './scenario.js'
import { ENROLLMENT } from './scenarios/enrollment.js'
import { IMPOSTORS } from './scenarios/impostors.js'
import { REFUSALS } from './scenarios/refusals.js'
import { RETRIES } from './scenarios/retries.js'

const SCENARIOS = [...ENROLLMENT, ...RETRIES, ...REFUSALS, ...IMPOSTORS]
/** The time to start an issuer and to end a client, in seconds. */
const SETUP_SECONDS = 20
const MOST_STARTS = 2

/**
 * The checks of a client.
 *
 * @param timeoutSeconds the longest time of one start of the client
 */
export function clientChecks(timeoutSeconds: number): readonly Check<ScenarioContext>[] {
  return SCENARIOS.map((scenario) => scenarioCheck(scenario, MOST_STARTS * timeoutSeconds + SETUP_SECONDS))
}
