import { clock } from './clock'
import type { Call, Effect, History, Loss, Trouble } from './model/history'

/** Writes down what happens in one scenario; its times are milliseconds since it began. */
export interface Recorder {
  nextId(): string
  now(): number
  record(call: Call): void
  bound(keyId: string): void
  /** The store loses something while `act` runs. */
  losing<T>(kind: Loss['kind'], act: () => Promise<T>): Promise<T>
  /** The store may not answer from now on; the function that is answered ends that. */
  trouble(): () => void
  readonly calls: readonly Call[]
  /** With what actions noted of the keys that were issued here. */
  history(effects: readonly Effect[]): History
}

/**
 * @param mark makes the ids of calls different from those of other scenarios, with which workers share a journal
 */
export function recorder(mark: string, settings: Pick<History, 'patience' | 'lease'>): Recorder {
  const start = clock()
  const calls: Call[] = []
  const bound = new Set<string>()
  const losses: Loss[] = []
  const troubles: { begin: number; end: number }[] = []
  const now = () => clock() - start
  let count = 0
  return {
    calls,
    now,
    nextId() {
      count += 1
      return `${mark}${count}`
    },
    record: (call) => calls.push({ ...call, begin: call.begin - start, end: call.end - start }),
    bound: (keyId) => bound.add(keyId),
    async losing(kind, act) {
      const begin = now()
      const result = await act()
      losses.push({ kind, begin, end: now() })
      return result
    },
    trouble() {
      const trouble: { begin: number; end: number } = { begin: now(), end: Number.POSITIVE_INFINITY }
      troubles.push(trouble)
      return () => {
        trouble.end = now()
      }
    },
    history(effects) {
      const ids = new Set(calls.map(({ keyId }) => keyId))
      const own = effects.filter(({ keyId }) => ids.has(keyId)).map((one) => ({ ...one, at: one.at - start }))
      return { calls, effects: own, bound, losses, troubles: troubles satisfies Trouble[], ...settings }
    },
  }
}
