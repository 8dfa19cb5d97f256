import { memoryStore, type ProvisioningEvent, provisioningKeys } from '../../../lib/index.js'
import { forgeKey } from '../../support/forge.js'
import { askForKey, exchangeKey, obtainKey, postForm, send } from '../../support/requests.js'
import { times } from '../../support/scale.js'
import { CLIENT, type RunningServer, SECRET, startServer, workingOptions } from '../../support/server.js'

let server: RunningServer

afterEach(() => server.close())

/** Waits until an event has come, because rules and responses do not delay requests. */
async function until<T extends ProvisioningEvent['type']>(type: T, count = 1) {
  for (let i = 0; i < 200; i += 1) {
    const found = server.events.filter(
      (event): event is Extract<ProvisioningEvent, { type: T }> => event.type === type,
    )
    if (found.length >= count) return found
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  throw new Error(`no event ${type}`)
}

async function replay(): Promise<void> {
  const key = await obtainKey(server)
  await exchangeKey(server, key)
  await exchangeKey(server, key)
}

describe('a replay', () => {
  it('opens a finding that all processes see, and that an operator closes', async () => {
    server = await startServer({ options: { monitoring: {} } })
    await replay()
    const [opened] = await until('finding.opened')
    expect(opened).toMatchObject({
      rule: 'replayed_key',
      code: 'finding.opened:replayed_key',
      severity: 'high',
      evidence: 'bound',
      subject: `client:${CLIENT}`,
      count: 1,
      actions: ['report'],
    })
    expect(opened?.samples[0]).toMatch(/key\.replayed:family_revoked key [\w-]{27} from 127\.0\.0\.1/)
    const [finding, ...others] = await server.keys.findings()
    expect(others).toEqual([])
    expect(finding).toMatchObject({ id: opened?.findingId, rule: 'replayed_key', count: 1 })
    const closing = { findingId: finding?.id ?? '', author: 'alice' }
    expect(await server.keys.closeFinding(closing)).toBe('closed')
    expect(await server.keys.findings()).toEqual([])
    expect(await server.keys.closeFinding(closing)).toBe('unknown')
    expect((await until('finding.closed'))[0]).toMatchObject({ ...closing })
  })

  it('adds to the finding of the same hour', async () => {
    server = await startServer({ options: { monitoring: {} } })
    await replay()
    await until('finding.opened')
    await replay()
    const [updated] = await until('finding.updated')
    expect(updated).toMatchObject({ rule: 'replayed_key', count: 2 })
    expect(await server.keys.findings()).toHaveLength(1)
  })

  it('renews a lock only after half a minute, so that a long attack does not fill the log', async () => {
    let now = Date.now()
    const rules = { replayed_key: { responses: ['throttle'] as const } }
    server = await startServer({ options: { now: () => now, monitoring: { rules } } })
    await replay()
    await until('finding.opened')
    await replay()
    await until('finding.updated')
    expect(await until('client.locked')).toHaveLength(1)
    now += 31_000
    await replay()
    expect(await until('client.locked', 2)).toHaveLength(2)
  })

  it('locks again if an operator of any process has ended the lock', async () => {
    const rules = { replayed_key: { responses: ['throttle'] as const } }
    const store = memoryStore()
    server = await startServer({ options: { store, monitoring: { rules } } })
    await replay()
    await until('finding.opened')
    const other = provisioningKeys(workingOptions({ store }))
    expect(await other.unlockClient({ clientId: CLIENT, author: 'alice' })).toBe('unlocked')
    await replay()
    const [updated] = await until('finding.updated')
    expect(updated?.actions).toEqual(['throttle'])
    expect(await server.keys.locks()).toMatchObject([{ clientId: CLIENT, author: 'rule replayed_key' }])
    expect(await until('client.locked')).toHaveLength(2)
  })

  it('locks the client if its policy says so, until the lock is over or an operator ends it', async () => {
    const rules = { replayed_key: { responses: ['lockClient'] as const } }
    server = await startServer({ options: { monitoring: { rules, lockSeconds: 600 } } })
    await replay()
    const [opened] = await until('finding.opened')
    expect(opened?.actions).toEqual(['lockClient'])
    const [lock] = await server.keys.locks()
    expect(lock).toMatchObject({ clientId: CLIENT, kind: 'lock', author: 'rule replayed_key' })
    expect((lock?.until ?? 0) - (lock?.lockedAt ?? 0)).toBe(600)
    expect((await askForKey(server)).status).toBe(400)
    expect(server.events.at(-1)).toMatchObject({ reason: 'client_locked' })
    expect(
      (await askForKey(server, { scope: 'devices:read' }, { id: 'bystander', secret: SECRET })).status,
    ).toBe(200)
    expect(await server.keys.unlockClient({ clientId: CLIENT, author: 'alice' })).toBe('unlocked')
    expect((await askForKey(server)).status).toBe(200)
  })
})

describe('a lock', () => {
  it('of one process applies to the next request at another process', async () => {
    const store = memoryStore()
    server = await startServer({ options: { store, monitoring: {} } })
    const other = provisioningKeys(workingOptions({ store }))
    const key = await obtainKey(server, { scope: 'devices:read' })
    const present = () => send(server, 'get', '/devices').set('Authorization', `Bearer ${key}`)
    expect((await present()).status).toBe(200)
    await other.lockClient({ clientId: CLIENT, reason: 'a test', author: 'alice' })
    expect((await present()).status).toBe(401)
    expect((await askForKey(server)).status).toBe(400)
    await other.unlockClient({ clientId: CLIENT, author: 'alice' })
    expect((await present()).status).toBe(200)
  })

  it.each([
    [{ clientId: CLIENT, author: 'alice' }, /options\.reason/],
    [{ clientId: CLIENT, reason: 'x', author: '' }, /options\.author/],
    [
      { clientId: CLIENT, reason: 'x', author: 'alice', kind: 'ban' },
      /options\.kind: expected throttle or stepUp or lock/,
    ],
    [{ clientId: CLIENT, reason: 'x', author: 'alice', lockSeconds: 0 }, /options\.lockSeconds/],
    [{ clientId: 'ключ', reason: 'x', author: 'alice' }, /options\.clientId/],
  ])('with the options %j is rejected', async (options, message) => {
    server = await startServer({ options: { monitoring: {} } })
    await expect(server.keys.lockClient(options as never)).rejects.toThrow(message)
  })
})

describe('forged requests', () => {
  it('lock out no client, however many and however they are forged', async () => {
    const rules = Object.fromEntries(
      [
        'replayed_key',
        'dead_key',
        'wrong_proof_key',
        'wrong_place',
        'scope_escalation',
        'network_changed',
        'many_networks',
      ].map((id) => [id, { responses: ['lockClient'] as const, threshold: { count: 1, seconds: 60 } }]),
    )
    server = await startServer({ options: { monitoring: { rules } } })
    const key = await obtainKey(server, { scope: 'devices:read' })
    const forgeries = [
      { claims: { exp: 1 } },
      { claims: { aud: 'https://elsewhere.example.com' } },
      { header: { alg: 'none' } },
      { header: { kid: 'unknown' } },
    ]
    for (let i = 0; i < times({ all: 50, few: 10 }); i += 1) {
      await Promise.all([
        ...forgeries.map((forgery) =>
          send(server, 'get', '/devices').set(
            'Authorization',
            `Bearer ${tampered(forgeKey(key, forgery as never))}`,
          ),
        ),
        ...Array.from({ length: 8 }, () => askForKey(server, {}, { id: CLIENT, secret: `wrong-${i}` })),
        ...Array.from({ length: 4 }, () => postForm(server, '/oauth/leaked', { token: tampered(key) })),
        ...Array.from({ length: 4 }, () => exchangeKey(server, tampered(key))),
      ])
    }
    await until('finding.opened')
    expect(await server.keys.locks()).toEqual([])
    expect((await askForKey(server)).status).toBe(200)
    const found = (await server.keys.findings()).filter(({ evidence }) => evidence === 'bound')
    expect(found).toEqual([])
  }, 60_000)
})

/** The same token with another signature. */
function tampered(token: string): string {
  const [header, claims, signature = ''] = token.split('.')
  return `${header}.${claims}.${signature.startsWith('A') ? 'B' : 'A'}${signature.slice(1)}`
}

describe('refusals of one address', () => {
  it('are complete events at first, and then one summary of each minute', async () => {
    server = await startServer({ options: { monitoring: { detailedRefusals: 3 } } })
    jest.useFakeTimers({ doNotFake: ['setImmediate', 'queueMicrotask', 'nextTick', 'performance'] })
    try {
      for (let i = 0; i < 10; i += 1) await askForKey(server, {}, { id: CLIENT, secret: 'wrong' })
      await askForKey(server, { scope: 'unknown' })
      expect(server.events.filter(({ type }) => type === 'request.refused')).toHaveLength(3)
      jest.advanceTimersByTime(60_000)
      await new Promise((resolve) => setImmediate(resolve))
    } finally {
      jest.useRealTimers()
    }
    expect((await until('refusals.summarized'))[0]).toMatchObject({
      address: '127.0.0.1',
      count: 8,
      reasons: ['client_secret_wrong: 7', 'scope_not_permitted: 1'],
    })
  })

  it('open a finding although their events are not delivered', async () => {
    server = await startServer({ options: { monitoring: { detailedRefusals: 1 } } })
    for (let i = 0; i < 10; i += 1) await askForKey(server, {}, { id: CLIENT, secret: 'wrong' })
    expect((await until('finding.opened'))[0]).toMatchObject({
      rule: 'client_guessing',
      evidence: 'unbound',
      count: 10,
    })
  })
})

describe('the last use', () => {
  it('of a client says when and from which network', async () => {
    server = await startServer({ options: { monitoring: {} } })
    expect(await server.keys.lastUses(CLIENT)).toEqual([])
    await obtainKey(server)
    const [use, ...others] = await server.keys.lastUses(CLIENT)
    expect(others).toEqual([])
    expect(use).toMatchObject({ clientId: CLIENT, network: '127.0.0.0/24' })
    expect(Math.abs((use?.lastUsedAt ?? 0) - Date.now() / 1000)).toBeLessThan(60)
    expect(await server.keys.unusedClients({ unusedForSeconds: 86_400 })).toEqual([])
  })

  it('is not noted for a client that does not authenticate', async () => {
    server = await startServer({ options: { monitoring: {} } })
    await askForKey(server, {}, { id: CLIENT, secret: 'wrong' })
    expect(await server.keys.lastUses(CLIENT)).toEqual([])
  })
})
