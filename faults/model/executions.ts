import { type Effect, isSuccess } from './history'
import type { KeyHistory } from './points'

/** One run of an action for a key. */
interface Execution {
  readonly call: string
  readonly worker: number
  /** When its call was made: its claim is no older. */
  readonly asked: number
  readonly began: number
  readonly redemption: string | undefined
  /** Whether its caller was told that it succeeded. */
  readonly isAnswered: boolean
  readonly end: { readonly kind: Effect['kind']; readonly at: number } | undefined
}

/**
 * Pairs of executions of which there must be one at most, whatever anybody was told.
 *
 * Another may follow only one that said of itself that it failed: then the key was given back. None may follow one that
 * succeeded, nor one of which nothing more is known, as its process was killed; and no two may run at once. But the
 * holder of a bound key may try again, under the same name, what has not been answered when its lease is over.
 */
export function executionFaults(key: KeyHistory): string[][] {
  const executions = executionsOf(key)
  const mayFollow = (one: Execution, next: Execution) =>
    hasFailedBefore(one, next) || (key.isBound && isResumedBy(one, next, key.lease))
  return executions.slice(1).flatMap((execution, i) => {
    const before = executions.slice(0, i + 1).find((one) => !mayFollow(one, execution))
    return before === undefined ? [] : [[before, execution].map(describeExecution)]
  })
}

function hasFailedBefore({ end }: Execution, { began }: Execution): boolean {
  return end?.kind === 'failed' && end.at <= began
}

function isResumedBy(one: Execution, next: Execution, lease?: number): boolean {
  const isOver = lease !== undefined && next.began >= one.asked + lease
  // An exchange notes no more than the token; that is none of anybody's who was not told of it.
  const isSame = one.end?.kind === 'minted' || one.redemption === next.redemption
  return isOver && isSame && !one.isAnswered
}

function executionsOf({ effects, calls }: KeyHistory): Execution[] {
  const begun = effects.filter(({ kind }) => kind === 'began' || kind === 'minted')
  return begun
    .map(({ call, worker, kind, at, redemption }) => ({
      call,
      worker,
      asked: calls.find(({ id }) => id === call)?.begin ?? at,
      began: at,
      redemption,
      isAnswered: calls.some((one) => one.id === call && isSuccess(one)),
      end:
        kind === 'minted' ? { kind, at } : effects.find((one) => one.call === call && one.kind !== 'began'),
    }))
    .sort((a, b) => a.began - b.began)
}

function describeExecution({ call, worker, began, end }: Execution): string {
  const ended = end === undefined ? 'and no more is known' : `${end.kind} at ${end.at.toFixed(1)} ms`
  return `${call} at worker ${worker}: began at ${began.toFixed(1)} ms, ${ended}`
}
