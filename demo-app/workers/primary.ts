import { generateKeyPairSync, randomBytes, randomInt } from 'node:crypto'
import { createServer } from 'node:http'
import { localhostCertificate } from '../certificate'
import { lockDatabase, openDatabase, saveConfiguredClient } from '../database'
import type { Environment } from '../environment'
import { type Listener, type ListenOptions, listen } from '../listener'
import { nextSteps } from '../next-steps'
import type { Paint } from '../paint'
import { connectRedis } from '../redis'
import { printableRedis } from '../scale'
import { originsOf } from '../server'
import { stopOnSignal } from '../signals'
import { startWorkers } from './worker-pool'

export interface ClusterOptions {
  readonly environment: Environment
  readonly workers: number
  readonly redis: string
  readonly paint: Paint
}

/**
 * Runs the demo as several processes that share a port and a Redis.
 *
 * @throws EnvironmentError if Redis or a port is not available
 */
export async function runCluster({ environment, workers, redis, paint }: ClusterOptions): Promise<void> {
  const run = randomBytes(6).toString('hex')
  const { advice, release } = await prepare(redis, run, environment)
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const ports = await freePorts(environment)
  const settings = {
    environment: { ...environment, ...ports },
    certificate: await localhostCertificate(),
    signingKey: privateKey.export({ format: 'pem', type: 'pkcs8' }) as string,
    redis,
    run,
  }
  const pool = startWorkers({ size: workers, settings, print: console.log })
  const stop = () => pool.stop().finally(release)
  stopOnSignal(stop)
  await pool.serving.catch(async (error) => {
    await stop()
    throw error
  })
  for (const text of advice) console.error(`demo: ${text}`)
  const row = ['workers', `${workers} processes that share ${printableRedis(redis)}`] as const
  console.log(nextSteps(originsOf(ports), environment, paint, [row]))
}

interface Prepared {
  /** Warnings about the configuration of Redis. */
  readonly advice: readonly string[]
  /** Unlocks the database for other demos. */
  readonly release: () => Promise<void>
}

/** Locks the database, and stores the configured client where the workers find it. */
async function prepare(url: string, run: string, environment: Environment): Promise<Prepared> {
  const { clientId, clientSecret, database: path } = environment
  const redis = await connectRedis(url, () => undefined)
  try {
    const { store, clients } = redis.stateOf(run)
    const release = path === undefined ? async () => undefined : lockDatabase(path)
    const database = path === undefined ? undefined : openDatabase(path, store)
    await saveConfiguredClient(database?.registry ?? clients, clientId, clientSecret)
    await database?.close()
    return { advice: await store.check(), release }
  } finally {
    redis.close()
  }
}

/** The system assigns higher ports by itself, and could assign one again before the workers listen on it. */
const FREE_PORTS = [10_000, 32_768] as const
const MAX_TRIES = 20

/** Listens on the port, or on any free one if it is 0. */
async function listenAnywhere({ port, ...listening }: ListenOptions): Promise<Listener> {
  for (let tries = port === 0 ? MAX_TRIES : 1; ; tries -= 1) {
    try {
      return await listen({ ...listening, port: port === 0 ? randomInt(...FREE_PORTS) : port })
    } catch (error) {
      if (tries <= 1) throw error
    }
  }
}

/** Chooses the ports before the workers start, because they all listen on the same ones. */
async function freePorts({ port, httpPort }: Environment): Promise<{ port: number; httpPort: number }> {
  const wanted: readonly ListenOptions[] = [
    { variable: 'PORT', port, createServer },
    { variable: 'HTTP_PORT', port: httpPort, createServer },
  ]
  const opened: Listener[] = []
  try {
    for (const listening of wanted) opened.push(await listenAnywhere(listening))
    const [https, http] = opened.map((listener) => listener.port)
    return { port: https ?? port, httpPort: http ?? httpPort }
  } finally {
    await Promise.all(opened.map(({ close }) => close()))
  }
}
