import {
  EVIDENCE,
  type Finding,
  MOST_FINDINGS,
  type NotedFinding,
  type Severity,
} from '../../ports/monitoring-store.js'
import { findingOf } from './monitoring.js'
import type { Setup, StoreTest } from './setup.js'

/** A store keeps only so many findings. A new one takes the place of the least important one of its evidence. */
export function testFindingRoom(test: StoreTest): void {
  testGroups(test)
  testSeverities(test)
}

function note(setup: Setup, id: string, differences: Partial<Finding>): Promise<NotedFinding> {
  return setup.store.noteFinding(findingOf(setup, id, differences))
}

function testGroups(test: StoreTest): void {
  test('lets 1,000 unbound findings push out no bound one', async (setup) => {
    await note(setup, 'of the owner', { evidence: 'bound', lastAt: 1 })
    for (let i = 0; i < 1_000; i += 1) await note(setup, `${i}`, { evidence: 'unbound' })
    const findings = await setup.store.findings()
    expect(findings).toHaveLength(MOST_FINDINGS + 1)
    expect(findings.find(({ evidence }) => evidence === 'bound')?.id).toBe('of the owner')
  })
  test('lets the earliest finding of the same evidence make room for a new one', async (setup) => {
    const { lastAt } = findingOf(setup)
    for (let i = 0; i < MOST_FINDINGS; i += 1)
      await note(setup, `${i}`, { lastAt: lastAt + ((i + 3) % MOST_FINDINGS) })
    const earliest = `${MOST_FINDINGS - 3}`
    await note(setup, 'other evidence', { evidence: 'unbound' })
    await note(setup, earliest, { lastAt: lastAt + 1_000 })
    await note(setup, 'new', { lastAt: lastAt + 999 })
    const ids = (await setup.store.findings()).map(({ id }) => id)
    expect(ids).toHaveLength(MOST_FINDINGS + 1)
    expect(ids).not.toContain(`${MOST_FINDINGS - 2}`)
    expect(ids.slice(0, 2)).toEqual([earliest, 'new'])
  })
}

function testSeverities(test: StoreTest): void {
  for (const evidence of EVIDENCE) {
    test(`lets the lowest severity with ${evidence} evidence make room, then the earliest one`, async (setup) => {
      const { lastAt } = findingOf(setup)
      const add = (id: string, severity: Severity, at: number) =>
        note(setup, id, { evidence, severity, lastAt: lastAt + at })
      const other = evidence === 'bound' ? 'unbound' : 'bound'
      await note(setup, 'other', { evidence: other, severity: 'info' })
      await add('early and high', 'high', 1)
      await add('late and info', 'info', 9_000)
      await add('early and info', 'info', 8_000)
      for (let i = 3; i < MOST_FINDINGS; i += 1) await add(`${i}`, 'warning', 10 + i)
      const gone: string[] = []
      let before = (await setup.store.findings()).map(({ id }) => id)
      for (const id of ['a', 'b', 'c', 'd']) {
        await add(id, id === 'c' ? 'info' : 'warning', id === 'a' ? 2 : 3)
        const after = (await setup.store.findings()).map((one) => one.id)
        expect(after).toHaveLength(MOST_FINDINGS + 1)
        expect(after).toContain(id)
        gone.push(...before.filter((one) => !after.includes(one)))
        before = after
      }
      expect(gone).toEqual(['early and info', 'late and info', 'a', 'c'])
      expect(before).toEqual(expect.arrayContaining(['early and high', 'other']))
    })
  }
  test('keeps a finding whose severity became higher', async (setup) => {
    const at = findingOf(setup).lastAt
    await note(setup, 'worse', { severity: 'info', lastAt: at - 10 })
    await note(setup, 'worse', { severity: 'high', lastAt: at - 10 })
    for (let i = 0; i < MOST_FINDINGS; i += 1) await note(setup, `${i}`, { lastAt: at + i })
    const ids = (await setup.store.findings()).map(({ id }) => id)
    expect(ids).toHaveLength(MOST_FINDINGS)
    expect(ids).toContain('worse')
    expect(ids).not.toContain('0')
  })
}
