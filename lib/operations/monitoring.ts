import type { Background } from '../base/background.js'
import { deadline } from '../base/deadline.js'
import { networkTester } from '../base/network.js'
import { inSlices } from '../base/slices.js'
import { Detector } from '../monitoring/detector.js'
import type { EventHub } from '../monitoring/event-hub.js'
import { FindingRecorder, type Incident } from '../monitoring/findings.js'
import { monitor } from '../monitoring/monitor.js'
import { RefusalLimiter } from '../monitoring/refusal-limiter.js'
import { memberOf, type RuleResponse } from '../monitoring/rules/rule.js'
import type { MonitoringRules } from '../options/monitoring.js'
import {
  type Deployment,
  numericDate,
  type StoringDeployment,
  type VerifyingDeployment,
} from '../ports/deployment.js'
import type { ProvisioningEvent } from '../ports/events.js'
import type { KeyRef, Lock, LockKind } from '../ports/store.js'
import { revokeFamily } from '../redemption/containment.js'
import { revokeKey } from '../redemption/revocation.js'
import { lockClient } from './locks.js'

/**
 * Lets the rules look at each event of a deployment.
 *
 * @param background the simulation has its own clock
 */
export function startMonitoring(
  deployment: Deployment | VerifyingDeployment,
  events: EventHub,
  rules: MonitoringRules,
  background: Background,
): void {
  const { emit } = events
  const isExempt = exemption(rules)
  const store = 'askIssuer' in deployment ? undefined : deployment.store
  const respond = 'askIssuer' in deployment ? reportOnly : responder(deployment, rules)
  const detector = new Detector(rules.active, { canaries: rules.canaries, isExempt })
  const recorder = new FindingRecorder({ store, emit, background, respond })
  const refusals = new RefusalLimiter(rules.detailedRefusals, { emit, background })
  events.watch(monitor(detector, { recorder, refusals }))
}

async function* reportOnly(): AsyncIterable<RuleResponse> {
  yield 'report'
}

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

/** A lock of a rule is renewed at most once in this time. Otherwise a long attack would fill the log with its event. */
const RENEWAL_SECONDS = 30

/** If a store takes longer to list the locks, the rule renews its lock. */
const LONGEST_LISTING_MILLISECONDS = 1_000

/**
 * Makes the function that reads the locks in force. Another process may have made or ended some. Responses at the same time
 * share one call of the store.
 */
function lockReader({ store }: StoringDeployment): () => Promise<readonly Lock[]> {
  const inTime = deadline({ milliseconds: LONGEST_LISTING_MILLISECONDS, who: 'The store' })
  let listing: Promise<readonly Lock[]> | undefined
  const end = () => {
    listing = undefined
  }
  return function readLocks() {
    listing ??= inTime(() => store.locks())
      .catch(() => [])
      .finally(end)
    return listing
  }
}

/** Carries out the responses of a rule. It yields each one when it has taken effect. */
function responder(deployment: Deployment | StoringDeployment, { active, lockSeconds }: MonitoringRules) {
  const responsesOf = new Map(active.map(({ rule, responses }) => [rule.id, responses]))
  const readLocks = lockReader(deployment)

  async function lock(kind: LockKind, { rule, findingId, clientId }: Incident): Promise<boolean> {
    if (clientId === undefined) return false
    const latest = numericDate(deployment) - RENEWAL_SECONDS
    const isNew = (one: Lock) => one.author.startsWith('rule ') && one.lockedAt > latest
    const isInForce = (one: Lock) => one.clientId === clientId && one.kind === kind && isNew(one)
    if ((await readLocks()).some(isInForce)) return true
    const given = { clientId, kind, reason: `finding ${findingId}`, author: `rule ${rule.id}`, lockSeconds }
    return (await lockClient(deployment, given)) === 'locked'
  }

  async function act(response: RuleResponse, incident: Incident): Promise<boolean> {
    const kind = LOCKS[response]
    if (kind !== undefined) return lock(kind, incident)
    if (response !== 'revokeKey' && response !== 'revokeFamily') return response === 'report'
    const outcomes = await inSlices(incident.keys, (key) => revoke(deployment, response, key))
    return outcomes.includes('revoked')
  }

  return async function* respond(incident: Incident): AsyncIterable<RuleResponse> {
    for (const response of responsesOf.get(incident.rule.id) ?? [])
      if (await act(response, incident).catch(() => false)) yield response
  }
}

/** Only a process that can save clients can revoke what a key was redeemed for. */
async function revoke(
  deployment: Deployment | StoringDeployment,
  response: 'revokeKey' | 'revokeFamily',
  key: KeyRef,
): Promise<string> {
  if (response === 'revokeKey') return revokeKey(deployment, key)
  return 'registry' in deployment ? revokeFamily(deployment, key) : 'unknown'
}
