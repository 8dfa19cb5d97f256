import { parseAllDocuments } from 'yaml'
import type { Rule, RuleId } from '../../lib/monitoring/rules/rule.js'
import { RULES } from '../../lib/monitoring/rules/rules.js'
import type { ProvisioningEvent } from '../../lib/ports/events.js'
import { sigmaRules } from '../../lib/siem/siem.js'
import { yamlOf } from '../../lib/siem/yaml.js'
import { sampleEvent, sampleFinding } from './sample-events'

interface Detection {
  readonly condition: string
  readonly [selection: string]: string | Readonly<Record<string, unknown>>
}

interface Correlation {
  readonly type: string
  readonly rules: readonly string[]
  readonly 'group-by': readonly string[]
  readonly timespan: string
  readonly condition: { readonly gte: number }
}

interface Sigma {
  readonly id: string
  readonly name?: string
  readonly title: string
  readonly level: string
  readonly status: string
  readonly description: string
  readonly references?: readonly string[]
  readonly tags?: readonly string[]
  readonly falsepositives?: readonly string[]
  readonly logsource?: Readonly<Record<string, string>>
  readonly detection?: Detection
  readonly correlation?: Correlation
}

/** What the schemas of the Sigma specification (rules 2.0.0, correlations 2.1.0) demand. */
const REQUIRED = { detection: ['title', 'logsource', 'detection'], correlation: ['title', 'correlation'] }
const LEVELS = ['informational', 'low', 'medium', 'high', 'critical']
const STATUSES = ['stable', 'test', 'experimental', 'deprecated', 'unsupported']
const TAG = /^[a-z0-9_-]+\.[a-z0-9._-]+$/
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/

const files = sigmaRules()

function documentsOf(id: RuleId): Sigma[] {
  const { yaml = '' } = files.find(({ fileName }) => fileName === `provisioning_keys_${id}.yml`) ?? {}
  const documents = parseAllDocuments(yaml)
  return documents.map((document) => {
    if (!('toJS' in document)) throw new Error('the file is empty')
    expect([document.errors, document.warnings]).toEqual([[], []])
    return document.toJS() as Sigma
  })
}

/** Whether a log query for these selections finds an event. It knows as much of Sigma as the rules use. */
function finds({ condition, ...selections }: Detection, event: ProvisioningEvent): boolean {
  expect(condition).toMatch(/^(selection|1 of selection_\*)$/)
  const members = event as unknown as Readonly<Record<string, unknown>>
  const matches = (field: string, expected: unknown) => {
    const [name = '', modifier] = field.split('|')
    if (modifier === 'gte') return Number(members[name]) >= Number(expected)
    if (modifier === 'fieldref')
      return members[name] !== undefined && members[name] === members[String(expected)]
    return [expected].flat().includes(members[name])
  }
  return Object.values(selections).some((selection) =>
    Object.entries(selection).every(([field, expected]) => matches(field, expected)),
  )
}

/** Events that the rules distinguish. */
const EVENTS: readonly ProvisioningEvent[] = [
  ...Object.values(RULES).flatMap(({ signal }) => [
    ...signal.events.map((type) => sampleEvent(type)),
    ...(signal.reasons ?? []).map((reason) => sampleEvent('request.refused', { reason })),
  ]),
  sampleEvent('key.moved', { networkCount: 2 }),
  sampleEvent('key.moved', { networkCount: 8, agentChanged: false }),
  sampleEvent('key.moved', { networkCount: 2, subject: 'fleet' }),
  sampleEvent('key.moved', { networkCount: 2, subject: 'fleet', agentChanged: false }),
  sampleEvent('request.refused', { reason: 'cleartext', isForwardedByStranger: true }),
  sampleEvent('request.refused', { reason: 'cleartext', isForwardedByStranger: false }),
  sampleEvent('request.refused', { reason: 'server_fault', isForwardedByStranger: true }),
]

/** Whether the library counts an event for a rule. */
function counts({ signal, where }: Rule, event: ProvisioningEvent): boolean {
  const isSignal = signal.events.includes(event.type)
  const hasReason =
    signal.reasons === undefined ||
    event.type !== 'request.refused' ||
    signal.reasons.includes(event.reason as never)
  return isSignal && hasReason && (where?.(event, { canaries: new Set() }) ?? true)
}

const FROM_FINDINGS: readonly RuleId[] = [
  'dead_key',
  'canary',
  'issuance_burst',
  'stockpiling',
  'fast_redemption',
  'late_redemption',
  'skewed_clocks',
  'silent_client',
]

