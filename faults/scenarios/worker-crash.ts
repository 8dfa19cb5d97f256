import { pause, until } from '../clock'
import type { Deployment, Session } from '../deployment'
import type { Driver, Key } from '../driver'
import { BEARER } from '../key-owner'
import { type Call, isSuccess } from '../model/history'
import { LIMITS } from '../scale'
import { type Findings, type Scenario, underLoad } from '../scenario'

const KILLED_WORKER = 0
const WORK_MILLISECONDS = 60_000
const LEASE_MILLISECONDS = LIMITS.leaseSeconds * 1000

/** Kills a worker while it redeems many keys, and replaces it. Then all clients try again. */
export const workerCrash: Scenario = {
  name: 'worker killed',
  title: 'A server process is killed in the middle of redemptions',
  mayGoUnanswered: true,
  run: (deployment) =>
    underLoad(deployment, {
      redisStaysAvailable: true,
      async inject(session, _load, onEnd) {
        const { driver } = session
        const keys = await issueSome(session, deployment)
        const caught = keys.map((key) =>
          driver.redeem(key, KILLED_WORKER, { workMilliseconds: WORK_MILLISECONDS }),
        )
        await until('the worker runs the actions of all keys', () => runsAll(session, keys))
        await deployment.pool.kill(KILLED_WORKER)
        const interrupted = await Promise.all(caught)
        const early = await redeemAll(driver, deployment, keys)
        await deployment.pool.replace(KILLED_WORKER)
        onEnd()
        // Leases begin with the reservations, before the worker is killed.
        await pause(LEASE_MILLISECONDS + 500)
        const late = await redeemAll(driver, deployment, keys)
        const repeated = await redeemAll(driver, deployment, keys)
        return findings(keys, { interrupted, early, late, repeated })
      },
    }),
}

/** Every other key is bound, so that its owner can resume the redemption. */
async function issueSome({ driver }: Session, { scale, owners, random }: Deployment): Promise<Key[]> {
  const issued = Array.from({ length: scale.caughtKeys }, (_, i) => {
    const owner = i % 2 === 0 ? owners[random.below(owners.length)] : undefined
    return driver.issue(1, owner ?? BEARER)
  })
  return (await Promise.all(issued)).filter((key) => key !== undefined)
}

function redeemAll(driver: Driver, { pool }: Deployment, keys: readonly Key[]): Promise<Call[]> {
  return Promise.all(keys.map((key, i) => driver.redeem(key, 1 + (i % (pool.size - 1)))))
}

function runsAll(session: Session, keys: readonly Key[]): boolean {
  const { effects } = session.history()
  return keys.every(({ keyId }) =>
    effects.some((effect) => effect.keyId === keyId && effect.kind === 'began'),
  )
}

interface Tries {
  /** While the worker was killed. */
  readonly interrupted: readonly Call[]
  /** Immediately after the worker was killed. On a busy machine, some are answered only after the lease. */
  readonly early: readonly Call[]
  /** After the lease. */
  readonly late: readonly Call[]
  readonly repeated: readonly Call[]
}

function findings(keys: readonly Key[], { interrupted, early, late, repeated }: Tries): Findings {
  const isBound = keys.map(({ owner }) => owner.isBound)
  const resumed = late.filter((call, i) => isBound[i] && isSuccess(call))
  const failures = keys.flatMap(({ keyId }, i) => {
    const tries = [early[i], late[i], repeated[i]].filter((call) => call !== undefined)
    const lease = (interrupted[i]?.begin ?? Number.POSITIVE_INFINITY) + LEASE_MILLISECONDS
    const expected = tries.map((call) => {
      if (!isBound[i]) return 'key_redeeming'
      const isAfterLease = call !== early[i] || (isSuccess(call) && call.end >= lease)
      return isAfterLease ? 201 : 'redemption_pending'
    })
    const answers = tries.map((call) => call.reason ?? call.status)
    const outcomes = new Set(tries.filter(isSuccess).map(({ outcome }) => outcome))
    const isSame = tries.length === 3 && String(answers) === String(expected) && outcomes.size <= 1
    return isSame ? [] : [`${keyId} got ${answers.join(', ')}, expected ${expected.join(', ')}`]
  })
  const bearers = isBound.filter((bound) => !bound).length
  const notes = [
    `The process was redeeming ${keys.length - bearers} bound keys and ${bearers} bearer keys when it was killed. ` +
      `After \`redemptionLeaseSeconds\` (here ${LIMITS.leaseSeconds} seconds), the clients redeemed ${resumed.length} of these bound keys. ` +
      `The bearer keys stay reserved`,
  ]
  return { notes, failures }
}
