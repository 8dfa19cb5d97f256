import { setTimeout as pause } from 'node:timers/promises'
import fc from 'fast-check'
import { findClient } from '../../lib/clients/registry.js'
import type { ClientRegistry } from '../../lib/ports/client.js'
import type { ProvisioningStore } from '../../lib/ports/store.js'
import { keyvClientRegistry } from '../../lib/stores/keyv/keyv.js'
import { memoryStore } from '../../lib/stores/memory/memory.js'
import { memoryClientRegistry } from '../../lib/stores/memory/memory-clients.js'
import { redisStore } from '../../lib/stores/redis/redis.js'
import { bindDevice, CONFIRM_SECONDS, type Device, FLEET, useDevice } from '../support/bound-devices.js'
import { type Deployed, deployed, reasonOf, START } from '../support/deployed.js'
import { redisDatabase, sqliteDatabase } from '../support/keyv/databases'
import { CLIENTS } from '../support/redis/clients'
import { type RedisServer, startRedis } from '../support/redis/servers'
import { times } from '../support/scale.js'

/** The first use of a binding and its undo, at the same moment in two processes: exactly one of them succeeds. */

interface Backend {
  readonly store: ProvisioningStore
  /** The registry of each process. */
  readonly registries: readonly [ClientRegistry, ClientRegistry]
  close(): Promise<void>
}

/** Two processes. For the first one the deadline has not come, and for the second one it has. */
interface Processes {
  readonly early: Deployed
  readonly late: Deployed
}

const ids = { next: 0 }

function newId(): string {
  ids.next += 1
  return `device:${ids.next}`
}

function processes({ store, registries: [one, two] }: Omit<Backend, 'close'>): Processes {
  const early = deployed({ store, clients: one, policy: {} })
  const late = deployed({ store, clients: two, policy: {} })
  return { early, late }
}

/** A device whose deadline has just come, by the clock of the second process. */
async function overdueDevice({ early, late }: Processes): Promise<Device> {
  early.clock.seconds = START
  late.clock.seconds = START
  const device = await bindDevice(early, newId())
  early.clock.seconds = START + CONFIRM_SECONDS - 1
  late.clock.seconds = START + CONFIRM_SECONDS
  return device
}

/** Whether a use succeeds. Only an undone binding may be refused. */
async function isUsed(site: Deployed, device: Device): Promise<boolean> {
  const reason = await reasonOf(() => useDevice(site.deployment, device))
  if (reason === undefined) return true
  expect(['confirmation_missed', 'client_unknown', 'client_assertion_signature_wrong']).toContain(reason)
  return false
}

/** How long an undisturbed first use takes, in milliseconds. */
async function durationOfUse(site: Processes): Promise<number> {
  const device = await overdueDevice(site)
  const begun = performance.now()
  await isUsed(site.early, device)
  return performance.now() - begun
}

/** How often each end of a binding was told, by both processes. */
function endsOf({ early, late }: Processes, { bindingId }: Device) {
  const events = [...early.events, ...late.events]
  const count = (type: string) =>
    events.filter((event) => event.type === type && 'bindingId' in event && event.bindingId === bindingId)
      .length
  return { confirmed: count('binding.confirmed'), undone: count('binding.undone') }
}

/** A binding ends once. If it was ever used, it lasts. */
async function expectOneEnd(site: Processes, device: Device, wasUsed: boolean): Promise<boolean> {
  const isLasting = await isUsed(site.late, device)
  const { confirmed, undone } = endsOf(site, device)
  expect({ wasUsed: wasUsed && !isLasting, confirmed, undone }).toEqual(
    isLasting ? { wasUsed: false, confirmed: 1, undone: 0 } : { wasUsed: false, confirmed: 0, undone: 1 },
  )
  return isLasting
}

const BACKENDS: Readonly<Record<string, (redis: RedisServer) => Promise<Backend>>> = {
  async memory() {
    const registry = memoryClientRegistry([FLEET])
    const store = memoryStore({ now: () => START * 1000 })
    return { store, registries: [registry, registry], close: async () => undefined }
  },
  'Redis and Keyv with SQLite': async (redis) => overKeyv(redis, sqliteDatabase()),
  'Redis and Keyv with Redis': async (redis) => overKeyv(redis, redisDatabase(redis, 'clients')),
}

async function overKeyv(redis: RedisServer, database: ReturnType<typeof redisDatabase>): Promise<Backend> {
  const client = await CLIENTS.ioredis(redis)
  const { sendCommand } = client
  const store = redisStore({ sendCommand, now: () => START * 1000, advise: () => undefined })
  const another = async () =>
    keyvClientRegistry(await database.connect(), { lock: store, now: () => START * 1000 })
  const registries = [await another(), await another()] as const
  await registries[0].save(FLEET)
  const close = async () => {
    await database.close()
    await client.close()
  }
  return { store, registries, close }
}

