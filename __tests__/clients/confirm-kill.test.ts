import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { findClient } from '../../lib/clients/registry.js'
import { keyvClientRegistry } from '../../lib/stores/keyv/keyv.js'
import { redisStore } from '../../lib/stores/redis/redis.js'
import { bindDevice, CONFIRM_SECONDS, type Device, FLEET, useDevice } from '../support/bound-devices.js'
import { type Deployed, deployed, reasonOf, START } from '../support/deployed.js'
import { sqliteDatabase } from '../support/keyv/databases'
import { CLIENTS, type ConnectedClient } from '../support/redis/clients'
import { type RedisServer, startRedis } from '../support/redis/servers'
import { TYPESCRIPT } from '../support/run-program'

/** A process that is killed while it confirms or undoes a binding leaves the binding as it was, or the whole change. */

/** A process compiles its sources when it starts, which takes long on a busy machine. */
const PATIENCE = 180_000
/** The number of steps of an undisturbed process; see `confirm-process.ts`. */
const STEPS = { use: 16, undo: 10 }

type Act = keyof typeof STEPS

let redis: RedisServer
let client: ConnectedClient
let site: Deployed
const database = sqliteDatabase()

beforeAll(async () => {
  redis = await startRedis()
  client = await CLIENTS.ioredis(redis)
  const store = redisStore({
    sendCommand: client.sendCommand,
    now: () => START * 1000,
    advise: () => undefined,
  })
  // The lease of a killed process must end in real time.
  const lock = redisStore({ sendCommand: client.sendCommand, advise: () => undefined })
  const options = { lock, timeoutSeconds: 0.3 }
  const clients = keyvClientRegistry(await database.connect(), options)
  await clients.save(FLEET)
  site = deployed({ store, clients, policy: {} })
})

afterAll(async () => {
  await database.close()
  await client.close()
  await redis.close()
})

/** Runs another process to its end, or until it kills itself. */
async function run(
  act: Act,
  device: Device,
  { at, killAt = 0 }: { readonly at: number; readonly killAt?: number },
) {
  const { PATH = '' } = process.env
  const env = {
    PATH,
    ACT: act,
    FILE: database.path,
    REDIS: redis.url,
    DEVICE: JSON.stringify(device),
    AT: String(at),
    KILL_AT: String(killAt),
  }
  // Node 20 can hang. Killed at another moment, a process must leave the binding whole too.
  const options = { env, timeout: 60_000, killSignal: 'SIGKILL' } as const
  const child = spawn(process.execPath, [...TYPESCRIPT, join(__dirname, 'confirm-process.ts')], options)
  let printed = ''
  let failed = ''
  child.stdout.on('data', (text) => {
    printed += text
  })
  child.stderr.on('data', (text) => {
    failed += text
  })
  const end = await new Promise((resolve) => child.once('close', (code, signal) => resolve(signal ?? code)))
  return { end, failed, ...(printed && (JSON.parse(printed) as { isDone: boolean; steps: number })) }
}

const BEFORE = START + CONFIRM_SECONDS - 1
const AFTER = START + CONFIRM_SECONDS

async function newDevice(name: string): Promise<Device> {
  site.clock.seconds = START
  return bindDevice(site, `device:${name}`)
}

const works = async (device: Device) =>
  (await reasonOf(() => useDevice(site.deployment, device))) === undefined

const cases = (Object.keys(STEPS) as Act[]).flatMap((act) =>
  Array.from({ length: STEPS[act] }, (_, index) => [act, index + 1] as const),
)

it.each(Object.keys(STEPS) as Act[])(
  'to %s takes as many steps as are tried',
  async (act) => {
    const device = await newDevice(`steps-${act}`)
    const ended = await run(act, device, { at: act === 'use' ? BEFORE : AFTER })
    expect(ended).toEqual({ end: 0, failed: '', isDone: true, steps: STEPS[act] })
  },
  PATIENCE,
)

it.each(cases)(
  'a process that is killed to %s at step %i leaves the binding pending, confirmed or undone',
  async (act, step) => {
    const device = await newDevice(`${act}-${step}`)
    expect(await run(act, device, { at: act === 'use' ? BEFORE : AFTER, killAt: step })).toMatchObject({
      end: 'SIGKILL',
      failed: '',
    })
    const record = await site.deployment.registry.find(device.clientId)
    const [binding] = record?.bindings ?? []
    const isPending = binding?.confirmBy !== undefined
    const isUndone = record?.undoneAt !== undefined
    expect([act === 'use' && isUndone, act === 'undo' && !isPending && !isUndone]).toEqual([false, false])
    expect(record?.authenticationMethods).toEqual(isUndone ? [] : ['private_key_jwt'])
    // The next process goes on from there: only a confirmed binding outlives its deadline.
    site.clock.seconds = AFTER
    expect(await works(device)).toBe(!isPending && !isUndone)
    expect(await findClient(site.deployment, device.clientId)).toEqual(
      isPending || isUndone ? undefined : expect.objectContaining({ clientId: device.clientId }),
    )
  },
  PATIENCE,
)
