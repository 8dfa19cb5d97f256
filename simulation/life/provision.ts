import type { Actor } from '../actor'
import { SECOND, type World } from '../world'

/** The share of redemptions whose answer is lost. */
const LOST = 1 / 500

/** How a device gets its access token. */
export interface Provisioning {
  /** Who asks for the key. */
  readonly asker: Actor
  /** Who redeems it. Default: the same. */
  readonly redeemer?: Actor
  readonly form?: Readonly<Record<string, string>>
  /** The time between both, in milliseconds. */
  readonly delay: number
}

/** Asks for a key, and redeems it later. If the answer is lost, the client repeats the redemption. */
export async function provision(
  world: World,
  { asker, redeemer = asker, form, delay }: Provisioning,
): Promise<boolean> {
  const { requests, timeline, random } = world
  const { token: key } = await requests.ask(asker, form)
  if (key === undefined) return false
  timeline.after(delay, async () => {
    await requests.redeem(redeemer, key)
    if (random.chance(LOST)) timeline.after(5 * SECOND, () => requests.redeem(redeemer, key))
  })
  return true
}

/** A time between two, in milliseconds. */
export function between({ random }: World, least: number, most: number): number {
  return Math.round(least + random() * (most - least))
}
