import { catalog } from '../../faults/catalog'
import { SHORT } from '../../faults/scale'
import type { Stage } from '../../faults/stage'
import { tryOut } from '../../faults/verdict'
import { ensureBuilt } from '../demo/child'

/** The longest that a fault may take, on a machine that is busy with other tests. */
jest.setTimeout(150_000)

const SEED = Date.now() % 1_000_000

beforeAll(ensureBuilt)

// The short form of `npm run test:faults`: real processes, a real Redis, the same checks.
for (const { setting, start, scenarios } of catalog(SHORT)) {
  describe(`four processes over ${setting}, seed ${SEED}`, () => {
    let stage: Stage
    beforeAll(async () => {
      stage = await start({ scale: SHORT, seed: SEED })
    })
    afterAll(() => stage?.close())

    it.each(scenarios.map((scenario) => [scenario.title, scenario] as const))(
      'redeem nothing twice, lose nothing, and are back: %s',
      async (_title, scenario) => {
        const { faults } = await tryOut(scenario, stage)
        expect(faults).toEqual([])
      },
    )
  })
}
