import { join } from 'node:path'
import { deployOverSingleRedis, type SingleRedisDeployment } from '../../faults/deployment'
import { check, type Rule } from '../../faults/model/check'
import { SHORT } from '../../faults/scale'
import type { Scenario } from '../../faults/scenario'
import { interleavings } from '../../faults/scenarios/interleavings'
import { storm } from '../../faults/scenarios/storm'

const STORE = join(__dirname, '../support/get-then-set-store.ts')

jest.setTimeout(120_000)

let deployment: SingleRedisDeployment
beforeAll(async () => {
  deployment = await deployOverSingleRedis({
    scale: { ...SHORT, randomSeconds: 3 },
    seed: 1,
    storeModule: STORE,
  })
})
afterAll(() => deployment?.close())

async function violatedBy(scenario: Scenario): Promise<Set<Rule>> {
  const { history } = await scenario.run(deployment)
  return new Set(check(history).map(({ rule }) => rule))
}

describe('a store that reads before it writes, shared by four processes', () => {
  it('is caught redeeming a key twice under concurrent redemptions', async () => {
    const found = new Set<Rule>()
    for (let tries = 0; tries < 5 && !found.has('executed twice'); tries += 1)
      for (const rule of await violatedBy(storm({ count: 100 }))) found.add(rule)
    expect(found).toContain('executed twice')
  })

  it('is caught under random load as well', async () => {
    const rules = await violatedBy(interleavings)
    expect(rules).toContain('executed twice')
    expect([...rules].some((rule) => rule === 'revoked and redeemed' || rule === 'lost')).toBe(true)
  })
})
