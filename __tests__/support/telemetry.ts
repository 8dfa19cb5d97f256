import { PrometheusExporter, PrometheusSerializer } from '@opentelemetry/exporter-prometheus'
import { MeterProvider } from '@opentelemetry/sdk-metrics'

/** One time series of the text format of Prometheus. */
export interface Sample {
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
  readonly value: number
}

/** A real SDK with a real exporter, which opens no port. */
export interface Metrics {
  readonly meterProvider: MeterProvider
  /** The text that Prometheus gets. */
  text(): Promise<string>
  /** The values of one metric, without the labels of the scope, as `{ 'a=b,c=d': 1 }`. */
  values(name: string): Promise<Record<string, number>>
}

export function realMetrics(): Metrics {
  const exporter = new PrometheusExporter({ preventServerStart: true })
  const meterProvider = new MeterProvider({ readers: [exporter] })
  const serializer = new PrometheusSerializer()
  async function text(): Promise<string> {
    const { resourceMetrics, errors } = await exporter.collect()
    if (errors.length > 0) throw new Error(`the collection failed: ${errors.join(', ')}`)
    return serializer.serialize(resourceMetrics)
  }
  return {
    meterProvider,
    text,
    async values(name) {
      const samples = samplesIn(await text()).filter((one) => one.name === name)
      return Object.fromEntries(samples.map(({ labels, value }) => [describeLabels(labels), value]))
    },
  }
}

function describeLabels(labels: Sample['labels']): string {
  const own = Object.entries(labels).filter(([label]) => !label.startsWith('otel_scope_'))
  return own.map(([label, value]) => `${label.replace('provisioning_key_', '')}=${value}`).join(',')
}

/** The time series in the text format of Prometheus. */
export function samplesIn(text: string): Sample[] {
  return text
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => {
      const {
        name = '',
        labels = '',
        value = '',
      } = /^(?<name>\w+)(?:\{(?<labels>.*)\})? (?<value>\S+)$/.exec(line)?.groups ?? {}
      const pairs = [...labels.matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)]
      return {
        name,
        labels: Object.fromEntries(pairs.map(([, label = '', text = '']) => [label, text])),
        value: Number(value),
      }
    })
}
