import type { Effect } from './history'
import type { KeyHistory } from './points'

/** One run of an action for a key. */
interface Execution {
  readonly call: string
  readonly worker: number
  readonly began: number
  readonly end: { readonly kind: Effect['kind']; readonly at: number } | undefined
}

/**
 * Pairs of executions of which there must be one at most, whatever anybody was told.
 *
 * Another may follow only one that said of itself that it failed: then the key was given back. None may follow one that
 * succeeded, nor one of which nothing more is known, as its process was killed; and no two may run at once.
 */
export function executionFaults({ effects }: KeyHistory): string[][] {
  const executions = executionsOf(effects)
  return executions.slice(1).flatMap((execution, i) => {
    const before = executions.slice(0, i + 1).find((one) => !hasFailedBefore(one, execution))
    return before === undefined ? [] : [[before, execution].map(describeExecution)]
  })
}

function hasFailedBefore({ end }: Execution, { began }: Execution): boolean {
  return end?.kind === 'failed' && end.at <= began
}

function executionsOf(effects: readonly Effect[]): Execution[] {
  const begun = effects.filter(({ kind }) => kind === 'began' || kind === 'minted')
  return begun
    .map(({ call, worker, kind, at }) => ({
      call,
      worker,
      began: at,
      end:
        kind === 'minted' ? { kind, at } : effects.find((one) => one.call === call && one.kind !== 'began'),
    }))
    .sort((a, b) => a.began - b.began)
}

function describeExecution({ call, worker, began, end }: Execution): string {
  const ended = end === undefined ? 'and no more is known' : `${end.kind} at ${end.at.toFixed(1)} ms`
  return `${call} at worker ${worker}: began at ${began.toFixed(1)} ms, ${ended}`
}
