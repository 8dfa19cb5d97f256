import { pause, until } from './clock'
import { audit, type Load, type LoadOptions, startLoad } from './load'
import type { Rule } from './model/check'
import { type History, isSuccess } from './model/history'
import type { Act, Stage } from './stage'

/** What was done to what, and all that was seen of it. */
export interface Trial {
  readonly history: History
  /** When the fault began and was lifted. */
  readonly fault?: { readonly begin: number; readonly lifted: number }
  /** What else is worth telling. */
  readonly notes: readonly string[]
  /** What this scenario in particular wanted and did not get. */
  readonly faults: readonly string[]
}

export interface Scenario<S extends Stage = Stage> {
  readonly name: string
  /** What is done, for the table. */
  readonly title: string
  /** Rules that may be broken here, as documented. */
  readonly mayBreak?: readonly Rule[]
  /** Whether requests may get no answer at all, because a worker is killed. */
  readonly mayGoUnanswered?: boolean
  play(stage: S): Promise<Trial>
}

/** What a scenario has to say of what it did. */
export interface Told {
  readonly notes?: readonly string[]
  readonly faults?: readonly string[]
}

/** What is done to Redis or to a worker while there is load. */
export interface Interference {
  /** Does it and lifts it; where that is not the last thing it does, it says so by `lift`. */
  interfere(act: Act, load: Load, lift: () => void): Promise<Told | undefined>
  /** Whether Redis can be asked all the time. */
  readonly isHarmless?: boolean
}

/** How long a service may take to come back. */
const BACK_WITHIN_MILLISECONDS = 30_000

/** Load; in the middle of it a fault, which is lifted; load until all is well, and then every key is tried. */
export async function underLoad(stage: Stage, { interfere, isHarmless }: Interference): Promise<Trial> {
  const act = stage.begin()
  const { now } = act.recorder
  const options = loadOptions(stage, act)
  const load = startLoad(options)
  await pause(stage.scale.calmSeconds * 1000)
  const isOver = isHarmless ? () => undefined : act.recorder.trouble()
  const begin = now()
  let lifted: number | undefined
  const lift = () => {
    lifted ??= now()
  }
  const told = await interfere(act, load, lift)
  lift()
  const fault = { begin, lifted: lifted ?? now() }
  await until(
    'keys are redeemed again',
    () => isWellSince(act, fault.lifted, stage),
    BACK_WITHIN_MILLISECONDS,
  )
  await pause(stage.scale.calmSeconds * 1000)
  await load.stop()
  isOver()
  await audit(options, load.keys)
  const history = act.history()
  return { history, fault, notes: told?.notes ?? [], faults: told?.faults ?? [] }
}

/** Refusals that do not come of waiting for the store in vain, as on a machine that is busy. */
export function hastyRefusals({ calls, patience }: Pick<History, 'calls' | 'patience'>): string[] {
  const hasty = calls.filter(({ status, begin, end }) => status === 503 && end - begin < patience * 0.9)
  return hasty.map(({ id }) => `${id} got 503 at once though nothing was wrong`)
}

export function loadOptions({ random, holders, scale }: Stage, { driver }: Act): LoadOptions {
  return { driver, random, holders, workers: scale.workers, lanes: scale.lanes }
}

/** Every worker has issued and redeemed. */
function isWellSince({ recorder: { calls } }: Act, time: number, { scale }: Stage): boolean {
  const good = calls.filter((call) => call.begin >= time && isSuccess(call))
  return Array.from({ length: scale.workers }).every((_, worker) =>
    ['issue', 'redeem'].every((verb) => good.some((call) => call.verb === verb && call.worker === worker)),
  )
}
