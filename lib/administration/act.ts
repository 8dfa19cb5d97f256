import type { AdministrationAct } from '../ports/administration-events.js'
import type { Call } from './call.js'

type Act = Omit<AdministrationAct, 'author' | 'outcome'>

/** Carries out what an operator wants, and records it for the audit, also if it fails. */
export async function act<T extends string>(
  { context, operator, source }: Call,
  action: Act,
  carryOut: () => Promise<T>,
): Promise<T> {
  const { emit } = context.config.deployment
  const record = (outcome: string) =>
    emit('administration.acted', { ...action, author: operator.actor, outcome }, source)
  try {
    const outcome = await carryOut()
    record(outcome)
    return outcome
  } catch (error) {
    record('failed')
    throw error
  }
}
