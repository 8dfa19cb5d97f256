import type { Request } from 'express'
import { deadline } from '../base/deadline.js'
import { isObject } from '../base/object.js'
import type { AdministrationOptions, AdministrationRole } from './administration-options.js'
import { Problem } from './problem.js'

/** Who sends a request, and what the sender may do. */
export interface Operator {
  readonly role: AdministrationRole
  /** The name for the audit log. */
  readonly actor: string
}

/** Finds the operator of a request. Rejects with a `Problem` if there is none. */
export type FindOperator = (req: Request) => Promise<Operator>

const LONGEST_MILLISECONDS = 5_000

/** The actor of an `authorize` that returns a role without a name. */
const UNNAMED = 'administration'

/**
 * Whatever `authorize` does, only a role that it names lets a request in.
 *
 * @param onFault receives the fault of `authorize`, and the message of its error, which may contain anything
 */
export function operatorFinder(
  authorize: AdministrationOptions['authorize'],
  onFault: (fault: string, detail?: string) => void,
): FindOperator {
  const inTime = deadline({ milliseconds: LONGEST_MILLISECONDS, who: 'authorize' })

  return async function findOperator(req) {
    let access: unknown
    try {
      access = await inTime(async () => authorize(req))
    } catch (error) {
      const { name, message } = error instanceof Error ? error : { name: 'no Error', message: undefined }
      onFault(`authorize has thrown ${/^[\w ]{1,64}$/.test(name) ? name : 'an Error'}`, message)
      throw UNDECIDED
    }
    if (access === false) throw FORBIDDEN
    const operator = operatorOf(access)
    if (operator !== undefined) return operator
    onFault("authorize: expected false, 'view', 'operate' or { role, actor }, got something else")
    throw UNDECIDED
  }
}

const FORBIDDEN = new Problem(403, 'You may not use this administration. Log in as an operator.', {
  refusal: 'forbidden',
})

const UNDECIDED = new Problem(503, 'The server cannot find out what you may do. Look at its log.', {
  refusal: 'undecided',
})

function operatorOf(access: unknown): Operator | undefined {
  if (isRole(access)) return { role: access, actor: UNNAMED }
  if (!isObject(access)) return undefined
  const { role, actor } = access
  return isRole(role) && typeof actor === 'string' && actor.length > 0 && actor.length <= 256
    ? { role, actor }
    : undefined
}

function isRole(value: unknown): value is AdministrationRole {
  return value === 'view' || value === 'operate'
}

/** @throws Problem if the operator may only read */
export function requireRole({ role }: Operator, required: AdministrationRole): void {
  if (required === 'operate' && role !== 'operate')
    throw new Problem(403, 'You may only read. To act, you need the role operate.', { refusal: 'read_only' })
}
