import { type Effect, isSuccess } from './history'
import type { KeyHistory } from './points'

/** One execution of an action for a key. */
interface Execution {
  readonly call: string
  readonly worker: number
  /** When the call was sent. The reservation is not older. */
  readonly calledAt: number
  readonly beganAt: number
  readonly redemption: string | undefined
  /** Whether the caller got a success. */
  readonly isAnswered: boolean
  readonly end: { readonly kind: Effect['kind']; readonly at: number } | undefined
}

/**
 * Finds pairs of executions of which only one may happen, whatever the answers were.
 *
 * An execution may follow only one that failed, because then the key was released. It may not follow one that succeeded,
 * nor one whose process was killed, and two may not overlap. Exception: when the lease is over, the owner of a bound key
 * may repeat an execution without answer, as the same redemption.
 */
export function doubleExecutions(key: KeyHistory): string[][] {
  const executions = executionsOf(key)
  const mayFollow = (one: Execution, next: Execution) =>
    hasFailedBefore(one, next) || (key.isBound && isResumedBy(one, next, key.leaseMilliseconds))
  return executions.slice(1).flatMap((execution, i) => {
    const before = executions.slice(0, i + 1).find((one) => !mayFollow(one, execution))
    return before === undefined ? [] : [[before, execution].map(describeExecution)]
  })
}

function hasFailedBefore({ end }: Execution, { beganAt }: Execution): boolean {
  return end?.kind === 'failed' && end.at <= beganAt
}

function isResumedBy(one: Execution, next: Execution, leaseMilliseconds?: number): boolean {
  const isOver = leaseMilliseconds !== undefined && next.beganAt >= one.calledAt + leaseMilliseconds
  // An exchange notes only the token, without its redemption. If there was no answer, no client has the token.
  const isSame = one.end?.kind === 'minted' || one.redemption === next.redemption
  return isOver && isSame && !one.isAnswered
}

function executionsOf({ effects, calls }: KeyHistory): Execution[] {
  const began = effects.filter(({ kind }) => kind === 'began' || kind === 'minted')
  return began
    .map(({ call, worker, kind, at, redemption }) => ({
      call,
      worker,
      calledAt: calls.find(({ id }) => id === call)?.begin ?? at,
      beganAt: at,
      redemption,
      isAnswered: calls.some((one) => one.id === call && isSuccess(one)),
      end:
        kind === 'minted' ? { kind, at } : effects.find((one) => one.call === call && one.kind !== 'began'),
    }))
    .sort((a, b) => a.beganAt - b.beganAt)
}

function describeExecution({ call, worker, beganAt, end }: Execution): string {
  const ended = end === undefined ? 'its end is unknown' : `${end.kind} at ${end.at.toFixed(1)} ms`
  return `${call} at worker ${worker}: began at ${beganAt.toFixed(1)} ms, ${ended}`
}
