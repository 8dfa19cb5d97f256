import { pause, until } from '../clock'
import type { ReplicatedDeployment, Session } from '../deployment'
import type { Key } from '../driver'
import { BEARER } from '../key-owner'
import { isSuccess } from '../model/history'
import { type Scenario, underLoad } from '../scenario'

/** Kills the primary. The sentinels promote its replica, and the killed server comes back as a replica. */
export const failover: Scenario<ReplicatedDeployment> = {
  name: 'failover',
  title: 'The primary is killed, with `minReplicas: 1`',
  run: (deployment) =>
    underLoad(deployment, {
      async inject({ recorder }) {
        await recorder.recordLoss('failed over, replicated', () => failOver(deployment))
        return {}
      },
    }),
}

/** Interrupts the replication before that. Redemptions that the replica does not confirm must fail. */
export const cutOff: Scenario<ReplicatedDeployment> = {
  name: 'cut',
  title: 'The replica is disconnected, then the primary is killed, with `minReplicas: 1`',
  run: (deployment) =>
    underLoad(deployment, {
      inject: async (session) => {
        const keys = await issueSome(session, deployment)
        return session.recorder.recordLoss('failed over, replicated', async () => {
          await deployment.redis.cutReplication()
          const calls = await redeemAll(session, deployment, keys)
          await failOver(deployment)
          const succeeded = calls.filter(isSuccess).length
          const note = `While the replica was disconnected, ${succeeded} of ${keys.length} redemptions succeeded. The right number is 0, because no replica can confirm a redemption`
          return { notes: [note], failures: succeeded === 0 ? [] : [note] }
        })
      },
    }),
}

/** Shows the worst case of a failover without `minReplicas`, which the documentation describes. */
export const cutOffUnconfirmed: Scenario<ReplicatedDeployment> = {
  name: 'cut, unconfirmed',
  title: 'The replica is disconnected, then the primary is killed, without `minReplicas`',
  mayViolate: ['executed twice', 'redeemed twice', 'revoked and redeemed'],
  run: (deployment) =>
    underLoad(deployment, {
      inject: async (session) => {
        const keys = await issueSome(session, deployment)
        return session.recorder.recordLoss('failed over', async () => {
          await deployment.redis.cutReplication()
          const first = await redeemAll(session, deployment, keys)
          await failOver(deployment)
          const second = await redeemAll(session, deployment, keys)
          const twice = keys.filter((_, i) => [first[i], second[i]].every((call) => call && isSuccess(call)))
          const note = `While the replica was disconnected, clients redeemed ${keys.length} keys. After the failover, ${twice.length} of these keys could be redeemed again, because the replica had not got the redemptions`
          return { notes: [note] }
        })
      },
    }),
}

async function failOver({ redis }: ReplicatedDeployment): Promise<void> {
  redis.primary.signal('SIGKILL')
  await until('the sentinels have promoted the replica', redis.hasFailedOver)
  await redis.bringBack()
}

async function issueSome({ driver }: Session, { scale }: ReplicatedDeployment): Promise<Key[]> {
  const keys = await Promise.all(Array.from({ length: scale.caughtKeys }, () => driver.issue(0, BEARER)))
  // Issuing does not wait for the replica, so give it some time.
  await pause(500)
  return keys.filter((key) => key !== undefined)
}

function redeemAll({ driver }: Session, { scale }: ReplicatedDeployment, keys: readonly Key[]) {
  return Promise.all(keys.map((key, i) => driver.redeem(key, i % scale.workers)))
}
