import { networkTester } from '../base/network.js'
import { Detector } from '../monitoring/detector.js'
import type { EventHub } from '../monitoring/event-hub.js'
import { FindingRecorder, type Incident, type Schedule } from '../monitoring/findings.js'
import { monitor } from '../monitoring/monitor.js'
import { RefusalLimiter } from '../monitoring/refusal-limiter.js'
import { memberOf, type RuleResponse } from '../monitoring/rules/rule.js'
import type { MonitoringRules } from '../options/monitoring.js'
import type { Deployment, VerifyingDeployment } from '../ports/deployment.js'
import type { ProvisioningEvent } from '../ports/events.js'
import type { LockKind } from '../ports/store.js'
import { revokeFamily } from '../redemption/containment.js'
import { revokeKey } from '../tokens/revocation.js'
import { lockClient } from './locks.js'

/** Lets the rules look at each event of a deployment. */
export function startMonitoring(
  deployment: Deployment | VerifyingDeployment,
  events: EventHub,
  rules: MonitoringRules,
): void {
  const { emit } = events
  const isExempt = exemption(rules)
  const store = 'askIssuer' in deployment ? undefined : deployment.store
  const respond = 'registry' in deployment ? responder(deployment, rules) : async () => ['report']
  const parts = {
    detector: new Detector(rules.active, { canaries: rules.canaries, isExempt }),
    recorder: new FindingRecorder({ store, emit, schedule, respond }),
    refusals: new RefusalLimiter(rules.detailedRefusals, { emit, schedule }),
  }
  events.watch(monitor(parts))
}

/** A timer of monitoring does not keep the process alive. */
const schedule: Schedule = (act, milliseconds) => void setTimeout(act, milliseconds).unref()

function exemption({ exemptClients, exemptNetworks }: MonitoringRules) {
  const isExemptAddress = networkTester(exemptNetworks)
  return (event: ProvisioningEvent): boolean => {
    if (exemptClients.size > 0 && exemptClients.has(String(memberOf(event, 'clientId')))) return true
    return exemptNetworks.length > 0 && isExemptAddress(event.address)
  }
}

const LOCKS: Partial<Record<RuleResponse, LockKind>> = {
  throttle: 'throttle',
  stepUp: 'stepUp',
  lockClient: 'lock',
}

/** Carries out the responses of a rule. It returns those that have taken effect. */
function responder(deployment: Deployment, { active, lockSeconds }: MonitoringRules) {
  const responsesOf = new Map(active.map(({ rule, responses }) => [rule.id, responses]))

  async function act(
    response: RuleResponse,
    { rule, findingId, clientId, keys }: Incident,
  ): Promise<boolean> {
    const kind = LOCKS[response]
    if (kind !== undefined) {
      if (clientId === undefined) return false
      const lock = { clientId, kind, reason: `finding ${findingId}`, author: `rule ${rule.id}` }
      return (await lockClient(deployment, { ...lock, lockSeconds })) === 'locked'
    }
    if (response === 'report') return true
    const revoke = response === 'revokeKey' ? revokeKey : revokeFamily
    const outcomes = await Promise.all(keys.map((key) => revoke(deployment, key)))
    return outcomes.includes('revoked')
  }

  return async (incident: Incident): Promise<readonly string[]> => {
    const taken: string[] = []
    for (const response of responsesOf.get(incident.rule.id) ?? [])
      if (await act(response, incident).catch(() => false)) taken.push(response)
    return taken
  }
}
