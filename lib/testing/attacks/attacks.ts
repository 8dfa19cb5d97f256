import { list, object, oneOf, parse } from '../../base/schema.js'
import type { TestApp } from '../over-https.js'
import * as presented from './presented.js'
import * as reuse from './reuse.js'
import { type AttackedRoute, type AttackingKit, readAttackedRoute, Target } from './target.js'

const RUNS = { ...presented, ...reuse }

/**
 * The name of an attack.
 *
 * @example
 * const names: readonly AttackName[] = ['replay', 'race']
 */
export type AttackName = keyof typeof RUNS

/**
 * Tries one attack on a route.
 *
 * @example
 * async function prove(attack: Attack) {
 *   await attack(app, { method: 'POST', path: '/devices', scope: 'devices:create' })
 * }
 */
export type Attack = (app: TestApp, route: AttackedRoute) => Promise<void>

/**
 * Options of `attacks.all()`.
 *
 * @example
 * const options: AttackOptions = { except: ['expired'] }
 */
export interface AttackOptions {
  /**
   * Attacks to leave out. Default: none.
   * @example ['expired']
   */
  readonly except?: readonly AttackName[]
}

const NAMES = Object.keys(RUNS) as AttackName[]

const readOptions = object<AttackOptions>({ except: list('a list of attacks', oneOf(NAMES)) })

/**
 * Attacks on a route. Each first sends an honest request, which must have success. It rejects with an `AssertionError` if the
 * app accepts the attack, if it answers with 500 or above, or if its answer contains the key.
 *
 * @example
 * async function prove(attacks: Attacks) {
 *   await attacks.all(app, { method: 'POST', path: '/devices', scope: 'devices:create' })
 * }
 */
export interface Attacks extends Readonly<Record<AttackName, Attack>> {
  /** Tries every attack that can concern the route, and answers with their names. */
  all(app: TestApp, route: AttackedRoute, options?: AttackOptions): Promise<readonly AttackName[]>
}

export function attacksOf(kit: AttackingKit): Attacks {
  const attack = async (name: AttackName, app: TestApp, route: AttackedRoute) => {
    const target = new Target(kit, name, { app, route })
    await target.requireSuccess()
    await RUNS[name](target)
  }
  const each = NAMES.map((name) => {
    const one: Attack = async (app, route) => attack(name, app, readAttackedRoute(route))
    return [name, one]
  })
  return Object.freeze({
    ...(Object.fromEntries(each) as Record<AttackName, Attack>),
    async all(app: TestApp, given: AttackedRoute, options: AttackOptions = {}) {
      const route = readAttackedRoute(given)
      const { except = [] } = parse(readOptions, options, 'attacks.all')
      const tried = NAMES.filter((name) => !except.includes(name) && concerns(name, route))
      for (const name of tried) await attack(name, app, route)
      return tried
    },
  })
}

/** Whether an attack can concern a route. */
function concerns(name: AttackName, { credential, redeems = true, ...route }: AttackedRoute): boolean {
  const isForKeys = credential !== 'access token'
  if (name === 'replay' || name === 'race') return isForKeys && redeems
  if (name === 'wrongAudience') return route.otherAudience !== undefined
  // A client that may not exchange keys has no access token.
  return name !== 'wrongKind' || !isForKeys
}
