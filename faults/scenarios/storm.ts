import { BEARER } from '../holder'
import { isSuccess } from '../model/history'
import type { Storm } from '../scale'
import type { Scenario, Trial } from '../scenario'
import type { Stage } from '../stage'

/** Very many redemptions of one key, at every worker in the same moment. */
export function storm(one: Storm): Scenario {
  const { count, isBound = false } = one
  return {
    name: `storm of ${count}${isBound ? ', bound' : ''}`,
    title: `${count.toLocaleString('en')} redemptions of one ${isBound ? 'bound ' : ''}key at once`,
    play: (stage) => play(stage, one),
  }
}

async function play(stage: Stage, { count, isBound = false }: Storm): Promise<Trial> {
  const { recorder, driver, history } = stage.begin()
  const { workers } = stage.scale
  const turns = Array.from({ length: count }, (_, i) => i % workers)
  for (let worker = 0; worker < workers; worker += 1) await driver.connect(worker, Math.ceil(count / workers))
  const key = await driver.issue(0, (isBound ? stage.holders[0] : undefined) ?? BEARER)
  if (key === undefined) return { history: history(), notes: [], faults: ['no key was issued'] }
  await Promise.all(turns.map((worker) => driver.redeem(key, worker, { workMilliseconds: 20 })))
  await driver.redeem(key, 0)
  const won = recorder.calls.filter((call) => call.verb === 'redeem' && isSuccess(call))
  const outcomes = new Set(won.map(({ outcome }) => outcome))
  const isRight = outcomes.size === 1 && (isBound || won.length === 1)
  const told = isBound
    ? `${won.length} got an answer, and ${outcomes.size === 1 ? 'all the same' : `${outcomes.size} different ones`}`
    : `${won.length} won`
  return { history: history(), notes: [told], faults: isRight ? [] : [told] }
}
