import { generateKeyPairSync, randomBytes, randomInt } from 'node:crypto'
import { createServer } from 'node:http'
import { localhostCertificate } from '../certificate'
import { claimDatabase, enrol, openDatabase } from '../database'
import type { Environment } from '../environment'
import { type Listener, type Listening, listen } from '../listener'
import { nextSteps } from '../next-steps'
import type { Paint } from '../paint'
import { connectRedis } from '../redis'
import { printableRedis } from '../scale'
import { originsOf } from '../server'
import { stopOnSignal } from '../signals'
import { startCrew } from './crew'

export interface ClusterPlan {
  readonly environment: Environment
  readonly workers: number
  readonly redis: string
  readonly paint: Paint
}

/**
 * Runs the demo as several processes on one port, over one Redis.
 *
 * @throws EnvironmentError when there is no Redis, or a port cannot be had
 */
export async function runCluster({ environment, workers, redis, paint }: ClusterPlan): Promise<void> {
  const run = randomBytes(6).toString('hex')
  const { advice, release } = await prepare(redis, run, environment)
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const ports = await freePorts(environment)
  const handover = {
    environment: { ...environment, ...ports },
    certificate: await localhostCertificate(),
    signingKey: privateKey.export({ format: 'pem', type: 'pkcs8' }) as string,
    redis,
    run,
  }
  const crew = startCrew({ size: workers, handover, say: console.log })
  const stop = () => crew.stop().finally(release)
  stopOnSignal(stop)
  await crew.serving.catch(async (error) => {
    await stop()
    throw error
  })
  for (const one of advice) console.error(`demo: ${one}`)
  const row = ['workers', `${workers} processes, over ${printableRedis(redis)}`] as const
  console.log(nextSteps(originsOf(ports), environment, paint, [row]))
}

/** What the workers find there when they begin. */
interface Prepared {
  /** What is wrong with the Redis. */
  readonly advice: readonly string[]
  /** Lets another demo have the database. */
  readonly release: () => Promise<void>
}

/** Puts the client where the workers look for it; a database is this demo's from then on. */
async function prepare(url: string, run: string, environment: Environment): Promise<Prepared> {
  const { clientId, clientSecret, database: path } = environment
  const redis = await connectRedis(url, () => undefined)
  try {
    const { store, clients } = redis.stateOf(run)
    const release = path === undefined ? async () => undefined : claimDatabase(path)
    const database = path === undefined ? undefined : openDatabase(path, store)
    await enrol(database?.registry ?? clients, clientId, clientSecret)
    await database?.close()
    return { advice: await store.check(), release }
  } finally {
    redis.close()
  }
}

/** Below the ports that systems hand out: until the workers listen, seconds later, nobody is given one by chance. */
const FREE_PORTS = [10_000, 32_768] as const
const TRIES = 20

/** Listens on the port, or, where that is 0, on one that is free. */
async function listenAnywhere({ port, ...listening }: Listening): Promise<Listener> {
  for (let tries = port === 0 ? TRIES : 1; ; tries -= 1) {
    try {
      return await listen({ ...listening, port: port === 0 ? randomInt(...FREE_PORTS) : port })
    } catch (error) {
      if (tries <= 1) throw error
    }
  }
}

/** Finds out which ports it is going to be: the workers listen on them together. */
async function freePorts({ port, httpPort }: Environment): Promise<{ port: number; httpPort: number }> {
  const wanted: readonly Listening[] = [
    { variable: 'PORT', port, createServer },
    { variable: 'HTTP_PORT', port: httpPort, createServer },
  ]
  const opened: Listener[] = []
  try {
    for (const each of wanted) opened.push(await listenAnywhere(each))
    const [https, http] = opened.map((listener) => listener.port)
    return { port: https ?? port, httpPort: http ?? httpPort }
  } finally {
    await Promise.all(opened.map(({ close }) => close()))
  }
}
