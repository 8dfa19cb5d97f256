import {
  type Finding,
  MOST_ACTIONS,
  MOST_SAMPLE_CHARACTERS,
  MOST_SAMPLES,
} from '../../ports/monitoring-store.js'
import { hundred } from './calls.js'
import { findingOf, ODD_TEXTS } from './monitoring.js'
import type { StoreTest } from './setup.js'

/** A finding has the sum of its reports, as long as it is open. */
export function testFindings(test: StoreTest): void {
  testOpen(test)
  testMerged(test)
  testKept(test)
  testLimits(test)
  testEnds(test)
  testFaults(test)
}

function testOpen(test: StoreTest): void {
  test('opens a finding, lists it as it was reported, and closes it once', async (setup) => {
    const { store } = setup
    const report = findingOf(setup, 'id', { samples: ['a', 'b'], actions: ['lockClient'], count: 3 })
    expect(await store.noteFinding(report)).toEqual({ finding: report, isOpened: true })
    expect(await store.findings()).toEqual([report])
    expect([await store.closeFinding('id'), await store.closeFinding('id')]).toEqual(['closed', 'unknown'])
    expect(await store.findings()).toEqual([])
    expect((await store.noteFinding(report)).isOpened).toBe(true)
  })
  test('lists the latest findings first', async (setup) => {
    const { lastAt } = findingOf(setup)
    for (const by of [1, 5, 3, 0.5])
      await setup.store.noteFinding(findingOf(setup, `${by}`, { lastAt: lastAt + by }))
    expect((await setup.store.findings()).map(({ id }) => id)).toEqual(['5', '3', '1', '0.5'])
  })
  for (const text of ODD_TEXTS) {
    test(`gives back the text ${JSON.stringify(text)} in any member of a finding`, async (setup) => {
      const { store } = setup
      const others = { rule: text, subject: text, samples: [text], actions: [text] }
      const report = findingOf(setup, text, others)
      await store.noteFinding(findingOf(setup, `${text} `))
      expect(await store.noteFinding(report)).toEqual({ finding: report, isOpened: true })
      expect((await store.noteFinding({ ...report, count: 2 })).finding).toMatchObject({ id: text, count: 3 })
      expect(await store.findings()).toHaveLength(2)
      expect(await store.closeFinding(text)).toBe('closed')
      expect((await store.findings()).map(({ id }) => id)).toEqual([`${text} `])
    })
  }
}

function testMerged(test: StoreTest): void {
  test('adds a report to the open finding: sums, times, the higher severity, samples, actions', async (setup) => {
    const { firstAt: at, until } = findingOf(setup)
    const first = findingOf(setup, 'id', {
      count: 2,
      firstAt: at + 1.25,
      lastAt: at + 9,
      samples: ['a'],
      actions: ['x'],
    })
    const earlier = {
      severity: 'high',
      count: 3,
      firstAt: at + 0.001,
      lastAt: at + 8,
      samples: ['b'],
    } as const
    const later = {
      severity: 'info',
      firstAt: at + 5,
      lastAt: at + 10.123,
      until: until + 60,
      actions: ['y', 'x'],
    } as const
    await setup.store.noteFinding(first)
    await setup.store.noteFinding(findingOf(setup, 'id', earlier))
    const { finding, isOpened } = await setup.store.noteFinding(findingOf(setup, 'id', later))
    expect(isOpened).toBe(false)
    expect(finding).toEqual({
      ...first,
      ...{ severity: 'high', count: 6, firstAt: at + 0.001, lastAt: at + 10.123, until: until + 60 },
      ...{ samples: ['a', 'b'], actions: ['x', 'y'] },
    })
    expect(await setup.store.findings()).toEqual([finding])
  })
}

