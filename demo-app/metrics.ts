import { PrometheusExporter } from '@opentelemetry/exporter-prometheus'
import { MeterProvider } from '@opentelemetry/sdk-metrics'
import type { RequestHandler } from 'express'
import type { TelemetryOptions } from 'express-provisioning-keys'

/** The metrics of this process. */
export interface DemoMetrics {
  readonly telemetry: TelemetryOptions
  /** Answers with all metrics in the text format of Prometheus. */
  readonly serve: RequestHandler
}

export function demoMetrics(): DemoMetrics {
  // The demo serves the metrics itself, so the exporter opens no port.
  const exporter = new PrometheusExporter({ preventServerStart: true })
  return {
    telemetry: { meterProvider: new MeterProvider({ readers: [exporter] }) },
    serve: (req, res) => exporter.getMetricsRequestHandler(req, res),
  }
}
