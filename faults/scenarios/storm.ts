import { BEARER } from '../holder'
import type { Scenario, Trial } from '../scenario'
import type { Stage } from '../stage'

/** Very many redemptions of one key, at every worker in the same moment. */
export function storm(count: number): Scenario {
  return {
    name: `storm of ${count}`,
    title: `${count.toLocaleString('en')} redemptions of one key at once`,
    play: (stage) => play(stage, count),
  }
}

async function play(stage: Stage, count: number): Promise<Trial> {
  const { recorder, driver, history } = stage.begin()
  const { workers } = stage.scale
  const turns = Array.from({ length: count }, (_, i) => i % workers)
  for (let worker = 0; worker < workers; worker += 1) await driver.connect(worker, Math.ceil(count / workers))
  const key = await driver.issue(0, BEARER)
  if (key === undefined) return { history: history(), notes: [], faults: ['no key was issued'] }
  await Promise.all(turns.map((worker) => driver.redeem(key, worker, { workMilliseconds: 20 })))
  await driver.redeem(key, 0)
  const winners = recorder.calls.filter(({ verb, status }) => verb === 'redeem' && status === 201)
  const told = `${winners.length} won`
  return { history: history(), notes: [told], faults: winners.length === 1 ? [] : [told] }
}
