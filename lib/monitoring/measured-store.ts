import type { ProvisioningStore } from '../ports/store.js'
import type { Meters } from './meters.js'
import { STORE_DURATION } from './metrics.js'
import type { Attributes, RecordingInstrument } from './providers.js'

/** Measures how long each verb of a store takes. */
export function measuredStore(store: ProvisioningStore, meters: Meters): ProvisioningStore {
  const histogram = meters.histogram(STORE_DURATION)
  const verb = <V extends keyof ProvisioningStore>(name: V) => measuredVerb(store, name, histogram)
  return Object.freeze<ProvisioningStore>({
    record: verb('record'),
    find: verb('find'),
    redeem: verb('redeem'),
    recall: verb('recall'),
    settle: verb('settle'),
    release: verb('release'),
    revoke: verb('revoke'),
    revokeFamily: verb('revokeFamily'),
    revokeIssuedBefore: verb('revokeIssuedBefore'),
    useOnce: verb('useOnce'),
    notePresentation: verb('notePresentation'),
    lock: verb('lock'),
    unlock: verb('unlock'),
    locks: verb('locks'),
    noteFinding: verb('noteFinding'),
    findings: verb('findings'),
    closeFinding: verb('closeFinding'),
    noteUse: verb('noteUse'),
    lastUses: verb('lastUses'),
    unusedSince: verb('unusedSince'),
    listKeys: verb('listKeys'),
    countKeys: verb('countKeys'),
    listUses: verb('listUses'),
  })
}

function measuredVerb<V extends keyof ProvisioningStore>(
  store: ProvisioningStore,
  verb: V,
  histogram: RecordingInstrument,
): ProvisioningStore[V] {
  const call = store[verb] as (...given: unknown[]) => Promise<unknown>
  const attributes = new Map<string, Attributes>()

  function record(begun: number, outcome: string): void {
    const known = attributes.get(outcome) ?? attributesOf(verb, outcome)
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

function attributesOf(...values: readonly [verb: string, outcome: string]): Attributes {
  return Object.freeze(
    Object.fromEntries(STORE_DURATION.attributes.map((name, i) => [name, values[i] ?? ''])),
  )
}

/** The word that a verb answers. Other verbs answer an object, a list, or nothing. */
function outcomeOf(answer: unknown): string {
  if (typeof answer === 'string') return answer
  return answer === undefined ? 'absent' : 'found'
}
