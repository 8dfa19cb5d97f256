import type { Operations } from '../operations/operations.js'
import type { AdministrationAct } from '../ports/event-details.js'
import type { Call } from './call.js'
import type { Problem } from './problem.js'

/** Calls one of the operations. */
export type Action = (operations: Operations, author: string) => Promise<string>

/**
 * Carries out what an operator wants, and records it for the audit, also if it fails.
 *
 * @param missing says that the outcome is `unknown`
 * @throws Problem
 */
export async function act(
  { context, operator, source }: Call,
  action: Omit<AdministrationAct, 'author' | 'outcome'>,
  carryOut: Action,
  missing?: Problem,
): Promise<{ readonly outcome: string }> {
  const { emit } = context.config.deployment
  const record = (outcome: string) =>
    emit('administration.acted', { ...action, author: operator.actor, outcome }, source)
  const outcome = await carryOut(context.operations, operator.actor).catch((error) => {
    record('failed')
    throw error
  })
  record(outcome)
  if (outcome === 'unknown' && missing !== undefined) throw missing
  return { outcome }
}
