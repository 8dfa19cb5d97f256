import { generateKeyPairSync, randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type RedisServer, startRedis } from '../__tests__/support/redis/servers'
import { localhostCertificate } from '../demo-app/certificate'
import { type Client, httpsClient } from './client'
import { type Crew, startCrew } from './crew'
import { type Driver, driver } from './driver'
import { type Holder, proofKeyHolder } from './holder'
import { readJournal } from './journal'
import type { History } from './model/history'
import { type Random, random } from './random'
import { type Recorder, recorder } from './recorder'
import { startWatched, type Watched } from './redis/sentinels'
import type { RedisAddress } from './redis-clients'
import { type Resources, resources } from './resources'
import { LIMITS, type Scale } from './scale'
import type { WorkerOrders } from './worker'

/** Where scenarios play: Redis, and processes that share it. */
export interface Stage {
  readonly crew: Crew
  readonly scale: Scale
  readonly random: Random
  readonly holders: readonly Holder[]
  /** Begins a scenario: what is driven from here on is recorded by itself. */
  begin(): Act
  close(): Promise<void>
}

/** One scenario as it is played. */
export interface Act {
  readonly recorder: Recorder
  readonly driver: Driver
  /** All that is known of what happened. */
  history(): History
}

/** A stage with one Redis. */
export interface PlainStage extends Stage {
  readonly redis: RedisServer
  /** Starts an empty Redis in the place of one that was killed. */
  restartRedis(): Promise<void>
}

/** A stage with a primary, a replica and sentinels. */
export interface WatchedStage extends Stage {
  readonly watched: Watched
}

export interface StageOptions {
  readonly scale: Scale
  readonly seed: number
  readonly minReplicas?: number
  /** Of another store than `redisStore()`. */
  readonly storeModule?: string
}

const ISSUER = 'https://auth.faults.example'
const CLIENT_ID = 'harness'
const HOLDERS = 4

export async function plainStage(options: StageOptions): Promise<PlainStage> {
  return closingIfFailed(async (kept) => {
    const start = async (port?: number) => {
      const server = await startRedis([], port)
      return kept.keep({ ...server, drop: () => server.signal('SIGKILL') })
    }
    let redis = await start()
    const { url } = redis
    const libraries = ['node-redis', 'ioredis'] as const
    const stage = await stageOver(options, kept, (worker) => ({
      url,
      library: libraries[worker % 2] ?? 'ioredis',
    }))
    return {
      ...stage,
      get redis() {
        return redis
      },
      async restartRedis() {
        redis = await start(redis.port)
      },
    }
  })
}

export async function watchedStage(options: StageOptions): Promise<WatchedStage> {
  return closingIfFailed(async (kept) => {
    const watched = await startWatched(kept)
    const { name: primary, ports: sentinels } = watched
    return { ...(await stageOver(options, kept, () => ({ sentinels, primary }))), watched }
  })
}

async function closingIfFailed<T>(start: (kept: Resources) => Promise<T>): Promise<T> {
  const kept = resources()
  try {
    return await start(kept)
  } catch (error) {
    await kept.close()
    throw error
  }
}

async function stageOver(
  options: StageOptions,
  kept: Resources,
  addressOf: (worker: number) => RedisAddress,
): Promise<Stage> {
  const { scale, seed } = options
  const folder = mkdtempSync(join(tmpdir(), 'faults-'))
  const drop = () => rmSync(folder, { recursive: true, force: true })
  kept.keep({ close: async () => drop(), drop })
  const certificate = await localhostCertificate()
  const clientSecret = randomBytes(16).toString('hex')
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const shared = {
    ...{ issuer: ISSUER, clientId: CLIENT_ID, clientSecret, certificate },
    ...{ timeoutSeconds: LIMITS.timeoutSeconds, leaseSeconds: LIMITS.leaseSeconds },
    maxPending: LIMITS.maxPending,
    signingKey: String(privateKey.export({ type: 'pkcs8', format: 'pem' })),
    minReplicas: options.minReplicas ?? 0,
    ...(options.storeModule !== undefined && { storeModule: options.storeModule }),
  }
  const orders = Array.from({ length: scale.workers }, (_, index): WorkerOrders => {
    return { ...shared, index, redis: addressOf(index), journal: join(folder, `worker-${index}`) }
  })
  const crew = kept.keep(await startCrew(orders))
  const client = httpsClient(certificate.cert)
  kept.keep({ close: async () => client.close() })
  return {
    crew,
    scale,
    random: random(seed),
    holders: Array.from({ length: HOLDERS }, proofKeyHolder),
    begin: beginner({ client, crew, clientSecret, journals: orders.map(({ journal }) => journal) }),
    close: kept.close,
  }
}

interface Playing {
  readonly client: Client
  readonly crew: Crew
  readonly clientSecret: string
  readonly journals: readonly string[]
}

function beginner({ client, crew, clientSecret, journals }: Playing): Stage['begin'] {
  let acts = 0
  return function begin() {
    acts += 1
    const recording = recorder(`${acts}-`, {
      patience: LIMITS.timeoutSeconds * 1000,
      lease: LIMITS.leaseSeconds * 1000,
    })
    const common = { client, issuer: ISSUER, clientId: CLIENT_ID, clientSecret, portOf: crew.portOf }
    return {
      recorder: recording,
      driver: driver({ ...common, recorder: recording }),
      history: () => recording.history(journals.flatMap(readJournal)),
    }
  }
}
