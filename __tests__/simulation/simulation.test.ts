import { RULES } from '../../lib/monitoring/rules/rules.js'
import { SMALL } from '../../simulation/life/population'
import { liveFor, simulate } from '../../simulation/run'
import { failuresOf, resultsOf } from '../../simulation/table'
import { Timeline } from '../../simulation/timeline'
import { sampled } from '../support/scale.js'

jest.setTimeout(120_000)

const RULE_IDS = Object.keys(RULES) as (keyof typeof RULES)[]

/** `npm run test:simulation` simulates a week with three seeds and all variants. */
const SEED = 7

describe('a short simulation', () => {
  // The library warns the operator about strangers who claim to be a proxy.
  beforeAll(() => void jest.spyOn(process, 'emitWarning').mockImplementation())
  afterAll(() => jest.restoreAllMocks())

  it('finds one variant of each attack', async () => {
    const rules = sampled(RULE_IDS, (id) => `${RULES[id].kind} ${RULES[id].evidence} ${RULES[id].signal.by}`)
    const result = await simulate({ kind: 'attacks', seed: SEED, variant: 0, rules })
    const results = resultsOf(rules, [result])
    expect(results.map(({ attacks }) => attacks.length)).toEqual(rules.map(() => 1))
    expect(failuresOf(results)).toEqual([])
  })

  it('finds no misuse in a day of normal life but what the table names', async () => {
    const life = await liveFor(1, SEED, SMALL)
    expect(life.requests).toBeGreaterThan(1_000)
    expect(failuresOf(resultsOf(RULE_IDS, [life]))).toEqual([])
  })
})

describe('the verdict about results', () => {
  const attack = { rule: 'dead_key', title: 'an old key', isFound: false } as const
  const finding = { rule: 'late_redemption', subject: 'client:a', at: 0 }

  it('names an attack that no finding reports', () => {
    const result = { kind: 'attacks', seed: 1, requests: 1, attacks: [attack] } as const
    expect(failuresOf(resultsOf(['dead_key'], [result]))).toEqual([
      'dead_key does not find this attack: an old key',
    ])
  })

  it('names a rule with too many false findings, unless it is known to be noisy', () => {
    const findings = [finding, finding, { ...finding, rule: 'dead_key' }, { ...finding, rule: 'dead_key' }]
    const result = { kind: 'life', seed: 1, clients: 1_000, requests: 1, findings } as const
    expect(failuresOf(resultsOf(['dead_key', 'late_redemption'], [result]))).toEqual([
      'late_redemption has 2.0 false findings for 1,000 clients and a week',
    ])
  })
})

describe('the simulated time', () => {
  it('lets everything happen in the order of its moments', async () => {
    const timeline = new Timeline(1_000)
    const happened: string[] = []
    const note = (what: string) => () => happened.push(`${what} at ${timeline.now}`)
    timeline.at(5_000, note('c'))
    timeline.at(2_000, note('a'))
    timeline.at(2_000, () => timeline.after(500, note('b')))
    timeline.at(9_000, note('never'))
    await timeline.runUntil(8_000)
    expect(happened).toEqual(['a at 2000', 'b at 2500', 'c at 5000'])
    expect(timeline.now).toBe(8_000)
  })
})
