import { until } from '../clock'
import type { Key } from '../driver'
import { BEARER } from '../holder'
import { type Scenario, underLoad } from '../scenario'
import type { Act, Stage } from '../stage'

const VICTIM = 0
const WORK_MILLISECONDS = 10_000

/** kill -9 of a worker while it is at work for many keys; another takes its place. */
export const workerCrash: Scenario = {
  name: 'worker killed',
  title: '`kill -9` of a worker in the middle of redemptions',
  mayGoUnanswered: true,
  play: (stage) =>
    underLoad(stage, {
      isHarmless: true,
      async interfere(act) {
        const keys = await issueSome(act, stage)
        const caught = keys.map((key) =>
          act.driver.redeem(key, VICTIM, { workMilliseconds: WORK_MILLISECONDS }),
        )
        await until('the worker is in the middle of them', () => isInMiddle(act, keys))
        await stage.crew.kill(VICTIM)
        await Promise.all(caught)
        const others = keys.map((key, i) => act.driver.redeem(key, 1 + (i % (stage.scale.workers - 1))))
        const again = (await Promise.all(others)).filter(({ reason }) => reason !== 'key_redeeming')
        await stage.crew.replace(VICTIM)
        const notes = [`${keys.length} keys were in the middle: they stay dead`]
        return { notes, faults: again.map(({ id }) => `${id} did not find its key claimed`) }
      },
    }),
}

async function issueSome({ driver }: Act, { scale }: Stage): Promise<Key[]> {
  const keys = await Promise.all(Array.from({ length: scale.caught }, () => driver.issue(1, BEARER)))
  return keys.filter((key) => key !== undefined)
}

function isInMiddle(act: Act, keys: readonly Key[]): boolean {
  const { effects } = act.history()
  return keys.every(({ keyId }) =>
    effects.some((effect) => effect.keyId === keyId && effect.kind === 'began'),
  )
}
