import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { ProvisioningEvent } from '../../lib/index.js'
import * as siem from '../../lib/siem/siem.js'
import { sampleEvent, TYPES } from '../siem/sample-events'
import { codeIn, codeUnder, tableRows } from './markdown'
import { runCode } from './run-code'

const PAGE = 'docs/guides/siem.md'
const modules = { 'express-provisioning-keys/siem': siem }

/** A sample for each row: refusals have two. */
const SAMPLES = TYPES.flatMap((type) => {
  if (type !== 'request.refused') return [sampleEvent(type)]
  return [sampleEvent(type), sampleEvent(type, { error: 'slow_down', reason: 'too_many_requests' })]
})

const statusIn = (cell = '') => (/^success if/.test(cell) ? ['success', 'unknown'] : [cell || undefined])

describe('the tables of events', () => {
  it('say which class and activity of OCSF each event becomes', () => {
    const rows = tableRows(PAGE, 'OCSF').map(([name = '', kind, activity, typeUid, status]) => ({
      type: codeIn(name)[0],
      kind,
      activity,
      typeUid: Number(typeUid),
      statuses: statusIn(status),
    }))
    expect(rows).toHaveLength(SAMPLES.length)
    for (const [index, event] of SAMPLES.entries()) {
      const mapped = siem.toOcsf(event)
      const isOther = mapped.activity_id === 99
      const isFinding = mapped.class_uid === 2004
      const status = isFinding ? undefined : (mapped['status'] as string | undefined)?.toLowerCase()
      expect(rows[index]).toMatchObject({
        type: event.type,
        kind: `${mapped.class_name} (${mapped.class_uid})`,
        activity: `${isOther ? 'Other' : mapped.activity_name} (${mapped.activity_id})`,
        typeUid: mapped.type_uid,
      })
      expect(rows[index]?.statuses).toContain(status)
    }
  })

  it('say which kind, category and type of ECS each event becomes', () => {
    const rows = tableRows(PAGE, 'ECS').map(([name = '', kind = '', category = '', types = '', outcome]) => ({
      type: codeIn(name)[0],
      kind: codeIn(kind)[0],
      category: codeIn(category),
      types: codeIn(types),
      outcomes: statusIn(outcome),
    }))
    expect(rows).toHaveLength(SAMPLES.length)
    for (const [index, sample] of SAMPLES.entries()) {
      const { kind, category, type: types, outcome, action } = siem.toEcs(sample).event
      expect(rows[index]).toMatchObject({ type: action, kind, category, types })
      expect(rows[index]?.outcomes).toContain(outcome)
    }
  })

  it('name the errors of refused credentials', () => {
    const [row = ''] = tableRows(PAGE, 'OCSF').find(([name = '']) => name.includes('with the error')) ?? []
    for (const error of codeIn(row).slice(1)) {
      const mapped = siem.toOcsf(sampleEvent('request.refused', { error }))
      expect(mapped.class_uid).toBe(3002)
    }
  })
})

describe('the code of the page', () => {
  it('prints one line of JSON for each event', () => {
    const observers: ((event: ProvisioningEvent) => void)[] = []
    const keys = { on: (_: string, observer: () => void) => observers.push(observer) }
    const printed: string[] = []
    const console = { log: (line: string) => printed.push(line) }
    runCode(codeUnder(PAGE, 'Send events'), { modules, globals: { keys, console } })
    for (const type of TYPES) for (const observer of observers) observer(sampleEvent(type))
    expect(printed.map((line) => JSON.parse(line).metadata.event_code)).toEqual(
      TYPES.map((type) => sampleEvent(type).code),
    )
    expect(printed.filter((line) => line.includes('\n'))).toEqual([])
  })

  it('writes the Sigma rules to a folder', async () => {
    const parent = mkdtempSync(join(tmpdir(), 'sigma-'))
    const { writeSigmaRules } = runCode<{ writeSigmaRules: (folder: string) => Promise<void> }>(
      codeUnder(PAGE, 'Sigma rules'),
      { modules },
    )
    const folder = join(parent, 'rules', 'keys')
    await writeSigmaRules(folder)
    const written = readdirSync(folder).map((fileName) => ({
      fileName,
      yaml: readFileSync(join(folder, fileName), 'utf8'),
    }))
    const byName = (a: siem.SigmaRule, b: siem.SigmaRule) => (a.fileName < b.fileName ? -1 : 1)
    expect(written.sort(byName)).toEqual([...siem.sigmaRules()].sort(byName))
    rmSync(parent, { recursive: true })
  })
})
