import { pause, until } from '../clock'
import type { Key } from '../driver'
import { BEARER } from '../holder'
import { isSuccess } from '../model/history'
import { type Scenario, underLoad } from '../scenario'
import type { Act, WatchedStage } from '../stage'

/** kill -9 of a primary: the sentinels make its replica the primary, and it comes back as a replica. */
export const failover: Scenario<WatchedStage> = {
  name: 'failover',
  title: '`kill -9` of a primary, failover to its replica, `minReplicas: 1`',
  play: (stage) =>
    underLoad(stage, {
      async interfere({ recorder }) {
        await recorder.losing('failed over, replicated', () => failOver(stage))
        return undefined
      },
    }),
}

/** The same, after the replica was cut off for a while: what was not confirmed by it must not have counted. */
export const cutOff: Scenario<WatchedStage> = {
  name: 'cut',
  title: 'The replica cut off, then the primary killed, `minReplicas: 1`',
  play: (stage) =>
    underLoad(stage, {
      interfere: async (act) => {
        const keys = await issueSome(act, stage)
        return act.recorder.losing('failed over, replicated', async () => {
          await stage.watched.cut()
          const calls = await redeemAll(act, stage, keys)
          await failOver(stage)
          const won = calls.filter(isSuccess).length
          const told = `${won} of ${keys.length} redemptions without the replica succeeded`
          return { notes: [told], faults: won === 0 ? [] : [told] }
        })
      },
    }),
}

/** What a failover undoes without `minReplicas`, in the worst case: told so that nobody has to find out. */
export const cutOffUnconfirmed: Scenario<WatchedStage> = {
  name: 'cut, unconfirmed',
  title: 'The same without `minReplicas`',
  mayBreak: ['executed twice', 'redeemed twice', 'revoked and redeemed'],
  play: (stage) =>
    underLoad(stage, {
      interfere: async (act) => {
        const keys = await issueSome(act, stage)
        return act.recorder.losing('failed over', async () => {
          await stage.watched.cut()
          const first = await redeemAll(act, stage, keys)
          await failOver(stage)
          const second = await redeemAll(act, stage, keys)
          const twice = second.filter(
            (call, i) => isSuccess(call) && first.some((one, j) => i === j && isSuccess(one)),
          )
          const notes = [
            `${twice.length} of ${keys.length} keys redeemed while it was cut off could be redeemed again`,
          ]
          return { notes }
        })
      },
    }),
}

async function failOver({ watched }: WatchedStage): Promise<void> {
  watched.primary.signal('SIGKILL')
  await until('the sentinels have made the replica the primary', watched.hasFailedOver)
  await watched.bringBack()
}

async function issueSome({ driver }: Act, { scale }: WatchedStage): Promise<Key[]> {
  const keys = await Promise.all(Array.from({ length: scale.caught }, () => driver.issue(0, BEARER)))
  // Records are not waited for: give the replica the moment it needs.
  await pause(500)
  return keys.filter((key) => key !== undefined)
}

function redeemAll({ driver }: Act, { scale }: WatchedStage, keys: readonly Key[]) {
  return Promise.all(keys.map((key, i) => driver.redeem(key, i % scale.workers)))
}
