import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { buildSync } from 'esbuild'
import { memoryStore } from '../../lib/index.js'
import { redisStore } from '../../lib/stores/redis/redis.js'
import { type LocalServer, startLocalServer } from '../support/local-server.js'
import { CLIENTS } from '../support/redis/clients.js'
import { startRedis } from '../support/redis/servers.js'
import { describeInAll, sampled, times } from '../support/scale.js'
import { SECRET } from '../support/server.js'

/** A device in a process of its own, which is killed and started again. */

const MINUTE = 60_000

let issuer: LocalServer
let folder: string
let program: string
let devices = 0
const running = new Set<ChildProcess>()

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'device-'))
  // A bundle starts in a fifth of the time that the sources need.
  program = join(folder, 'device.cjs')
  const entryPoints = [join(__dirname, 'device-process.ts')]
  buildSync({ entryPoints, outfile: program, bundle: true, platform: 'node', logLevel: 'error' })
})

afterAll(() => rmSync(folder, { recursive: true }))

interface Run {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly clientId?: string
  readonly thumbprint?: string
  readonly steps?: number
}

interface Device {
  readonly subject: string
  readonly state: string
}

function newDevice(): Device {
  devices += 1
  const subject = `device:${devices}`
  return { subject, state: join(folder, `${devices}.json`) }
}

function start({ subject, state }: Device, env: Readonly<Record<string, string>> = {}) {
  const { PATH = '' } = process.env
  const given = { PATH, ISSUER: issuer.origin, STATE: state, SUBJECT: subject, SECRET, ...env }
  const child = spawn(process.execPath, [program], { env: given })
  running.add(child)
  let printed = ''
  child.stdout.on('data', (text) => {
    printed += text
  })
  const ended = new Promise<Run>((resolve) =>
    child.once('close', (code, signal) => {
      running.delete(child)
      resolve({ code, signal, ...(printed && JSON.parse(printed)) })
    }),
  )
  return { child, ended }
}

/** A device is enrolled once, has its answer, and leaves nothing else behind. */
async function expectEnrolled(device: Device, action = 'bind'): Promise<void> {
  const { subject, state } = device
  const run = await start(device, { ACTION: action }).ended
  expect(run).toMatchObject({ code: 0, clientId: subject })
  const about = issuer.events.filter((event) => 'subject' in event && event.subject === subject)
  const redeemed = about.filter(({ type }) => type === 'key.redeemed')
  expect([redeemed.length, about.filter(({ type }) => type === 'key.replayed').length]).toEqual([1, 0])
  if (action === 'bind') expect(await issuer.keys.listBindings(subject)).toHaveLength(1)
  expect(statSync(state).mode & 0o777).toBe(0o600)
  const name = state.slice(folder.length + 1)
  // The lock of a process that was killed after its last write stays until the next write.
  expect(readdirSync(folder).filter((file) => file.startsWith(name) && file !== `${name}.lock`)).toEqual([
    name,
  ])
}

/** The number of steps of an undisturbed device; see `device-process.ts`. */
const STEPS = 40

const SCOPES = ['provision:token', 'provision:bind', 'provision:register', 'devices:create', 'devices:read']
const FLEET = { clientId: 'fleet', clientSecret: SECRET, policy: { scopes: SCOPES, subjects: ['device:*'] } }

const STORES = {
  memoryStore: async () => ({ store: memoryStore(), close: async () => undefined }),
  async redisStore() {
    const redis = await startRedis()
    const client = await CLIENTS.ioredis(redis)
    const close = async () => {
      await client.close()
      await redis.close()
    }
    return { store: redisStore({ sendCommand: client.sendCommand, advise: () => undefined }), close }
  },
}

describe.each(sampled(['memoryStore', 'redisStore'] as const, () => 0))('with %s, a device', (name) => {
  let closeStore: () => Promise<void>

  beforeAll(async () => {
    const { store, close } = await STORES[name]()
    closeStore = close
    issuer = await startLocalServer({ store, rateLimit: false, clients: [FLEET] })
  })

  afterAll(async () => {
    for (const child of running) child.kill('SIGKILL')
    await issuer.close()
    await closeStore()
  })

  const steps = Array.from({ length: STEPS }, (_, index) => index + 1)

  it.each(sampled(steps, (step) => Math.floor(step / 16)))(
    'that is killed at step %i is enrolled once when it starts again',
    async (step) => {
      const device = newDevice()
      const { signal, code } = await start(device, { KILL_AT: String(step) }).ended
      expect(signal ?? code).toBe('SIGKILL')
      await expectEnrolled(device)
    },
    MINUTE,
  )

  it('has as many steps as are tried', async () => {
    expect(await start(newDevice()).ended).toMatchObject({ code: 0, steps: STEPS })
  })

  it.each(Array.from({ length: times({ all: 40, few: 1 }) }, (_, index) => index + 1))(
    'that is killed at any moment is enrolled once when it starts again, part %i',
    async () => {
      for (let run = 0; run < times({ all: 5, few: 2 }); run += 1) {
        const device = newDevice()
        const { child, ended } = start(device)
        await sleep(50 + Math.random() * 400)
        child.kill('SIGKILL')
        await ended
        await expectEnrolled(device)
      }
    },
    2 * MINUTE,
  )

  it.each(sampled(['bind', 'register', 'token'], () => 0))(
    'of two processes with one state file redeems one key to %s',
    async (action) => {
      const device = newDevice()
      const both = [start(device, { ACTION: action }).ended, start(device, { ACTION: action }).ended]
      for (const run of await Promise.all(both))
        expect(run).toMatchObject({ code: 0, clientId: device.subject })
      await expectEnrolled(device, action)
    },
    MINUTE,
  )
})

