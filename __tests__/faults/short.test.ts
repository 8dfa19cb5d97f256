import { catalog } from '../../faults/catalog'
import type { Deployment } from '../../faults/deployment'
import { runScenario } from '../../faults/result'
import { SHORT } from '../../faults/scale'
import { ALL } from '../support/scale'

/** The longest duration of a scenario on a busy machine. */
jest.setTimeout(150_000)

const SEED = Date.now() % 1_000_000

/** The scenarios that take a few seconds. `npm run test:all` runs the others too. */
const QUICK = ['storm of 100', 'storm of 40, bound', 'flushall', 'redis killed']

const groups = catalog(SHORT).map((group) => ({
  ...group,
  scenarios: group.scenarios.filter(({ name }) => ALL || QUICK.includes(name)),
}))

// The short version of `npm run test:faults`, with real processes and a real Redis.
for (const { setting, start, scenarios } of groups.filter((group) => group.scenarios.length > 0)) {
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
