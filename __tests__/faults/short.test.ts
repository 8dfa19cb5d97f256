import { catalog } from '../../faults/catalog'
import type { Deployment } from '../../faults/deployment'
import { runScenario } from '../../faults/result'
import { SHORT } from '../../faults/scale'
import { ensureBuilt } from '../demo/child'

/** The longest duration of a scenario on a busy machine. */
jest.setTimeout(150_000)

const SEED = Date.now() % 1_000_000

beforeAll(ensureBuilt)

// The short version of `npm run test:faults`, with real processes and a real Redis.
for (const { setting, start, scenarios } of catalog(SHORT)) {
  describe(`four processes over ${setting}, seed ${SEED}`, () => {
    let deployment: Deployment
    beforeAll(async () => {
      deployment = await start({ scale: SHORT, seed: SEED })
    })
    afterAll(() => deployment?.close())

    it.each(scenarios.map((scenario) => [scenario.title, scenario] as const))(
      'redeem nothing twice, lose nothing, and recover: %s',
      async (_title, scenario) => {
        const { failures } = await runScenario(scenario, deployment)
        expect(failures).toEqual([])
      },
    )
  })
}
