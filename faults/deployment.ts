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
import { newResources, type Resources } from './resources'
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

/** What one scenario uses: a driver that makes its calls, and a recorder that notes them. */
export interface Session {
  readonly recorder: Recorder
  readonly driver: Driver
  /** Everything that happened so far, as the model checker needs it. */
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
  /** The seed of all random choices. */
  readonly seed: number
  /** The option of `redisStore()`: how many replicas must confirm a change. Default: 0. */
  readonly minReplicas?: number
  /** A module with a store that replaces `redisStore()`: see `WorkerSettings`. */
  readonly storeModule?: string
}

const ISSUER = 'https://auth.faults.example'
const CLIENT_ID = 'harness'
const OWNER_COUNT = 4

export function deployOverSingleRedis(options: DeploymentOptions): Promise<SingleRedisDeployment> {
  return closingOnFailure(async (resources) => {
    const start = async (port?: number) => {
      const server = await startRedis([], port)
      return resources.keep({ ...server, drop: () => server.signal('SIGKILL') })
    }
    let redis = await start()
    const { url } = redis
    const deployment = await deploy(options, resources, (worker) => ({
      url,
      library: worker % 2 === 0 ? 'node-redis' : 'ioredis',
    }))
    return {
      ...deployment,
      get redis() {
        return redis
      },
      async restartRedis() {
        // The workers know the port.
        redis = await start(redis.port)
      },
    }
  })
}

export function deployOverReplicas(options: DeploymentOptions): Promise<ReplicatedDeployment> {
  return closingOnFailure(async (resources) => {
    const redis = await startReplicatedRedis(resources)
    const address = { sentinels: redis.ports, primary: redis.name }
    return { ...(await deploy(options, resources, () => address)), redis }
  })
}

/** Runs `start`. If it fails, closes all that it has started. */
async function closingOnFailure<T>(start: (resources: Resources) => Promise<T>): Promise<T> {
  const resources = newResources()
  try {
    return await start(resources)
  } catch (error) {
    await resources.close()
    throw error
  }
}

async function deploy(
  options: DeploymentOptions,
  resources: Resources,
  addressOf: (worker: number) => RedisAddress,
): Promise<Deployment> {
  const { scale, seed } = options
  const folder = mkdtempSync(join(tmpdir(), 'faults-'))
  const drop = () => rmSync(folder, { recursive: true, force: true })
  resources.keep({ close: async () => drop(), drop })
  const shared = await sharedSettings(options)
  const settings = Array.from({ length: scale.workers }, (_, index): WorkerSettings => {
    return { ...shared, index, redis: addressOf(index), journal: join(folder, `worker-${index}`) }
  })
  const pool = resources.keep(await startWorkers(settings))
  const client = httpsClient(shared.certificate.cert)
  resources.keep({ close: async () => client.close() })
  const journals = settings.map(({ journal }) => journal)
  const target = { client, portOf: pool.portOf, issuer: ISSUER, clientId: CLIENT_ID }
  let sessions = 0
  return {
    pool,
    scale,
    random: random(seed),
    owners: Array.from({ length: OWNER_COUNT }, dpopKeyOwner),
    startSession() {
      sessions += 1
      return session({ ...target, clientSecret: shared.clientSecret }, journals, `${sessions}-`)
    },
    close: resources.close,
  }
}

/** The settings that all workers have in common. */
async function sharedSettings({ minReplicas = 0, storeModule }: DeploymentOptions) {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const { timeoutSeconds, leaseSeconds, maxPending } = LIMITS
  return {
    issuer: ISSUER,
    clientId: CLIENT_ID,
    clientSecret: randomBytes(16).toString('hex'),
    certificate: await localhostCertificate(),
    signingKey: String(privateKey.export({ type: 'pkcs8', format: 'pem' })),
    timeoutSeconds,
    leaseSeconds,
    maxPending,
    minReplicas,
    ...(storeModule !== undefined && { storeModule }),
  }
}

function session(
  target: Omit<DriverOptions, 'recorder'>,
  journals: readonly string[],
  callIdPrefix: string,
): Session {
  const recording = recorder(callIdPrefix, {
    storeTimeoutMilliseconds: LIMITS.timeoutSeconds * 1000,
    leaseMilliseconds: LIMITS.leaseSeconds * 1000,
  })
  return {
    recorder: recording,
    driver: driver({ ...target, recorder: recording }),
    history: () => recording.history(journals.flatMap(readJournal)),
  }
}
