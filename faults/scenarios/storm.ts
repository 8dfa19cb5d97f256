import type { Deployment } from '../deployment'
import { BEARER } from '../key-owner'
import { isSuccess } from '../model/history'
import type { Storm } from '../scale'
import type { Observation, Scenario } from '../scenario'

/** Many redemptions of one key, at all workers at the same moment. */
export function storm(options: Storm): Scenario {
  const { count, isBound = false } = options
  return {
    name: `storm of ${count}${isBound ? ', bound' : ''}`,
    title: `${count.toLocaleString('en')} requests redeem one ${isBound ? 'bound ' : ''}key at the same time`,
    run: (deployment) => run(deployment, options),
  }
}

async function run(deployment: Deployment, { count, isBound = false }: Storm): Promise<Observation> {
  const { recorder, driver, history } = deployment.startSession()
  const { workers } = deployment.scale
  for (let worker = 0; worker < workers; worker += 1) await driver.connect(worker, Math.ceil(count / workers))
  const key = await driver.issue(0, (isBound ? deployment.owners[0] : undefined) ?? BEARER)
  if (key === undefined) return { history: history(), notes: [], failures: ['no key was issued'] }
  const targets = Array.from({ length: count }, (_, i) => i % workers)
  await Promise.all(targets.map((worker) => driver.redeem(key, worker, { workMilliseconds: 20 })))
  await driver.redeem(key, 0)
  const succeeded = recorder.calls.filter((call) => call.verb === 'redeem' && isSuccess(call))
  const outcomes = new Set(succeeded.map(({ outcome }) => outcome))
  const isRight = outcomes.size === 1 && (isBound || succeeded.length === 1)
  const note = isBound
    ? `Of these requests and one later request, ${succeeded.length} succeeded, and got ${outcomes.size === 1 ? 'the same answer' : `${outcomes.size} different answers`}`
    : `Of these requests, ${succeeded.length} redeemed the key`
  return { history: history(), notes: [note], failures: isRight ? [] : [note] }
}
