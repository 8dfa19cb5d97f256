import type { RuleId } from '../lib/index.js'
import { secretOf } from './actor'
import { createStage, subjectOf, victimOf } from './attacks/attack'
import { ATTACKS } from './attacks/attacks'
import { CANARY } from './attacks/guessing'
import { live } from './life/life'
import { client, clientsOf, type Population, SMALL, WEEK_OF_1000 } from './life/population'
import { createWorld, DAY, MINUTE, type OpenedFinding, START, type World } from './world'

export const VARIANTS = [0, 1, 2, 3] as const
export type VariantNumber = (typeof VARIANTS)[number]

/** One world that is simulated. */
export type Simulation =
  | { readonly kind: 'life'; readonly seed: number }
  | {
      readonly kind: 'attacks'
      readonly seed: number
      readonly variant: VariantNumber
      readonly rules: readonly RuleId[]
    }

/** Normal life: all its findings are false. */
export interface LifeResult {
  readonly kind: 'life'
  readonly seed: number
  readonly clients: number
  readonly requests: number
  readonly findings: readonly OpenedFinding[]
}

/** Attacks in normal life. */
export interface AttacksResult {
  readonly kind: 'attacks'
  readonly seed: number
  readonly requests: number
  readonly attacks: readonly AttackResult[]
}

export interface AttackResult {
  readonly rule: RuleId
  readonly title: string
  readonly isFound: boolean
}

export function simulate(simulation: Simulation): Promise<LifeResult | AttacksResult> {
  return simulation.kind === 'life' ? liveFor(7, simulation.seed, WEEK_OF_1000) : attack(simulation)
}

export async function liveFor(days: number, seed: number, population: Population): Promise<LifeResult> {
  const clients = clientsOf(population)
  const world = createWorld({ seed, clients: [...clients, client(CANARY)], canaries: [CANARY] })
  live(world, population)
  await world.timeline.runUntil(START + days * DAY + MINUTE)
  const { findings, requests } = world
  return { kind: 'life', seed, clients: clients.length, requests: requests.sent, findings }
}

/** The rules whose attack has a variant of this number. */
export function rulesWithVariant(rules: readonly RuleId[], variant: VariantNumber): readonly RuleId[] {
  return rules.filter((rule) => ATTACKS[rule].variants[variant] !== undefined)
}

/** Injects one variant of each attack into the second of two days of normal life. */
async function attack({
  seed,
  variant,
  rules,
}: Simulation & { readonly kind: 'attacks' }): Promise<AttacksResult> {
  const world = attackedWorld(seed, rules)
  live(world, SMALL)
  const planned = rules.flatMap((rule) => planAttack(world, rule, variant) ?? [])
  await world.timeline.runUntil(START + 2 * DAY + MINUTE)
  return { kind: 'attacks', seed, requests: world.requests.sent, attacks: planned.map((result) => result()) }
}

function attackedWorld(seed: number, rules: readonly RuleId[], population: Population = SMALL): World {
  const victims = rules.map((rule) =>
    client(victimOf(rule), rule === 'wrong_place' ? { networks: ['198.18.0.0/15'] } : {}),
  )
  const canary = { clientId: CANARY, clientSecret: secretOf(CANARY) }
  return createWorld({ seed, clients: [...clientsOf(population), ...victims, canary], canaries: [CANARY] })
}

/** Plans one attack, and returns the function that says whether a finding of the right rule and subject has come. */
function planAttack(world: World, rule: RuleId, variant: VariantNumber): (() => AttackResult) | undefined {
  const plan = ATTACKS[rule]
  const variantPlan = plan.variants[variant]
  if (variantPlan === undefined) return undefined
  const { title, run } = variantPlan
  const stage = createStage(world, rule, Object.keys(ATTACKS).indexOf(rule) + 1)
  run(stage)
  return () => {
    const subject = subjectOf(plan, variantPlan, stage)
    const isFound = world.findings.some(
      (finding) =>
        finding.rule === rule &&
        finding.subject === subject &&
        finding.at >= Math.floor(stage.start / 1_000) * 1_000,
    )
    return { rule, title, isFound }
  }
}
