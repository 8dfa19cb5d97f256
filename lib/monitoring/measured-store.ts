import type { ProvisioningStore } from '../ports/store.js'
import { wrapVerbs } from '../ports/store-verbs.js'
import type { Meters } from './meters.js'
import { attributesOf, STORE_DURATION } from './metrics.js'
import type { Attributes } from './providers.js'

/** Measures how long each verb of a store takes. */
export function measuredStore(store: ProvisioningStore, meters: Meters): ProvisioningStore {
  const histogram = meters.histogram(STORE_DURATION)
  return wrapVerbs(store, (call, verb) => {
    const attributes = new Map<string, Attributes>()
    const record = (begun: number, outcome: string) => {
      const known = attributes.get(outcome) ?? attributesOf(STORE_DURATION, [verb, outcome])
      attributes.set(outcome, known)
      histogram.record((performance.now() - begun) / 1000, known)
    }
    return async (...given) => {
      const begun = performance.now()
      try {
        const answer = await call(...given)
        record(begun, outcomeOf(answer))
        return answer
      } catch (error) {
        record(begun, 'failed')
        throw error
      }
    }
  })
}

/** The word that a verb answers. Other verbs answer an object, a list, or nothing. */
function outcomeOf(answer: unknown): string {
  if (typeof answer === 'string') return answer
  return answer === undefined ? 'absent' : 'found'
}