const rules = Object.values(RULES)
const SECONDS: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3_600 }

describe('sigmaRules', () => {
  it('makes one file for each rule', () => {
    expect(files.map(({ fileName }) => fileName)).toEqual(
      rules.map(({ id }) => `provisioning_keys_${id}.yml`),
    )
    for (const { fileName } of files) expect(fileName).toMatch(/^[a-z0-9_]{10,90}\.yml$/)
  })

  it.each(rules)('writes $id as the specification demands', ({ id }) => {
    for (const document of documentsOf(id)) {
      const required = document.correlation === undefined ? REQUIRED.detection : REQUIRED.correlation
      expect(Object.keys(document)).toEqual(expect.arrayContaining(required))
      expect(document.title.length).toBeLessThanOrEqual(110)
      expect(document.id).toMatch(UUID)
      expect(LEVELS).toContain(document.level)
      expect(STATUSES).toContain(document.status)
      for (const tag of document.tags ?? []) expect(tag).toMatch(TAG)
      if (document.detection !== undefined)
        expect(document.logsource).toEqual({ product: 'express-provisioning-keys' })
    }
  })

  it.each(rules)('says about $id what the table of rules says', (rule) => {
    const document = documentsOf(rule.id).at(-1)
    const level = { info: 'informational', notice: 'low', warning: 'medium', high: 'high' }[rule.severity]
    expect(document).toMatchObject({ title: rule.title, level, falsepositives: [rule.falsePositives] })
    expect(document?.tags ?? []).toEqual(rule.techniques.map((one) => `attack.${one.toLowerCase()}`))
    expect(document?.references ?? []).toHaveLength(rule.techniques.length)
    for (const step of rule.runbook) expect(document?.description).toContain(step)
  })

  it('has ids that differ, and that stay', () => {
    const ids = rules.flatMap(({ id }) => documentsOf(id).map((document) => document.id))
    expect(new Set(ids).size).toBe(ids.length)
    expect(documentsOf('replayed_key')[0]?.id).toBe('2ba6496b-0764-88f1-b221-6ba8416291fc')
  })

  it.each(rules.filter(({ id }) => !FROM_FINDINGS.includes(id)))(
    'finds the events that $id counts',
    (rule) => {
      const { detection } = documentsOf(rule.id)[0] ?? {}
      if (detection === undefined) throw new Error('no detection')
      const found = EVENTS.filter((event) => finds(detection, event))
      expect(found).toEqual(EVENTS.filter((event) => counts(rule, event)))
      expect(found.length).toBeGreaterThan(0)
      expect(found.length).toBeLessThan(EVENTS.length)
    },
  )

  it.each(rules.filter(({ threshold, id }) => threshold.count > 1 && !FROM_FINDINGS.includes(id)))(
    'counts the events of $id up to its threshold',
    ({ id, threshold, signal }) => {
      const [event, counted] = documentsOf(id)
      const { correlation } = counted ?? {}
      const [, number, unit = ''] = /^(\d+)([smh])$/.exec(correlation?.timespan ?? '') ?? []
      expect(Number(number) * Number(SECONDS[unit])).toBe(threshold.seconds)
      expect(correlation).toMatchObject({
        type: 'event_count',
        rules: [event?.name],
        'group-by': [signal.by === 'client' ? 'clientId' : 'address'],
        condition: { gte: threshold.count },
      })
      expect(event?.level).toBe('informational')
    },
  )

  it.each(FROM_FINDINGS)('leaves the decision about %s to the library', (id) => {
    const [{ detection } = {}, ...others] = documentsOf(id)
    if (detection === undefined) throw new Error('no detection')
    expect(others).toEqual([])
    expect(finds(detection, sampleFinding(id))).toBe(true)
    expect(rules.filter((other) => finds(detection, sampleFinding(other.id)))).toEqual([RULES[id]])
  })
})

describe('yamlOf', () => {
  it('writes texts that a reader could take for something else', () => {
    const value = {
      texts: [
        'no',
        '1e5',
        '- a',
        'a: b',
        '#',
        "it's",
        '"',
        '\\',
        '\n',
        '',
        ' x ',
        'é',
        '\u0085\u2028',
        '@',
        '`',
        '!!str',
      ],
      nested: [{ a: 1, b: [true, { c: 'd' }] }],
    }
    const [document] = parseAllDocuments(yamlOf(value))
    expect(document !== undefined && 'toJS' in document && document.toJS()).toEqual(value)
  })
})
