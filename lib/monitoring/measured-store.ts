import type { ProvisioningStore } from '../ports/store.js'
import { STORE_VERBS } from '../ports/store-verbs.js'
import type { Meters } from './meters.js'
import { attributesOf, STORE_DURATION } from './metrics.js'
import type { Attributes, RecordingInstrument } from './providers.js'

/** Measures how long each verb of a store takes. */
export function measuredStore(store: ProvisioningStore, meters: Meters): ProvisioningStore {
  const histogram = meters.histogram(STORE_DURATION)
  const verbs = STORE_VERBS.map((verb) => [verb, measuredVerb(store, verb, histogram)])
  return Object.freeze(Object.fromEntries(verbs) as ProvisioningStore)
}

function measuredVerb<V extends keyof ProvisioningStore>(
  store: ProvisioningStore,
  verb: V,
  histogram: RecordingInstrument,
): ProvisioningStore[V] {
  const call = store[verb] as (...given: unknown[]) => Promise<unknown>
  const attributes = new Map<string, Attributes>()

  function record(begun: number, outcome: string): void {
    const known = attributes.get(outcome) ?? attributesOf(STORE_DURATION, [verb, outcome])
    attributes.set(outcome, known)
    histogram.record((performance.now() - begun) / 1000, known)
  }

  const measured = (...given: unknown[]) => {
    const begun = performance.now()
    return call.apply(store, given).then(
      (answer) => {
        record(begun, outcomeOf(answer))
        return answer
      },
      (error) => {
        record(begun, 'failed')
        throw error
      },
    )
  }
  return measured as ProvisioningStore[V]
}

/** The word that a verb answers. Other verbs answer an object, a list, or nothing. */
function outcomeOf(answer: unknown): string {
  if (typeof answer === 'string') return answer
  return answer === undefined ? 'absent' : 'found'
}
