import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import type { ProvisioningStore } from 'express-provisioning-keys'
import { redisStore, type SendCommand } from 'express-provisioning-keys/redis'
import { journal } from './journal'
import { connectRedis, type RedisAddress } from './redis-clients'
import { workerApp } from './worker-app'

/** What a worker is told when it starts. */
export interface WorkerOrders {
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
  /** A module that exports another store, as `storeOver(sendCommand)`. */
  readonly storeModule?: string
}

/** What a worker says of itself when it is asked. */
export interface Measurement {
  /** In use after garbage has been collected, in bytes. */
  readonly heap: number
  readonly inFlight: number
}

/** What goes from a worker to the harness. */
export type Report = { readonly port: number } | { readonly measured: Measurement }

/** For longer than any run: a connection that is closed as a request goes out would look like a fault. */
const KEEP_ALIVE_MILLISECONDS = 600_000

async function work(orders: WorkerOrders): Promise<void> {
  const store = storeOf(orders, await connectRedis(orders.redis))
  const { app, inFlight } = workerApp({ ...orders, store, note: journal(orders.journal, orders.index) })
  const server = createServer(orders.certificate, app)
  server.keepAliveTimeout = KEEP_ALIVE_MILLISECONDS
  server.listen({ port: 0, host: '127.0.0.1', backlog: 1024 }, () => {
    report({ port: (server.address() as AddressInfo).port })
  })
  process.on('message', () => {
    globalThis.gc?.()
    report({ measured: { heap: process.memoryUsage().heapUsed, inFlight: inFlight() } })
  })
}

function storeOf(orders: WorkerOrders, sendCommand: SendCommand): ProvisioningStore {
  const { storeModule, timeoutSeconds, maxPending, minReplicas } = orders
  if (storeModule !== undefined) return require(storeModule).storeOver(sendCommand)
  return redisStore({ sendCommand, timeoutSeconds, maxPending, minReplicas })
}

function report(report: Report): void {
  process.send?.(report)
}

// Who started it is gone.
process.once('disconnect', () => process.exit())
process.once('message', (orders: WorkerOrders) => {
  work(orders).catch((error) => {
    console.error(error)
    process.exit(1)
  })
})
