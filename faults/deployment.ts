import { generateKeyPairSync, randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type RedisServer, startRedis } from '../__tests__/support/redis/servers'
import { localhostCertificate } from '../demo-app/certificate'
import { httpsClient } from './client'
import { type Driver, type DriverOptions, driver } from './driver'
import { readJournal } from './journal'
import { dpopKeyOwner, type KeyOwner } from './key-owner'
import type { History } from './model/history'
import { type Random, random } from './random'
import { type Recorder, recorder } from './recorder'
import { type ReplicatedRedis, startReplicatedRedis } from './redis/sentinels'
import type { RedisAddress } from './redis-clients'
import { type Resources, resources } from './resources'
import { LIMITS, type Scale } from './scale'
import type { WorkerSettings } from './worker'
import { startWorkers, type WorkerPool } from './worker-pool'

/** Workers that share a Redis: the system that the scenarios test. */
export interface Deployment {
  readonly pool: WorkerPool
  readonly scale: Scale
  readonly random: Random
  readonly owners: readonly KeyOwner[]
  /** Starts the recording of one scenario. */
  startSession(): Session
  close(): Promise<void>
}

/** The driver of one scenario, and the record of its calls. */
export interface Session {
  readonly recorder: Recorder
  readonly driver: Driver
  history(): History
}

export interface SingleRedisDeployment extends Deployment {
  readonly redis: RedisServer
  /** Starts an empty Redis to replace one that was killed. */
  restartRedis(): Promise<void>
}

export interface ReplicatedDeployment extends Deployment {
  readonly redis: ReplicatedRedis
}

export interface DeploymentOptions {
  readonly scale: Scale
  readonly seed: number
  readonly minReplicas?: number
  /** A module with a store that replaces `redisStore()`. */
  readonly storeModule?: string
}

const ISSUER = 'https://auth.faults.example'
const CLIENT_ID = 'harness'
const OWNERS = 4

export function deployOverSingleRedis(options: DeploymentOptions): Promise<SingleRedisDeployment> {
  return closingOnFailure(async (kept) => {
    const start = async (port?: number) => {
      const server = await startRedis([], port)
      return kept.keep({ ...server, drop: () => server.signal('SIGKILL') })
    }
    let redis = await start()
    const { url } = redis
    const deployment = await deploy(options, kept, (worker) => ({
      url,
      library: worker % 2 === 0 ? 'node-redis' : 'ioredis',
    }))
    return {
      ...deployment,
      get redis() {
        return redis
      },
      async restartRedis() {
        redis = await start(redis.port)
      },
    }
  })
}

export function deployOverReplicas(options: DeploymentOptions): Promise<ReplicatedDeployment> {
  return closingOnFailure(async (kept) => {
    const redis = await startReplicatedRedis(kept)
    const address = { sentinels: redis.ports, primary: redis.name }
    return { ...(await deploy(options, kept, () => address)), redis }
  })
}

async function closingOnFailure<T>(start: (kept: Resources) => Promise<T>): Promise<T> {
  const kept = resources()
  try {
    return await start(kept)
  } catch (error) {
    await kept.close()
    throw error
  }
}

async function deploy(
  options: DeploymentOptions,
  kept: Resources,
  addressOf: (worker: number) => RedisAddress,
): Promise<Deployment> {
  const { scale, seed } = options
  const folder = mkdtempSync(join(tmpdir(), 'faults-'))
  const drop = () => rmSync(folder, { recursive: true, force: true })
  kept.keep({ close: async () => drop(), drop })
  const shared = await sharedSettings(options)
  const settings = Array.from({ length: scale.workers }, (_, index): WorkerSettings => {
    return { ...shared, index, redis: addressOf(index), journal: join(folder, `worker-${index}`) }
  })
  const pool = kept.keep(await startWorkers(settings))
  const client = httpsClient(shared.certificate.cert)
  kept.keep({ close: async () => client.close() })
  const journals = settings.map(({ journal }) => journal)
  const target = { client, portOf: pool.portOf, issuer: ISSUER, clientId: CLIENT_ID }
  let sessions = 0
  return {
    ...{ pool, scale, random: random(seed), owners: Array.from({ length: OWNERS }, dpopKeyOwner) },
    startSession() {
      sessions += 1
      return session({ ...target, clientSecret: shared.clientSecret }, journals, `${sessions}-`)
    },
    close: kept.close,
  }
}

async function sharedSettings({ minReplicas = 0, storeModule }: DeploymentOptions) {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const { timeoutSeconds, leaseSeconds, maxPending } = LIMITS
  return {
    ...{ issuer: ISSUER, clientId: CLIENT_ID, clientSecret: randomBytes(16).toString('hex') },
    certificate: await localhostCertificate(),
    signingKey: String(privateKey.export({ type: 'pkcs8', format: 'pem' })),
    ...{ timeoutSeconds, leaseSeconds, maxPending, minReplicas },
    ...(storeModule !== undefined && { storeModule }),
  }
}

function session(
  target: Omit<DriverOptions, 'recorder'>,
  journals: readonly string[],
  prefix: string,
): Session {
  const recording = recorder(prefix, {
    storeTimeoutMilliseconds: LIMITS.timeoutSeconds * 1000,
    leaseMilliseconds: LIMITS.leaseSeconds * 1000,
  })
  return {
    recorder: recording,
    driver: driver({ ...target, recorder: recording }),
    history: () => recording.history(journals.flatMap(readJournal)),
  }
}