describe.each(Object.keys(BACKENDS))('over %s, a binding', (name) => {
  let redis: RedisServer
  let backend: Backend
  let site: Processes

  beforeAll(async () => {
    redis = await startRedis()
    backend = (await BACKENDS[name]?.(redis)) as Backend
    site = processes(backend)
  })

  afterAll(async () => {
    await backend.close()
    await redis.close()
  })

  it('is never both undone and used, if both come at its deadline', async () => {
    const longest = await durationOfUse(site)
    for (let round = 0; round < times({ all: 200, few: 6 }); round += 1) {
      const { early, late } = site
      const device = await overdueDevice(site)
      const undo = () => findClient(late.deployment, device.clientId).then(() => false)
      const use = () => isUsed(early, device)
      // The undo takes less steps than the use, so it begins somewhere within the use.
      const later = () => pause(Math.random() * longest).then(undo)
      const results = await Promise.all([use, later, use, later].map((act) => act()))
      await expectOneEnd(site, device, results.includes(true))
    }
  }, 120_000)

  it('is confirmed once by many first uses at the same time', async () => {
    const { early, late } = site
    const device = await overdueDevice(site)
    late.clock.seconds = early.clock.seconds
    const uses = Array.from({ length: 8 }, (_, i) => isUsed(i % 2 === 0 ? early : late, device))
    expect(await Promise.all(uses)).toEqual(Array(8).fill(true))
    expect(endsOf(site, device)).toEqual({ confirmed: 1, undone: 0 })
  })

  it('is undone once by many readers at the same time', async () => {
    const { late } = site
    const device = await overdueDevice(site)
    const reads = Array.from({ length: 8 }, () => findClient(late.deployment, device.clientId))
    expect(await Promise.all(reads)).toEqual(Array(8).fill(undefined))
    expect(endsOf(site, device)).toEqual({ confirmed: 0, undone: 1 })
  })
})

/** What can happen at the deadline, in any order of the steps. */
type Act = 'use early' | 'use late' | 'read early' | 'read late' | 'enroll again'
const ACTS: readonly Act[] = ['use early', 'use late', 'read early', 'read late', 'enroll again']

describe('in every order of the calls to the registry', () => {
  it('a binding is used or undone, and a new one of the same device is never lost', async () => {
    const acts = fc.array(fc.constantFrom(...ACTS), { minLength: 2, maxLength: 6 })
    await fc.assert(
      fc.asyncProperty(fc.scheduler(), acts, async (scheduler, chosen) => {
        const kept = memoryClientRegistry([FLEET])
        const store = memoryStore({ now: () => START * 1000 })
        const device = await overdueDevice(processes({ store, registries: [kept, kept] }))
        const ordered: ClientRegistry = {
          find: scheduler.scheduleFunction(kept.find),
          save: scheduler.scheduleFunction(kept.save),
          delete: scheduler.scheduleFunction(kept.delete),
        }
        const site = processes({ store, registries: [ordered, ordered] })
        const { early, late } = site
        early.clock.seconds = START + CONFIRM_SECONDS - 1
        late.clock.seconds = START + CONFIRM_SECONDS
        const again: Device[] = []
        const run: Record<Act, () => Promise<boolean>> = {
          'use early': () => isUsed(early, device),
          'use late': () => isUsed(late, device),
          'read early': () => findClient(early.deployment, device.clientId).then(() => false),
          'read late': () => findClient(late.deployment, device.clientId).then(() => false),
          async 'enroll again'() {
            const reason = await reasonOf(async () => {
              again.push(await bindDevice(late, device.clientId))
            })
            expect([undefined, 'binding_exists']).toContain(reason)
            return false
          },
        }
        const results = await scheduler.waitFor(Promise.all(chosen.map((act) => run[act]())))
        const quiet = {
          early: { ...early, ...quietly(early, kept, store) },
          late: { ...late, ...quietly(late, kept, store) },
        }
        const isLasting = await expectOneEnd(quiet, device, results.includes(true))
        expect(again.length).toBeLessThanOrEqual(isLasting ? 0 : 1)
        for (const one of again) {
          expect(await isUsed(quiet.late, one)).toBe(true)
          expect(endsOf(quiet, one)).toEqual({ confirmed: 1, undone: 0 })
        }
      }),
      { numRuns: times({ all: 2000, few: 40 }) },
    )
  }, 120_000)
})

/** The same process, without an order of the calls to its registry. */
function quietly({ clock, events }: Deployed, clients: ClientRegistry, store: ProvisioningStore): Deployed {
  const observer = (event: Deployed['events'][number]) => events.push(event)
  const { deployment } = deployed({ store, clients, policy: {}, observer, now: () => clock.seconds * 1000 })
  return { deployment, clock, events }
}
