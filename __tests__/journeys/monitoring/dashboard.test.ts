import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parse } from 'yaml'
import { REASONS } from '../../../lib/base/errors.js'
import { memoryStore } from '../../../lib/index.js'
import { SEVERITY } from '../../../lib/ports/events.js'
import { exchangeKey, obtainKey, send } from '../../support/requests.js'
import { type RunningServer, startServer } from '../../support/server.js'
import { realMetrics, type Sample, samplesIn } from '../../support/telemetry.js'

const FOLDER = join(__dirname, '../../../monitoring')
const read = (file: string) => readFileSync(join(FOLDER, file), 'utf8')

interface Panel {
  readonly id: number
  readonly type: string
  readonly title: string
  readonly gridPos: { readonly h: number; readonly w: number; readonly x: number; readonly y: number }
  readonly targets?: readonly { readonly expr: string }[]
}

const dashboard: { readonly uid: string; readonly panels: readonly Panel[] } = JSON.parse(
  read('grafana-dashboard.json'),
)

interface Rule {
  readonly alert: string
  readonly expr: string
  readonly for?: string
  readonly labels: Readonly<Record<string, string>>
  readonly annotations: Readonly<Record<string, string>>
}

const alerts: { readonly groups: readonly { readonly name: string; readonly rules: readonly Rule[] }[] } =
  parse(read('prometheus-alerts.yml'))
const rules = alerts.groups.flatMap((group) => group.rules)

const expressions = [
  ...dashboard.panels.flatMap(({ targets = [] }) => targets.map(({ expr }) => expr)),
  ...rules.map(({ expr }) => expr),
]

/** The selectors of an expression: the pattern of the name, and the matchers of labels. */
function selectorsOf(expression: string) {
  return [...expression.matchAll(/\{__name__=~"([^"]+)"([^}]*)\}/g)].map(([, name = '', labels = '']) => ({
    pattern: new RegExp(`^(?:${name})$`),
    matchers: [...labels.matchAll(/(\w+)(=~|!~|!=|=)"([^"]*)"/g)],
  }))
}

const selectors = expressions.flatMap(selectorsOf)

/** The values of the series that the first selector of an alert matches, as Prometheus does. */
function valuesFor(alert: string, given: readonly Sample[]): number[] {
  const [{ pattern = /^$/, matchers = [] } = {}] = selectorsOf(
    rules.find((rule) => rule.alert === alert)?.expr ?? '',
  )
  return given
    .filter(({ name, labels }) => {
      const isMatch = matchers.map(([, label = '', operator = '', value = '']) => {
        const has = labels[label] ?? ''
        const isEqual = operator.includes('~') ? new RegExp(`^(?:${value})$`).test(has) : has === value
        return isEqual !== operator.startsWith('!')
      })
      return pattern.test(name) && isMatch.every(Boolean)
    })
    .map(({ value }) => value)
}

/** The alerts that one event sets off. */
const single = rules.filter(({ expr }) => expr.includes('max_over_time'))

let server: RunningServer
let first: readonly Sample[]
let samples: readonly Sample[]
let units: ReadonlyMap<string, string>

