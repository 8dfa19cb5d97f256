import { type Check, type CheckInfo, type Finding, failed, PASSED, skipped } from '../check.js'
import { NoCertificateError } from './certificate.js'
import type { ClientUnderTest, Experiment } from './client-under-test.js'
import { endOf, type Faults, mustKeepSecrets, type Observation, type Supply } from './observation.js'

/** What an issuer does to a client, and what a correct client does then. */
export interface Scenario extends CheckInfo {
  /** The experiment, or how to prepare it. Default: an issuer without faults, which all such scenarios share. */
  readonly experiment?: (supply: Supply) => Experiment | Promise<Experiment>
  readonly needs?: readonly string[]
  /** What the client did wrong, or why nothing can be said about it. */
  judge(seen: Observation): Faults | { readonly skipped: string }
}

/** What the checks of a client work with. */
export interface ScenarioContext {
  readonly client: ClientUnderTest
  /** Whether `client-secrets` reports the secrets that the client prints even if nothing goes wrong. */
  readonly reportsUsualLeaks: boolean
}

/** The check of a scenario. */
export function scenarioCheck(
  { experiment, judge, ...info }: Scenario,
  timeoutSeconds: number,
): Check<ScenarioContext> {
  return {
    ...info,
    timeoutSeconds,
    async run({ client, reportsUsualLeaks }, signal) {
      const seen = await observe(client, experiment, signal)
      if (typeof seen === 'string') return skipped(seen)
      const verdict = judge(seen)
      if ('skipped' in verdict) return skipped(verdict.skipped)
      const usual = experiment !== undefined && reportsUsualLeaks ? (await client.healthy(signal)).leaks : []
      const leaks = experiment === undefined ? [] : seen.leaks.filter((leak) => !usual.includes(leak))
      return findingOf(seen, [...verdict, ...mustKeepSecrets({ leaks })])
    },
  }
}

async function observe(
  client: ClientUnderTest,
  experiment: Scenario['experiment'],
  signal: AbortSignal,
): Promise<Observation | string> {
  try {
    return experiment === undefined
      ? await client.healthy(signal)
      : await client.observe(await experiment(client.supply), signal)
  } catch (error) {
    if (error instanceof NoCertificateError) return error.message
    throw error
  }
}

function findingOf(seen: Observation, faults: Faults): Finding {
  if (faults.length === 0) return { ...PASSED, details: [{ saw: summaryOf(seen) }] }
  const said = seen.leaks.length > 0 ? undefined : lastWords(seen)
  const actual = [...new Set(faults), ...(said === undefined ? [] : [`it printed: ${said}`])].join('; ')
  return failed({ actual })
}

/** What a report for programs says about a client that did nothing wrong. */
function summaryOf({ runs, exchanges, bindings, leaks }: Observation): string {
  const ends = [...new Set(runs.map(endOf))]
  const counts = `requests: ${exchanges.length}, key pairs bound: ${bindings}`
  return [...ends, counts, leaks.length === 0 ? 'no secret disclosed' : leaks.join(', ')].join('; ')
}

/** The last line of a client that did not succeed. */
function lastWords({ runs }: Observation): string | undefined {
  const line = runs
    .findLast(({ exitCode }) => exitCode !== 0)
    ?.printed.trim()
    .split('\n')
    .at(-1)
    ?.trim()
    .slice(0, 200)
  return line === '' ? undefined : line
}
