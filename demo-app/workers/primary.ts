import { generateKeyPairSync, randomBytes } from 'node:crypto'
import { createServer } from 'node:http'
import { localhostCertificate } from '../certificate'
import { enrol, openDatabase } from '../database'
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
  const advice = await prepareRedis(redis, run, environment)
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
  stopOnSignal(crew.stop)
  await crew.serving.catch(async (error) => {
    await crew.stop()
    throw error
  })
  for (const one of advice) console.error(`demo: ${one}`)
  const row = ['workers', `${workers} processes, over ${printableRedis(redis)}`] as const
  console.log(nextSteps(originsOf(ports), environment, paint, [row]))
}

/** Puts the client there, and answers what is wrong with the Redis. */
async function prepareRedis(url: string, run: string, environment: Environment): Promise<readonly string[]> {
  const redis = await connectRedis(url, () => undefined)
  try {
    const { store, clients } = redis.stateOf(run)
    const { clientId, clientSecret, database: path } = environment
    const database = path === undefined ? undefined : openDatabase(path, store)
    await enrol(database?.registry ?? clients, clientId, clientSecret)
    await database?.close()
    return await store.check()
  } finally {
    redis.close()
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
    for (const each of wanted) opened.push(await listen(each))
    const [https, http] = opened.map((listener) => listener.port)
    return { port: https ?? port, httpPort: http ?? httpPort }
  } finally {
    await Promise.all(opened.map(({ close }) => close()))
  }
}
