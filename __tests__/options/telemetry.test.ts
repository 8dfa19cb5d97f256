import { metrics, trace } from '@opentelemetry/api'
import { MeterProvider } from '@opentelemetry/sdk-metrics'
import { BasicTracerProvider } from '@opentelemetry/sdk-trace-base'
import type { TelemetryOptions } from '../../lib/index.js'
import { memoryStore } from '../../lib/index.js'
import { isInMemory } from '../../lib/stores/memory/memory.js'
import { faultsOf, parse } from './faults-of.js'

describe('the option telemetry', () => {
  it('takes the API of OpenTelemetry and the providers of its SDK', () => {
    const accepted: readonly TelemetryOptions[] = [
      { meterProvider: metrics, tracerProvider: trace },
      { meterProvider: new MeterProvider(), tracerProvider: new BasicTracerProvider() },
      { meterProvider: metrics },
      { tracerProvider: trace },
      {},
    ]
    for (const telemetry of accepted) expect(faultsOf({ telemetry })).toEqual([])
  })

  it('rejects everything else, and names what it takes', () => {
    expect(faultsOf({ telemetry: true })).toEqual(['telemetry: expected an object, got true'])
    expect(faultsOf({ telemetry: { meterProvider: {}, tracerProvider: metrics, meters: 1 } })).toEqual([
      'telemetry.meters: expected one of meterProvider, tracerProvider, got an unknown name',
      'telemetry.meterProvider: expected metrics of @opentelemetry/api, or a MeterProvider, got an object',
      'telemetry.tracerProvider: expected trace of @opentelemetry/api, or a TracerProvider, got an object',
    ])
  })

  it('measures nothing if it is absent, and does not wrap the use cases', () => {
    expect(parse({}).useCases).toBeUndefined()
    expect(parse({ telemetry: { meterProvider: metrics } }).useCases).toBeDefined()
  })

  it('asks its providers only for what they have, under the name of the package', () => {
    const asked: unknown[] = []
    const meterProvider = {
      getMeter(...given: unknown[]) {
        asked.push(given)
        return metrics.getMeter('test')
      },
    }
    parse({ telemetry: { meterProvider } })
    expect(asked).toEqual([['express-provisioning-keys', expect.stringMatching(/^\d+\.\d+\.\d+$/)]])
  })

  it('can tell memoryStore() from a store that only looks like it', () => {
    expect(isInMemory(memoryStore())).toBe(true)
    expect(isInMemory({ ...memoryStore() })).toBe(false)
    expect(isInMemory(Object.create(memoryStore()))).toBe(false)
  })
})
