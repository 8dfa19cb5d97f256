import fc from 'fast-check'
import type { ProvisioningStore } from '../../lib/ports/store.js'
import { storeInMemory } from '../../lib/stores/memory/memory.js'
import type { Slice } from '../../lib/stores/memory/sweep.js'
import { type Caps, naiveStore } from '../support/naive-store'
import { ALL, times } from '../support/scale.js'
import {
  CLOCK_GOES_BACK,
  EVERY_ANSWER,
  kindOf,
  perform,
  SELDOM,
  START,
  type Step,
  step,
} from '../support/store-stories'

/** There is room for one outcome, and not for two. */
const CAPS: Caps = {
  maxKeys: 4,
  maxOutcomeCharacters: 10,
  maxProofsPerClient: 2,
  maxProofsPerKey: 1,
}

// With the small slice, most verbs find expired entries that are not removed yet.
const SLICES: Record<string, Slice | undefined> = {
  'slices of half a millisecond': undefined,
  'slices of one entry': { milliseconds: 0, entries: 1 },
}

describe('memoryStore beside a naive model', () => {
  for (const [name, slice] of Object.entries(SLICES)) {
    it(`answers every random sequence of verbs and of clock moves as the model does, with ${name}`, async () => {
      const seen = new Set<string>()
      await testStories((caps, now) => storeInMemory({ ...caps, now }, slice), seen)
      if (!ALL) return
      expect([...seen].sort()).toEqual(EVERY_ANSWER)
    }, 60_000)
  }
})

async function testStories(
  create: (caps: Caps, now: () => number) => ProvisioningStore,
  seen: Set<string>,
): Promise<void> {
  const compare = async (steps: readonly Step[]) => {
    let now = START
    const store = create(CAPS, () => now * 1000)
    const naive = naiveStore(() => now, CAPS)
    for (const step of steps) {
      if (step.move === 'pass') now += step.passing
      const answer = await perform(store, step, now)
      expect(answer).toEqual(await perform(naive, step, now))
      seen.add(`${step.move}: ${kindOf(answer)}`)
    }
  }
  const stories = fc.array(step, { maxLength: 100, size: 'max' })
  await fc.assert(fc.asyncProperty(stories, compare), {
    numRuns: times({ all: 1_000, few: 100 }),
    examples: [[SELDOM], [CLOCK_GOES_BACK]],
  })
}
