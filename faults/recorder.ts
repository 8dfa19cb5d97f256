import { clock } from './clock'
import type { Call, Effect, History, Loss } from './model/history'

/** Records one scenario. Its times are milliseconds since the start of the scenario. */
export interface Recorder {
  nextId(): string
  now(): number
  recordCall(call: Call): void
  /** Records that a key is bound to a DPoP key. */
  recordBound(keyId: string): void
  /** Records that the store loses data while `action` runs. */
  recordLoss<T>(kind: Loss['kind'], action: () => Promise<T>): Promise<T>
  /** Records that the store may fail to answer, until the returned function is called. */
  startOutage(): () => void
  readonly calls: readonly Call[]
  /** Adds the effects of the keys that this scenario used. */
  history(effects: readonly Effect[]): History
}

/** @param prefix makes call ids unique, because the workers use one journal for all scenarios */
export function recorder(
  prefix: string,
  settings: Pick<History, 'storeTimeoutMilliseconds' | 'leaseMilliseconds'>,
): Recorder {
  const start = clock()
  const calls: Call[] = []
  const bound = new Set<string>()
  const losses: Loss[] = []
  const outages: { begin: number; end: number }[] = []
  const now = () => clock() - start
  let count = 0
  return {
    calls,
    now,
    nextId() {
      count += 1
      return `${prefix}${count}`
    },
    recordCall: (call) => calls.push({ ...call, begin: call.begin - start, end: call.end - start }),
    recordBound: (keyId) => bound.add(keyId),
    async recordLoss(kind, action) {
      const begin = now()
      const result = await action()
      losses.push({ kind, begin, end: now() })
      return result
    },
    startOutage() {
      const outage = { begin: now(), end: Number.POSITIVE_INFINITY }
      outages.push(outage)
      return () => {
        outage.end = now()
      }
    },
    history: (all) => ({ calls, effects: effectsOf(calls, all, start), bound, losses, outages, ...settings }),
  }
}

function effectsOf(calls: readonly Call[], effects: readonly Effect[], start: number): Effect[] {
  const keyIds = new Set(calls.map(({ keyId }) => keyId))
  return effects
    .filter(({ keyId }) => keyIds.has(keyId))
    .map((effect) => ({ ...effect, at: effect.at - start }))
}
