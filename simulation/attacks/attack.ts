import type { RuleId } from '../../lib/index.js'
import { RULES } from '../../lib/monitoring/rules/rules.js'
import { type Actor, actor } from '../actor'
import { provision } from '../life/provision'
import { DAY, HOUR, MINUTE, SECOND, START, type World } from '../world'

/** The clients and the time of one attack. */
export interface Stage {
  readonly world: World
  /** The client that is attacked, with its right address and program. */
  readonly owner: Actor
  /** Somebody with a copy of its secret, at another address and with another program. */
  readonly thief: Actor
  /** The addresses of a botnet or a fleet: each number gives another network. */
  readonly from: (number: number) => Actor
  /** Plans a step of the attack, in milliseconds after its start. */
  readonly at: (milliseconds: number, act: () => unknown) => void
  /** Lets the owner do nothing from now on. */
  readonly silenceOwner: () => void
}

export interface Variant {
  readonly title: string
  /** The subject of the finding. Default: the owner, the address of the thief, or the deployment. */
  readonly subject?: (stage: Stage) => string
  /** Plans the steps of the attack. */
  readonly run: (stage: Stage) => void
}

/** The ways to do what one rule must find. */
export interface Attack {
  readonly rule: RuleId
  readonly variants: readonly [Variant, Variant, Variant, fourth?: Variant]
}

/** The client that the attack for a rule is about. */
export function victimOf(rule: RuleId): string {
  return `victim-${rule}`
}

/** How often the owner gets a key. Statistical rules need more of its history than others. */
const INTERVAL = { statistical: 20 * MINUTE, evidence: 3 * HOUR } as const

/** The attack begins on the second day: statistical rules then know the owner. */
const EARLIEST = DAY + HOUR
const LATEST = DAY + 12 * HOUR

/** @param number another one for each attack in a world */
export function createStage(world: World, rule: RuleId, number: number): Stage & { readonly start: number } {
  const start =
    START + (rule === 'silent_client' ? EARLIEST : EARLIEST + world.random.below(LATEST - EARLIEST))
  const owner = actor({ clientId: victimOf(rule), address: `198.18.${number}.1`, userAgent: 'app/1.0' })
  const other = (address: string) => actor({ ...owner, address, userAgent: 'curl/8.5' })
  const interval = INTERVAL[RULES[rule].kind]
  let isAlive = true
  world.timeline.every(
    (previous) => previous + interval * (0.75 + world.random() / 2),
    () => isAlive && provision(world, { asker: owner, delay: 2 * SECOND }),
  )
  return {
    world,
    owner,
    thief: other(`203.0.${number}.99`),
    from: (network) => other(`45.${number}.${network}.7`),
    start,
    at: (milliseconds, act) => world.timeline.at(start + milliseconds, act),
    silenceOwner: () => {
      isAlive = false
    },
  }
}

export function subjectOf({ rule }: Attack, variant: Variant, stage: Stage): string {
  if (variant.subject !== undefined) return variant.subject(stage)
  const { by } = RULES[rule].signal
  if (by === 'deployment') return by
  return by === 'client' ? `client:${stage.owner.clientId}` : `address:${stage.thief.address}`
}

/** The owner asks for a key, and the attack goes on with it. */
export function withKey(
  { world, owner, at }: Stage,
  milliseconds: number,
  use: (key: string) => unknown,
  { asker = owner, form = {} }: { asker?: Actor; form?: Readonly<Record<string, string>> } = {},
): void {
  at(milliseconds, async () => {
    const { token } = await world.requests.ask(asker, form)
    await use(token ?? '')
  })
}

/** Does something several times. */
export function repeat(
  count: number,
  interval: number,
  act: (milliseconds: number, i: number) => void,
): void {
  for (let i = 0; i < count; i += 1) act(i * interval, i)
}
