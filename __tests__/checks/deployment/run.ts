import type { CheckResult } from '../../../lib/checks/check.js'
import { DEPLOYMENT_CHECKS } from '../../../lib/checks/deployment/checks.js'
import { DeploymentUnderTest } from '../../../lib/checks/deployment/deployment-under-test.js'
import type { DeploymentSettings } from '../../../lib/checks/deployment/session.js'
import { runChecks } from '../../../lib/checks/run-checks.js'
import { type SelectionOptions, selectChecks } from '../../../lib/checks/selection.js'

/** Runs checks of a deployment in this process. */
export async function check(
  settings: DeploymentSettings,
  selection: SelectionOptions = {},
): Promise<{
  readonly results: readonly CheckResult[]
  readonly deployment: DeploymentUnderTest
  readonly left: number
}> {
  const { signal } = new AbortController()
  const deployment = new DeploymentUnderTest(settings)
  const results = await runChecks(DEPLOYMENT_CHECKS, {
    context: deployment,
    selection: selectChecks(DEPLOYMENT_CHECKS, selection),
    signal,
    onResult: () => undefined,
  })
  return { results, deployment, left: await deployment.cleanUp(signal) }
}

/** The ids of the checks with an outcome. */
export function idsWith(results: readonly CheckResult[], outcome: CheckResult['outcome']): string[] {
  return results.filter((result) => result.outcome === outcome).map(({ id }) => id)
}

/** The ids of the clients that the checks have left. */
export function clientsOf({ clients }: DeploymentUnderTest): string[] {
  return [...clients].map(({ clientId }) => clientId)
}
