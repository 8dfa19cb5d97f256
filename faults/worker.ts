import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import type { ProvisioningStore } from 'express-provisioning-keys'
import { redisStore, type SendCommand } from 'express-provisioning-keys/redis'
import { journal } from './journal'
import { connectRedis, type RedisAddress } from './redis-clients'
import { workerApp } from './worker-app'

/** The settings that a worker receives when it starts. */
export interface WorkerSettings {
  readonly index: number
  readonly issuer: string
  readonly signingKey: string
  readonly certificate: { readonly key: string; readonly cert: string }
  readonly clientId: string
  readonly clientSecret: string
  readonly journal: string
  readonly redis: RedisAddress
  readonly timeoutSeconds: number
  readonly leaseSeconds: number
  readonly maxPending: number
  readonly minReplicas: number
  /** A module that exports another store as `storeOver(sendCommand)`. */
  readonly storeModule?: string
}

/** The measurements that a worker sends on request. */
export interface Measurement {
  /** The used heap after a garbage collection, in bytes. */
  readonly heap: number
  readonly inFlight: number
}

/** A message from a worker. */
export type Report = { readonly port: number } | { readonly measured: Measurement }

/** Longer than any run. If an idle connection closed while a request is sent, this would look like a failure. */
const KEEP_ALIVE_MILLISECONDS = 600_000

async function run(settings: WorkerSettings): Promise<void> {
  const store = storeOf(settings, await connectRedis(settings.redis))
  const { app, inFlight } = workerApp({ ...settings, store, note: journal(settings.journal, settings.index) })
  const server = createServer(settings.certificate, app)
  server.keepAliveTimeout = KEEP_ALIVE_MILLISECONDS
  server.listen({ port: 0, host: '127.0.0.1', backlog: 1024 }, () => {
    report({ port: (server.address() as AddressInfo).port })
  })
  process.on('message', () => {
    globalThis.gc?.()
    report({ measured: { heap: process.memoryUsage().heapUsed, inFlight: inFlight() } })
  })
}

function storeOf(settings: WorkerSettings, sendCommand: SendCommand): ProvisioningStore {
  const { storeModule, timeoutSeconds, maxPending, minReplicas } = settings
  if (storeModule !== undefined) return require(storeModule).storeOver(sendCommand)
  return redisStore({ sendCommand, timeoutSeconds, maxPending, minReplicas })
}

function report(message: Report): void {
  process.send?.(message)
}

// The process that started this worker has ended.
process.once('disconnect', () => process.exit())
process.once('message', (settings: WorkerSettings) => {
  run(settings).catch((error) => {
    console.error(error)
    process.exit(1)
  })
})