beforeAll(async () => {
  const metrics = realMetrics()
  // A copy, because memoryStore() itself is not measured.
  const store = { ...memoryStore() }
  const telemetry = { meterProvider: metrics.meterProvider }
  server = await startServer({ options: { telemetry, store, monitoring: {} } })
  first = samplesIn(await metrics.text())
  const present = (key: string) => send(server, 'get', '/devices').set('Authorization', `Bearer ${key}`)
  const key = await obtainKey(server)
  await exchangeKey(server, key).expect(200)
  await exchangeKey(server, key).expect(400)
  await present(await obtainKey(server, { scope: 'devices:read' })).expect(200)
  await present('junk').expect(401)
  const text = await metrics.text()
  samples = samplesIn(text).filter(({ name }) => name.startsWith('provisioning_key_'))
  units = new Map(
    [...text.matchAll(/^# UNIT (\w+) (\S+)$/gm)].map(([, name = '', unit = '']) => [name, unit]),
  )
})

afterAll(() => server?.close())

const SERIES_OF_HISTOGRAM = /_(bucket|sum|count)$/

/** The name as a collector writes it: with the unit before the suffix of a histogram. */
function collectorName(name: string): string {
  const [suffix = ''] = SERIES_OF_HISTOGRAM.exec(name) ?? []
  const plain = name.slice(0, name.length - suffix.length)
  return units.get(plain) === 's' ? `${plain}_seconds${suffix}` : name
}

describe('the dashboard and the alerts', () => {
  it('are read by their selectors only, so that the tests below see every name', () => {
    const rest = expressions.map((text) => text.replaceAll(/\{__name__=~"[^"]+"[^}]*\}/g, ''))
    const known =
      /provisioning_key_(event_type|event_severity|binding|credential|action|outcome|endpoint|store_verb)/g
    expect(rest.filter((text) => /provisioning_key/.test(text.replaceAll(known, '')))).toEqual([])
    expect(selectors.length).toBeGreaterThanOrEqual(expressions.length)
  })

  it('match a name that a real exporter prints', () => {
    const names = new Set(samples.map(({ name }) => name))
    const lost = selectors.filter(({ pattern }) => ![...names].some((name) => pattern.test(name)))
    expect(lost.map(({ pattern }) => pattern.source)).toEqual([])
  })

  it('match the same name with the suffix of a collector', () => {
    const names = new Set(samples.map(({ name }) => collectorName(name)))
    expect([...names]).toContain('provisioning_key_store_duration_seconds_bucket')
    const lost = selectors.filter(({ pattern }) => ![...names].some((name) => pattern.test(name)))
    expect(lost.map(({ pattern }) => pattern.source)).toEqual([])
  })

  it('match counters without _total', () => {
    const names = new Set(samples.map(({ name }) => name.replace(/_total$/, '')))
    const lost = selectors.filter(({ pattern }) => ![...names].some((name) => pattern.test(name)))
    expect(lost.map(({ pattern }) => pattern.source)).toEqual([])
  })

  it('match one metric each', () => {
    const names = [...new Set(samples.map(({ name }) => name))]
    const several = selectors.filter(({ pattern }) => names.filter((name) => pattern.test(name)).length !== 1)
    expect(several.map(({ pattern }) => pattern.source)).toEqual([])
  })

  it('use labels that the metric has', () => {
    const labels = new Set(samples.flatMap((one) => Object.keys(one.labels)))
    const grouped = expressions.flatMap((text) =>
      [...text.matchAll(/by \(([^)]*)\)/g)].flatMap(([, list = '']) => list.split(/,\s*/)),
    )
    const matched = selectors.flatMap(({ matchers }) => matchers.map(([, label = '']) => label))
    expect([...grouped, ...matched].filter((label) => !labels.has(label))).toEqual([])
  })

  it('compare with reasons, types of events and severities that exist', () => {
    const known: Readonly<Record<string, readonly string[]>> = {
      error_type: Object.keys(REASONS),
      provisioning_key_event_type: Object.keys(SEVERITY),
      provisioning_key_store_verb: Object.keys(memoryStore()),
      provisioning_key_outcome: ['failed'],
      provisioning_key_event_severity: Object.values(SEVERITY),
      provisioning_key_finding_severity: Object.values(SEVERITY),
    }
    const compared = selectors.flatMap(({ matchers }) =>
      matchers.flatMap(([, label = '', , value = '']) =>
        value.split('|').map((one) => ({ label, value: one })),
      ),
    )
    const strange = compared.filter(({ label, value }) => value !== '' && !known[label]?.includes(value))
    expect(strange).toEqual([])
  })
})

describe('the dashboard', () => {
  it('has panels with different ids that do not overlap', () => {
    const { panels } = dashboard
    expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length)
    const cells = panels.flatMap(({ gridPos: { h, w, x, y } }) =>
      Array.from({ length: h * w }, (_, i) => `${x + (i % w)},${y + Math.floor(i / w)}`),
    )
    expect(new Set(cells).size).toBe(cells.length)
  })

  it('has a query in each panel that is not a row', () => {
    const empty = dashboard.panels.filter(({ type, targets = [] }) => (type === 'row') === targets.length > 0)
    expect(empty.map(({ title }) => title)).toEqual([])
  })
})

describe('the alert rules', () => {
  it('have the members that Prometheus requires, and names that differ', () => {
    expect(Object.keys(alerts)).toEqual(['groups'])
    expect(new Set(rules.map(({ alert }) => alert)).size).toBe(rules.length)
    for (const rule of rules) {
      expect(rule).toEqual({
        alert: expect.stringMatching(/^ProvisioningKey\w+$/),
        expr: expect.any(String),
        ...(rule.for !== undefined && { for: expect.stringMatching(/^\d+m$/) }),
        labels: { severity: expect.stringMatching(/^(critical|warning)$/) },
        annotations: {
          summary: expect.any(String),
          description: expect.any(String),
          runbook: expect.stringMatching(/^docs\/[\w/-]+\.md(#[\w-]+)?$/),
        },
      })
    }
  })

  it('find series with 0 before anything has happened', () => {
    expect(single.map(({ alert }) => alert)).toHaveLength(5)
    for (const { alert } of single) {
      const values = valuesFor(alert, first)
      expect({ alert, hasSeries: values.length > 0 }).toEqual({ alert, hasSeries: true })
      expect({ alert, values: new Set(values) }).toEqual({ alert, values: new Set([0]) })
    }
  })

  it('notice the replay of this run and its finding, each once', () => {
    const changed = single.filter(({ alert }) => valuesFor(alert, samples).some((value) => value > 0))
    expect(changed.map(({ alert, labels: { severity } }) => [alert, severity])).toEqual([
      ['ProvisioningKeyReplayed', 'critical'],
      ['ProvisioningKeysHighSeverityFinding', 'critical'],
    ])
  })

  it('notice that the store fails although only the readiness route asks it', async () => {
    const metrics = realMetrics()
    const store = { ...memoryStore(), release: () => Promise.reject(new Error('READONLY')) }
    const telemetry = { meterProvider: metrics.meterProvider }
    const failing = await startServer({ options: { telemetry, store } })
    try {
      expect(await failing.keys.isReady()).toBe(false)
      const left = samplesIn(await metrics.text())
      expect(valuesFor('ProvisioningKeysStoreFailing', left).some((value) => value > 0)).toBe(true)
      expect(valuesFor('ProvisioningKeysUnavailable', left)).toEqual([])
    } finally {
      await failing.close()
    }
  })

  it('stay silent after one failure: a rate above 0 must last for longer than its window', () => {
    const minutesIn = (text = '', pattern = /^(\d+)m$/) => Number(pattern.exec(text)?.[1])
    const sensitive = rules.filter(({ expr }) => /\brate\(/.test(expr) && expr.endsWith('> 0'))
    expect(sensitive.map(({ alert }) => alert)).toEqual([
      'ProvisioningKeysUnavailable',
      'ProvisioningKeysStoreFailing',
    ])
    for (const { for: lasting, expr } of sensitive)
      expect(minutesIn(lasting)).toBeGreaterThan(minutesIn(expr, /\[(\d+)m\]/))
  })

  it('do not call the store slow because it counts or lists many keys', () => {
    const { expr = '' } = rules.find(({ alert }) => alert === 'ProvisioningKeysStoreSlow') ?? {}
    const [, excluded = ''] = /provisioning_key_store_verb!~"([^"]+)"/.exec(expr) ?? []
    expect(excluded.split('|')).toEqual(['countKeys', 'listKeys', 'listUses'])
  })

  it('look at new series with the selector of the known ones', () => {
    for (const { alert, expr } of single)
      expect({ alert, selectors: new Set(expr.match(/\{[^}]*\}/g)).size }).toEqual({ alert, selectors: 1 })
  })
})
