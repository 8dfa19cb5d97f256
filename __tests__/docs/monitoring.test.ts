import { setTimeout as sleep } from 'node:timers/promises'
import { metrics } from '@opentelemetry/api'
import * as sdk from '@opentelemetry/sdk-metrics'
import { parse } from 'yaml'
import type { ProvisioningKeys } from '../../lib/index.js'
import { METRICS, USE_CASES } from '../../lib/monitoring/metrics.js'
import { freePort } from '../support/free-port'
import { SIGNING_KEY } from '../support/server.js'
import { codeIn, codeUnder, readText, tableRows } from './markdown'
import { runCode } from './run-code'

const PAGE = 'docs/operations/monitoring.md'

/** Repeats a request until the server listens: the exporter does not say when. */
async function fetchSoon(url: string): Promise<Response> {
  for (let left = 100; ; left -= 1) {
    try {
      return await fetch(url)
    } catch (error) {
      if (left === 0) throw error
      await sleep(50)
    }
  }
}

describe('the page about monitoring', () => {
  it('has every metric with its kind, its unit and its attributes, and no other', () => {
    const written = tableRows(PAGE, 'Metrics').map(([name = '', kind, unit = '', attributes = '']) => [
      codeIn(name)[0],
      kind,
      codeIn(unit)[0],
      codeIn(attributes),
    ])
    expect(written).toEqual(
      METRICS.map(([kind, { name, unit, attributes }]) => [name, kind, unit, attributes]),
    )
  })

  it('has every span, and no other', () => {
    const written = tableRows(PAGE, 'Traces').map(([name = '']) => codeIn(name)[0])
    expect(written).toEqual([...new Set(Object.values(USE_CASES).map(({ span }) => span))])
  })

  it('says what to do about every alert, and no other', () => {
    const written = tableRows(PAGE, 'Alerts').flatMap(([names = '']) => codeIn(names))
    const { groups } = parse(readText('monitoring/prometheus-alerts.yml'))
    const alerts: readonly string[] = groups[0].rules.map(({ alert }: { alert: string }) => alert)
    expect(written).toEqual(alerts)
  })

  it('switches on metrics that Prometheus can get', async () => {
    const port = await freePort()
    process.env['SIGNING_KEY'] = String(SIGNING_KEY.export({ type: 'pkcs8', format: 'pem' }))
    process.env['FLEET_SECRET'] = 'f'.repeat(32)
    const code = codeUnder(PAGE, 'Switch it on').replaceAll('9464', String(port))
    const exporters: { shutdown(): Promise<void> }[] = []
    const { PrometheusExporter } = await import('@opentelemetry/exporter-prometheus')
    class Tracked extends PrometheusExporter {
      constructor(...given: ConstructorParameters<typeof PrometheusExporter>) {
        super(...given)
        exporters.push(this)
      }
    }
    const modules = { '@opentelemetry/exporter-prometheus': { PrometheusExporter: Tracked } }
    try {
      const { keys } = runCode<{ keys: ProvisioningKeys }>(code, { modules })
      expect(keys.router()).toBeInstanceOf(Function)
      const answer = await fetchSoon(`http://127.0.0.1:${port}/metrics`)
      expect(await answer.text()).toMatch(/^provisioning_key_outstanding\{.* 0$/m)
    } finally {
      metrics.disable()
      await Promise.all(exporters.map((exporter) => exporter.shutdown()))
    }
  })

  it('gives the metrics of each process an instance of their own', async () => {
    const instances = await Promise.all(
      [1, 2].map(async () => {
        type Code = { meterProviderWith(reader: sdk.IMetricReader): sdk.MeterProvider }
        const { meterProviderWith } = runCode<Code>(codeUnder(PAGE, 'Several processes'))
        const exporter = new sdk.InMemoryMetricExporter(sdk.AggregationTemporality.CUMULATIVE)
        const reader = new sdk.PeriodicExportingMetricReader({ exporter })
        const provider = meterProviderWith(reader)
        const { attributes } = (await reader.collect()).resourceMetrics.resource
        await provider.shutdown()
        return attributes['service.instance.id']
      }),
    )
    expect(new Set(instances).size).toBe(2)
    expect(instances).toEqual([expect.any(String), expect.any(String)])
  })
})
