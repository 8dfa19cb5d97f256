import { closest } from '../base/faults.js'
import type { CheckInfo } from './check.js'

/** Which checks run. Both lists contain ids of checks, or names of groups. */
export interface SelectionOptions {
  /** Only these checks. The checks that they need run too. */
  readonly only?: readonly string[]
  /** All checks but these. */
  readonly skip?: readonly string[]
}

/** Whether a check runs, and whether its result is shown. */
export interface Selected {
  readonly isNeeded: boolean
  readonly isReported: boolean
  /** Why the check is skipped. */
  readonly reason?: string
}

export interface Selection {
  of(check: CheckInfo): Selected
}

/** A name that no check and no group has. */
class UnknownCheckError extends Error {
  override readonly name = 'UnknownCheckError'

  constructor(name: string, known: readonly string[]) {
    const near = closest(name, known)
    super(
      `unknown check "${name}"; ${near === undefined ? `expected one of: ${known.join(', ')}` : `did you mean "${near}"?`}`,
    )
  }
}

type Selectable = CheckInfo & { readonly needs?: readonly string[] }

/**
 * Chooses checks by their ids and groups.
 *
 * @throws UnknownCheckError
 */
export function selectChecks(
  checks: readonly Selectable[],
  { only, skip = [] }: SelectionOptions,
): Selection {
  const skipped = idsOf(skip, checks)
  const wanted = only === undefined ? new Set(checks.map(({ id }) => id)) : idsOf(only, checks)
  const needed = withNeeds(wanted, checks)
  return {
    of: ({ id }) => ({
      isNeeded: needed.has(id),
      isReported: wanted.has(id),
      ...(skipped.has(id) && { reason: '--skip names it' }),
    }),
  }
}

/** The name of a group in options: `Client authentication` is `client-authentication`. */
function nameOfGroup(group: string): string {
  return group.toLowerCase().replaceAll(' ', '-')
}

/**
 * The ids of the checks with these names.
 *
 * @throws UnknownCheckError
 */
export function idsOf(names: readonly string[], checks: readonly CheckInfo[]): Set<string> {
  const known = [...new Set(checks.flatMap(({ id, group }) => [id, nameOfGroup(group)]))]
  const unknown = names.find((name) => !known.includes(name))
  if (unknown !== undefined) throw new UnknownCheckError(unknown, known)
  const chosen = checks.filter(({ id, group }) => names.includes(id) || names.includes(nameOfGroup(group)))
  return new Set(chosen.map(({ id }) => id))
}

function withNeeds(wanted: ReadonlySet<string>, checks: readonly Selectable[]): ReadonlySet<string> {
  const needed = new Set(wanted)
  // A check needs only checks before it, so one pass from the end finds all of them.
  for (const { id, needs = [] } of checks.toReversed())
    if (needed.has(id)) for (const one of needs) needed.add(one)
  return needed
}