function testKept(test: StoreTest): void {
  test('keeps the rule and the subject of the first report', async (setup) => {
    const first = findingOf(setup, 'id')
    await setup.store.noteFinding(first)
    const { finding } = await setup.store.noteFinding(
      findingOf(setup, 'id', { rule: 'other', subject: 'client:x' }),
    )
    expect(finding).toMatchObject({ rule: first.rule, subject: first.subject })
  })
  test('makes a finding bound by a report with bound evidence, and never unbound again', async (setup) => {
    const evidences = ['unbound', 'bound', 'unbound'] as const
    const answers: string[] = []
    for (const evidence of evidences)
      answers.push((await setup.store.noteFinding(findingOf(setup, 'id', { evidence }))).finding.evidence)
    expect(answers).toEqual(['unbound', 'bound', 'bound'])
  })
  test('loses none of 100 concurrent reports, and opens the finding once', async (setup) => {
    const noted = await hundred((i) => setup.store.noteFinding(findingOf(setup, 'id', { count: i })))
    expect(noted.filter(({ isOpened }) => isOpened)).toHaveLength(1)
    expect(await setup.store.findings()).toEqual([
      findingOf(setup, 'id', { ...noted[0]?.finding, count: 4_950 }),
    ])
  })
}

function testLimits(test: StoreTest): void {
  test(`keeps the last ${MOST_SAMPLES} samples, and cuts long ones`, async (setup) => {
    const long = 'x'.repeat(MOST_SAMPLE_CHARACTERS)
    await setup.store.noteFinding(findingOf(setup, 'id', { samples: ['1', '2', '3', '4'] }))
    await setup.store.noteFinding(findingOf(setup, 'id', { samples: ['5', `${long}yz`] }))
    expect((await setup.store.findings())[0]?.samples).toEqual(['2', '3', '4', '5', long])
    const many = Array.from({ length: 1_000 }, (_, i) => `${i}`)
    await setup.store.noteFinding(findingOf(setup, 'id', { samples: many }))
    expect((await setup.store.findings())[0]?.samples).toEqual(many.slice(-MOST_SAMPLES))
  })
  test('keeps valid Unicode if it cuts a sample in the middle of a character', async (setup) => {
    const samples = [`${'x'.repeat(MOST_SAMPLE_CHARACTERS - 1)}🔑`, '\ud800']
    await setup.store.noteFinding(findingOf(setup, 'id', { samples }))
    const kept = (await setup.store.findings())[0]?.samples
    expect(kept).toEqual([`${'x'.repeat(MOST_SAMPLE_CHARACTERS - 1)}\ufffd`, '\ufffd'])
  })
  test(`keeps the first ${MOST_ACTIONS} actions`, async (setup) => {
    const actions = Array.from({ length: 2 * MOST_ACTIONS }, (_, i) => `action ${i}`)
    for (const one of [...actions, 'action 0'])
      await setup.store.noteFinding(findingOf(setup, 'id', { actions: [one] }))
    expect((await setup.store.findings())[0]?.actions).toEqual(actions.slice(0, MOST_ACTIONS))
  })
}

function testEnds(test: StoreTest): void {
  test('forgets a finding after its until, and opens it anew', async (setup) => {
    const { store, advance } = setup
    const at = Math.floor(setup.nowSeconds())
    await store.noteFinding(findingOf(setup, 'brief', { until: at + 2 }))
    await store.noteFinding(findingOf(setup, 'longer', { until: at + 2 }))
    await store.noteFinding(findingOf(setup, 'longer', { until: at + 60 }))
    await advance(3)
    expect((await store.findings()).map(({ id }) => id)).toEqual(['longer'])
    expect(await store.closeFinding('brief')).toBe('unknown')
    const { finding, isOpened } = await store.noteFinding(findingOf(setup, 'brief'))
    expect([isOpened, finding.count]).toEqual([true, 1])
  })
}

function testFaults(test: StoreTest): void {
  const faults: Record<string, Partial<Record<keyof Finding, unknown>>> = {
    'an until in the past': { until: 1 },
    'a firstAt of NaN': { firstAt: Number.NaN },
    'a lastAt of Infinity': { lastAt: Number.POSITIVE_INFINITY },
    'a count of 0.5': { count: 0.5 },
    'a count below 0': { count: -1 },
    'an unknown severity': { severity: 'fatal' },
    'unknown evidence': { evidence: 'some' },
  }
  for (const [name, fault] of Object.entries(faults)) {
    test(`rejects a finding with ${name}, and keeps what it has`, async (setup) => {
      const report = findingOf(setup, 'id')
      await setup.store.noteFinding(report)
      const rejection = setup.store.noteFinding({ ...report, ...fault } as Finding)
      await expect(rejection).rejects.toHaveProperty('name', 'RangeError')
      expect(await setup.store.findings()).toEqual([report])
    })
  }
}
