import { pause, until } from '../clock'
import type { Driver, Key } from '../driver'
import { BEARER } from '../holder'
import { type Call, isSuccess } from '../model/history'
import { LIMITS } from '../scale'
import { type Scenario, underLoad } from '../scenario'
import type { Act, Stage } from '../stage'

const VICTIM = 0
const WORK_MILLISECONDS = 60_000
/** Leases begin with claims, a moment before the worker is killed. */
const AFTER_LEASE_MILLISECONDS = LIMITS.leaseSeconds * 1000 + 500

/** kill -9 of a worker while it is at work for many keys; another takes its place, and all try again. */
export const workerCrash: Scenario = {
  name: 'worker killed',
  title: '`kill -9` of a worker in the middle of redemptions',
  mayGoUnanswered: true,
  play: (stage) =>
    underLoad(stage, {
      isHarmless: true,
      async interfere(act, _load, lift) {
        const keys = await issueSome(act, stage)
        const caught = keys.map((key) =>
          act.driver.redeem(key, VICTIM, { workMilliseconds: WORK_MILLISECONDS }),
        )
        await until('the worker is in the middle of them', () => isInMiddle(act, keys))
        await stage.crew.kill(VICTIM)
        await Promise.all(caught)
        const early = await redeemAll(act.driver, stage, keys)
        await stage.crew.replace(VICTIM)
        lift()
        await pause(AFTER_LEASE_MILLISECONDS)
        const late = await redeemAll(act.driver, stage, keys)
        const again = await redeemAll(act.driver, stage, keys)
        return told(keys, { early, late, again })
      },
    }),
}

/** Every other key is bound, so that its holder can be told from whoever else has it. */
async function issueSome({ driver }: Act, { scale, holders, random }: Stage): Promise<Key[]> {
  const issued = Array.from({ length: scale.caught }, (_, i) => {
    const holder = i % 2 === 0 ? holders[random.below(holders.length)] : undefined
    return driver.issue(1, holder ?? BEARER)
  })
  return (await Promise.all(issued)).filter((key) => key !== undefined)
}

function redeemAll(driver: Driver, { crew }: Stage, keys: readonly Key[]): Promise<Call[]> {
  return Promise.all(keys.map((key, i) => driver.redeem(key, 1 + (i % (crew.size - 1)))))
}

function isInMiddle(act: Act, keys: readonly Key[]): boolean {
  const { effects } = act.history()
  return keys.every(({ keyId }) =>
    effects.some((effect) => effect.keyId === keyId && effect.kind === 'began'),
  )
}

interface Tries {
  /** At once. */
  readonly early: readonly Call[]
  /** After the lease. */
  readonly late: readonly Call[]
  readonly again: readonly Call[]
}

function told(keys: readonly Key[], { early, late, again }: Tries) {
  const isBound = keys.map(({ holder }) => holder.isBound)
  const resumed = late.filter((call, i) => isBound[i] && isSuccess(call))
  const faults = keys.flatMap(({ keyId }, i) => {
    const reasons = [early[i], late[i], again[i]].map((call) => call?.reason ?? call?.status)
    const wanted = isBound[i] ? ['redemption_pending', 201, 201] : Array(3).fill('key_redeeming')
    const isSame = !isBound[i] || late[i]?.outcome === again[i]?.outcome
    return String(reasons) === String(wanted) && isSame ? [] : [`${keyId} got ${reasons.join(', ')}`]
  })
  const dead = isBound.filter((bound) => !bound).length
  const notes = [
    `${keys.length} keys were in the middle: after the lease of ${LIMITS.leaseSeconds} seconds ${resumed.length} of ` +
      `${keys.length - dead} bound ones were redeemed by their holders, the ${dead} of bearers stay dead`,
  ]
  return { notes, faults }
}
