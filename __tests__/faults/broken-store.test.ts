import { join } from 'node:path'
import { check, type Rule } from '../../faults/model/check'
import { SHORT } from '../../faults/scale'
import type { Scenario } from '../../faults/scenario'
import { interleavings } from '../../faults/scenarios/interleavings'
import { storm } from '../../faults/scenarios/storm'
import { type PlainStage, plainStage } from '../../faults/stage'
import { ensureBuilt } from '../demo/child'

const STORE = join(__dirname, '../support/get-then-set-store.ts')

jest.setTimeout(120_000)

let stage: PlainStage
beforeAll(async () => {
  await ensureBuilt()
  stage = await plainStage({ scale: { ...SHORT, randomSeconds: 3 }, seed: 1, storeModule: STORE })
})
afterAll(() => stage?.close())

async function brokenBy(scenario: Scenario): Promise<Set<Rule>> {
  const { history } = await scenario.play(stage)
  return new Set(check(history).map(({ rule }) => rule))
}

describe('a store that looks first and writes then, over which four processes serve', () => {
  it('is found to redeem a key more than once when redemptions come at once', async () => {
    const found = new Set<Rule>()
    for (let tries = 0; tries < 5 && !found.has('executed twice'); tries += 1)
      for (const rule of await brokenBy(storm({ count: 100 }))) found.add(rule)
    expect(found).toContain('executed twice')
  })

  it('is found out by chance as well', async () => {
    const rules = await brokenBy(interleavings)
    expect(rules).toContain('executed twice')
    expect([...rules].some((rule) => rule === 'revoked and redeemed' || rule === 'lost')).toBe(true)
  })
})