/** The steps of an undisturbed device that confirms its binding. The last ones are new: it confirms, and saves that. */
const CONFIRMING_STEPS = 55

describeInAll('with an issuer that wants a confirmation, a device', () => {
  beforeAll(async () => {
    const policy = { ...FLEET.policy, confirmWithinSeconds: 3600 }
    issuer = await startLocalServer({ rateLimit: false, clients: [{ ...FLEET, policy }] })
  })

  afterAll(() => issuer.close())

  it('has as many steps as are tried', async () => {
    expect(await start(newDevice()).ended).toMatchObject({ code: 0, steps: CONFIRMING_STEPS })
  })

  const steps = Array.from({ length: 18 }, (_, index) => CONFIRMING_STEPS - index)

  it.each(sampled(steps, () => 0))(
    'that is killed at step %i is enrolled and confirmed once when it starts again',
    async (step) => {
      const device = newDevice()
      const { signal, code } = await start(device, { KILL_AT: String(step) }).ended
      expect(signal ?? code).toBe('SIGKILL')
      await expectEnrolled(device)
      expect((await issuer.keys.listBindings(device.subject))[0]).not.toHaveProperty('confirmBy')
      const confirmed = issuer.events.filter(
        (event) => event.type === 'binding.confirmed' && event.clientId === device.subject,
      )
      expect(confirmed).toHaveLength(1)
    },
    MINUTE,
  )
})

const HOUR = { RENEW_AFTER: '3600' }
/** The policies, and how many steps a renewal has with each of them. */
const RENEWALS = [
  ['no confirmation', {}, 42],
  ['a confirmation', { confirmWithinSeconds: 3600 }, 44],
] as const

describeInAll('a renewal', () =>
  describe.each(RENEWALS)('with an issuer that wants %s, a device', (_, confirming, count) => {
    beforeAll(async () => {
      const rebinding = 'replace' as const
      const policy = { ...FLEET.policy, rebinding, ...confirming }
      const clients = [{ ...FLEET, policy }]
      issuer = await startLocalServer({ rateLimit: false, clients, policy: { scopes: SCOPES, rebinding } })
    })

    afterAll(() => issuer.close())

    /** A device whose binding is old enough to be renewed. */
    async function oldDevice() {
      const device = newDevice()
      const { thumbprint } = await start(device).ended
      const state = readFileSync(device.state, 'utf8')
      writeFileSync(device.state, state.replace(/"completedAt": \d+/, '"completedAt": 1000'))
      return { device, thumbprint }
    }

    const boundKeys = async ({ subject }: Device) =>
      (await issuer.keys.listBindings(subject)).map(({ confirmation }) => confirmation.jkt)

    it('has as many steps as are tried when it renews its binding', async () => {
      const { device } = await oldDevice()
      expect(await start(device, HOUR).ended).toMatchObject({ code: 0, steps: count })
    })

    const steps = Array.from({ length: count }, (_, index) => index + 1)

    it.each(sampled(steps, () => 0))(
      'that is killed at step %i of a renewal has one key pair that works when it starts again',
      async (step) => {
        const { device, thumbprint } = await oldDevice()
        const { signal, code } = await start(device, { ...HOUR, KILL_AT: String(step) }).ended
        expect(signal ?? code).toBe('SIGKILL')
        const renewed = await start(device, HOUR).ended
        expect(renewed.code).toBe(0)
        expect(renewed.thumbprint).not.toBe(thumbprint)
        expect(await boundKeys(device)).toEqual([renewed.thumbprint])
        const isReplayed = issuer.events.some(({ type }) => type === 'key.replayed')
        expect(isReplayed).toBe(false)
      },
      MINUTE,
    )
  }),
)
