import { memoryStore, type ProvisioningStore } from '../../lib/index.js'
import { AS, act, readApi, startAdministration } from '../support/administration.js'
import { bindingBody } from '../support/binding.js'
import { askSigned, bindByProof } from '../support/bound-client.js'
import { clientKey } from '../support/client-assertion.js'
import { refOf } from '../support/redeeming.js'
import { exchangeKey, obtainKey, send } from '../support/requests.js'
import { CLIENT, type RunningServer } from '../support/server.js'

let server: RunningServer
let store: ProvisioningStore

beforeEach(async () => {
  store = memoryStore()
  server = await startAdministration({ options: { monitoring: {}, store } })
})
afterEach(() => server.close())

const nameOf = (key: string) => {
  const { clientId, jti } = refOf(key)
  return { clientId, keyId: jti }
}

const queryOf = (members: Record<string, string>) => new URLSearchParams(members).toString()

const acted = () =>
  server.events.flatMap((event) =>
    event.type === 'administration.acted' ? [[event.action, event.author, event.outcome]] : [],
  )

/** Replays a key, so that a rule finds something. */
async function replayKey(): Promise<string> {
  const key = await obtainKey(server, { scope: 'provision:token devices:read' })
  await exchangeKey(server, key)
  await exchangeKey(server, key)
  for (let tries = 0; tries < 100 && (await server.keys.findings()).length === 0; tries += 1)
    await new Promise((resolve) => setTimeout(resolve, 10))
  return key
}

describe('the overview', () => {
  it('shows who asks, the health, and how many of everything there are', async () => {
    await replayKey()
    await obtainKey(server)
    await server.keys.lockClient({ clientId: 'runner-7', reason: 'stolen', author: 'bob' })
    const { body } = await readApi(server, 'overview')
    expect(body).toMatchObject({
      role: 'operate',
      actor: 'alice',
      health: { status: 'ready', store: { isReachable: true }, droppedEvents: 0 },
      keys: { issued: 1, redeeming: 0, redeemed: 1, revoked: 0, expired: 0 },
      findings: { open: 1, bySeverity: { high: 1 } },
      locks: 1,
      process: { pid: process.pid },
    })
    expect(body.history.at).toHaveLength(1)
    expect(body.history.redeemed).toEqual([1])
  })

  it('shows a process that is about to stop', async () => {
    server.keys.drain()
    expect((await readApi(server, 'health')).body.status).toBe('draining')
  })
})

describe('the list of keys', () => {
  it('shows ids and never a key', async () => {
    const key = await obtainKey(server, { scope: 'devices:create', requested_subject: 'device:7' })
    const { body, text } = await readApi(server, 'keys')
    expect(body).toEqual({
      items: [
        {
          ...nameOf(key),
          subject: 'device:7',
          scope: ['devices:create'],
          audience: expect.any(String),
          issuedAt: expect.any(Number),
          expiresAt: expect.any(Number),
          changedAt: expect.any(Number),
          isExpired: false,
          state: 'issued',
          binding: 'none',
          familyRevoked: false,
          issuedTo: '127.0.0.0/24',
        },
      ],
    })
    for (const part of key.split('.')) expect(text).not.toContain(part)
  })

  it('has pages, and filters by client and state', async () => {
    const keys = []
    for (let i = 0; i < 5; i += 1) keys.push(nameOf(await obtainKey(server)).keyId)
    const seen: string[] = []
    let after: string | undefined
    do {
      const query = queryOf({
        limit: '2',
        state: 'issued',
        clientId: CLIENT,
        ...(after !== undefined && { after }),
      })
      const { body } = await readApi(server, `keys?${query}`)
      seen.push(...body.items.map(({ keyId }: { keyId: string }) => keyId))
      after = body.next
    } while (after !== undefined)
    expect(seen.sort()).toEqual(keys.sort())
    expect((await readApi(server, 'keys?state=redeemed')).body).toEqual({ items: [] })
    expect((await readApi(server, 'keys?clientId=bystander')).body).toEqual({ items: [] })
  })

  it('finds the keys for a device, page by page', async () => {
    const keys: string[] = []
    for (let i = 0; i < 9; i += 1) {
      const key = await obtainKey(server, { requested_subject: i % 3 === 0 ? 'device:7' : 'device:8' })
      if (i % 3 === 0) keys.push(nameOf(key).keyId)
    }
    const first = (await readApi(server, 'keys?subject=device:7&limit=2')).body
    const second = (await readApi(server, `keys?${queryOf({ subject: 'device:7', after: first.next })}`)).body
    const found = [...first.items, ...second.items].map(({ keyId }: { keyId: string }) => keyId)
    expect([first.items.length, second.items.length]).toEqual([2, 1])
    expect(found.sort()).toEqual(keys.sort())
    expect((await readApi(server, 'keys?subject=device:9')).body).toEqual({ items: [] })
  })

  it('lists an expired key as expired only', async () => {
    let now = Date.now()
    const own = await startAdministration({
      options: {
        now: () => now,
        policy: {
          maxLifetimeSeconds: 60,
          scopes: ['devices:read', 'provision:token', 'provision:bind', 'devices:create'],
        },
      },
    })
    try {
      await obtainKey(own)
      const countOf = async (state: string) => (await readApi(own, `keys?state=${state}`)).body.items.length
      expect([await countOf('issued'), await countOf('expired')]).toEqual([1, 0])
      now += 61_000
      expect([await countOf('issued'), await countOf('expired')]).toEqual([0, 1])
    } finally {
      await own.close()
    }
  })
})

it('refuses a name that no store can have, and a filter that a list does not have', async () => {
  const key = { clientId: CLIENT, keyId: '\ud800' }
  expect((await act(server, 'keys/revoke', key)).body.faults).toEqual([
    'keyId: expected an id of 1 to 256 characters, got "\\ud800"',
  ])
  expect((await readApi(server, `locks?clientId=${CLIENT}`)).status).toBe(400)
})

it('refuses long lists of parameters without reading each of them', async () => {
  const names = Array.from({ length: 2_000 }, (_, i) => `p${i}`)
  const { status, text } = await readApi(server, `keys?${names.join('&')}`)
  expect([status, text.length < 200]).toEqual([400, true])
  const body = Object.fromEntries(names.map((name) => [name, 1]))
  const { status: ofPost, body: problem } = await act(server, 'keys/revoke', body)
  expect([ofPost, problem.detail]).toEqual([400, 'Send at most 20 parameters.'])
})

describe('one key', () => {
  it('has its state and its history', async () => {
    const key = await obtainKey(server, { scope: 'devices:create' })
    await send(server, 'post', '/devices').set('Authorization', `Bearer ${key}`)
    const { body, text } = await readApi(server, `key?${queryOf(nameOf(key))}`)
    expect(body.key).toMatchObject({ state: 'redeemed', reservedAt: expect.any(Number) })
    expect(body.events.map(({ type }: { type: string }) => type)).toEqual(['key.issued', 'key.redeemed'])
    for (const part of key.split('.')) expect(text).not.toContain(part)
  })

  it('is 404 if nobody knows it', async () => {
    const { status, body } = await readApi(server, 'key?clientId=fleet&keyId=nobodys')
    expect([status, body.detail]).toEqual([404, expect.stringMatching(/There is no such key/)])
  })

  it('can be revoked once', async () => {
    const key = await obtainKey(server, { scope: 'devices:read' })
    expect((await act(server, 'keys/revoke', nameOf(key))).body).toEqual({ outcome: 'revoked' })
    expect((await act(server, 'keys/revoke', nameOf(key))).body).toEqual({ outcome: 'unchanged' })
    expect((await send(server, 'get', '/devices').set('Authorization', `Bearer ${key}`)).status).toBe(401)
    expect(acted()).toEqual([
      ['revoke_key', 'alice', 'revoked'],
      ['revoke_key', 'alice', 'unchanged'],
    ])
  })

  it('gives results that can be revoked', async () => {
    const key = await obtainKey(server, { scope: 'provision:token devices:read' })
    expect((await act(server, 'families/revoke', nameOf(key))).body).toEqual({ outcome: 'not_redeemed' })
    await exchangeKey(server, key)
    expect((await act(server, 'families/revoke', nameOf(key))).body).toEqual({ outcome: 'revoked' })
    expect((await readApi(server, `key?${queryOf(nameOf(key))}`)).body.key.familyRevoked).toBe(true)
  })
})

describe('clients', () => {
  it('have a last use and locks', async () => {
    await obtainKey(server)
    await act(server, 'clients/lock', { clientId: CLIENT, reason: 'stolen', kind: 'stepUp', lockSeconds: 60 })
    const item = {
      clientId: CLIENT,
      lastUsedAt: expect.any(Number),
      network: '127.0.0.0/24',
      locks: [expect.objectContaining({ kind: 'stepUp', reason: 'stolen', author: 'alice' })],
    }
    expect((await readApi(server, 'clients')).body).toEqual({ items: [item] })
    expect((await readApi(server, `clients?clientId=${CLIENT}`)).body).toEqual({ items: [item] })
    expect((await readApi(server, 'clients?clientId=bystander')).body).toEqual({
      items: [{ clientId: 'bystander', locks: [] }],
    })
    expect((await readApi(server, 'clients?clientId=nobody')).body).toEqual({ items: [] })
  })

  it('are listed with the last use of their bindings', async () => {
    const key = clientKey('ES256')
    await bindByProof(server, key, { requested_subject: 'device:7' })
    expect((await readApi(server, 'clients')).body.items).toEqual([
      expect.objectContaining({ clientId: CLIENT }),
    ])
    expect((await askSigned(server, key, 'device:7')).status).toBe(200)
    const [{ lastUsedAt, network }] = (await readApi(server, 'bindings?clientId=device:7')).body.items
    const item = { clientId: 'device:7', lastUsedAt, network, locks: [] }
    expect(lastUsedAt).toEqual(expect.any(Number))
    expect((await readApi(server, 'clients')).body.items).toContainEqual(item)
    expect((await readApi(server, 'clients?clientId=device:7')).body).toEqual({ items: [item] })
  })

  it('are found by a part of their ids, page by page', async () => {
    const at = Math.floor(Date.now() / 1_000)
    const { noteUse } = store
    for (let i = 0; i < 30; i += 1)
      for (const clientId of [`Device:${i}`, `runner:${i}`])
        await noteUse({ clientId, lastUsedAt: at - i, until: at + 60 })
    const found: string[] = []
    let next: string | undefined
    do {
      const page = queryOf({ search: 'dEVICE:', limit: '7', ...(next !== undefined && { after: next }) })
      const { body } = await readApi(server, `clients?${page}`)
      expect(body.items.length).toBeLessThanOrEqual(7)
      found.push(...body.items.map(({ clientId }: { clientId: string }) => clientId))
      next = body.next
    } while (next !== undefined)
    expect(found).toEqual(Array.from({ length: 30 }, (_, i) => `Device:${i}`))
    expect((await readApi(server, 'clients?search=device:30')).body).toEqual({ items: [] })
    expect((await readApi(server, 'clients?search=device:3?')).body).toEqual({ items: [] })
    expect((await readApi(server, 'clients?search=device&after=nonsense')).status).toBe(400)
  })

  it('are locked and unlocked from the next request on', async () => {
    const key = await obtainKey(server, { scope: 'devices:read' })
    const use = () => send(server, 'get', '/devices').set('Authorization', `Bearer ${key}`)
    expect((await use()).status).toBe(200)
    await act(server, 'clients/lock', { clientId: CLIENT, reason: 'stolen' })
    expect((await use()).status).toBe(401)
    expect((await readApi(server, 'locks')).body.items).toHaveLength(1)
    expect((await act(server, 'clients/unlock', { clientId: CLIENT })).body).toEqual({ outcome: 'unlocked' })
    expect((await use()).status).toBe(200)
    expect((await act(server, 'clients/unlock', { clientId: CLIENT })).status).toBe(404)
    expect(acted()).toEqual([
      ['lock_client', 'alice', 'locked'],
      ['unlock_client', 'alice', 'unlocked'],
      ['unlock_client', 'alice', 'unknown'],
    ])
  })

  it('have bindings that can be revoked', async () => {
    const key = await obtainKey(server, { scope: 'provision:bind', requested_subject: 'device:7' })
    const bound = await send(server, 'post', '/oauth/bind')
      .set('Authorization', `Bearer ${key}`)
      .send(bindingBody(key))
    const { body } = await readApi(server, 'bindings?clientId=device:7')
    expect(body.items).toEqual([
      {
        bindingId: bound.body.binding_id,
        kind: 'jwk',
        boundAt: expect.any(Number),
        keyId: nameOf(key).keyId,
      },
    ])
    const binding = { clientId: 'device:7', bindingId: bound.body.binding_id }
    expect((await act(server, 'bindings/revoke', binding)).body).toEqual({ outcome: 'revoked' })
    expect((await act(server, 'bindings/revoke', binding)).status).toBe(404)
  })
})

describe('a full store', () => {
  it('says that it is full, and changes nothing', async () => {
    const full = await startAdministration({ options: { store: memoryStore({ maxKeys: 1 }) } })
    try {
      const lock = (clientId: string) => act(full, 'clients/lock', { clientId, reason: 'stolen' })
      const revoke = (clientId: string) => full.keys.revokeAllIssuedBefore(new Date(), { clientId })
      await lock('a').expect(200)
      const { body } = await lock('b').expect(503)
      expect(body.detail).toBe('The store cannot remember any more locks. Try again later.')
      expect(await full.keys.locks()).toMatchObject([{ clientId: 'a' }])
      expect(await revoke('a')).toBe('revoked')
      await expect(revoke('b')).rejects.toMatchObject({
        reason: 'store_full',
        code: 'temporarily_unavailable',
      })
      expect(await full.keys.revokeAllIssuedBefore(new Date())).toBe('revoked')
    } finally {
      await full.close()
    }
  })
})

describe('findings', () => {
  it('say what happened and what to do, and can be closed', async () => {
    await replayKey()
    const { body } = await readApi(server, 'findings')
    expect(body.items).toEqual([
      expect.objectContaining({
        rule: 'replayed_key',
        title: 'A redeemed key was used again',
        severity: 'high',
        evidence: 'bound',
        subject: `client:${CLIENT}`,
        count: 1,
        actions: ['report'],
        runbook: expect.arrayContaining([expect.any(String)]),
      }),
    ])
    const [{ id: findingId }] = body.items
    expect((await readApi(server, 'findings?rule=dead_key')).body).toEqual({ items: [] })
    expect((await readApi(server, `findings?clientId=${CLIENT}`)).body.items).toHaveLength(1)
    expect((await act(server, 'findings/close', { findingId })).body).toEqual({ outcome: 'closed' })
    expect((await act(server, 'findings/close', { findingId })).status).toBe(404)
    expect((await readApi(server, 'findings')).body).toEqual({ items: [] })
  })

  it('have pages that go on where the last one ended, even if its last finding is closed or has grown', async () => {
    const at = Math.floor(Date.now() / 1_000)
    const note = (id: string, lastAt: number) =>
      store.noteFinding({
        ...{ id, rule: 'dead_key', severity: 'notice', evidence: 'bound', subject: 'client:a', count: 1 },
        ...{ firstAt: at - 60, lastAt, samples: [], actions: [], until: at + 60 },
      })
    for (let i = 0; i < 7; i += 1) await note(`f.${i}`, at - Math.floor(i / 3))
    const read = async (query: string) => {
      const { body } = await readApi(server, `findings?limit=2${query}`)
      return [body.items.map(({ id }: { id: string }) => id), `&after=${body.next}`] as const
    }
    const [first, second] = await read('')
    expect(first).toEqual(['f.0', 'f.1'])
    await server.keys.closeFinding({ findingId: 'f.1', author: 'alice' })
    const [ids, third] = await read(second)
    expect(ids).toEqual(['f.2', 'f.3'])
    await note('f.3', at + 1)
    const [more, last] = await read(third)
    expect([more, (await read(last))[0]]).toEqual([['f.4', 'f.5'], ['f.6']])
  })
})

describe('a wrong request', () => {
  const reads: readonly (readonly [path: string, faults: readonly string[]])[] = [
    ['keys?limit=0', ['limit: expected a whole number from 1 to 200, got 0']],
    ['keys?limit=many', ['limit: expected a whole number from 1 to 200, got "many"']],
    [
      'keys?state=lost',
      ['state: expected issued or redeeming or redeemed or revoked or expired, got "lost"'],
    ],
    ['keys?client=fleet', [expect.stringMatching(/^client: expected .*clientId/) as unknown as string]],
    ['key?clientId=fleet', [expect.stringMatching(/^keyId: expected an id/) as unknown as string]],
    ['bindings', [expect.stringMatching(/^clientId: expected the id of a client/) as unknown as string]],
    ['findings?rule=bad', [expect.stringMatching(/^rule: expected replayed_key or/) as unknown as string]],
    ['overview?verbose=1', [expect.stringMatching(/^verbose: expected/) as unknown as string]],
  ]
  for (const [path, faults] of reads)
    it(`gets the faults of ${path}`, async () => {
      const { status, body } = await readApi(server, path)
      expect([status, body.title, body.faults]).toEqual([400, 'Bad Request', faults])
    })

  it('may not have a parameter twice', async () => {
    const { status, body } = await readApi(server, 'keys?limit=1&limit=2')
    expect([status, body.detail]).toEqual([400, 'The parameter "limit" is there twice.'])
  })

  it('may not have a cursor that no page gave', async () => {
    expect((await readApi(server, 'keys?after=nonsense')).status).toBe(400)
    expect((await readApi(server, 'clients?after=nonsense')).status).toBe(400)
    expect((await readApi(server, 'findings?after=nonsense')).body.faults).toEqual([
      'after: expected the next of an earlier page, got another text',
    ])
  })

  it('gets the faults of its body, and changes nothing', async () => {
    const { status, body } = await act(server, 'clients/lock', {
      clientId: CLIENT,
      kind: 'for ever',
      lockSeconds: -1,
    })
    expect([status, body.faults]).toEqual([
      400,
      [
        'reason: expected an id of 1 to 256 characters, got undefined',
        'kind: expected throttle or stepUp or lock, got "for ever"',
        'lockSeconds: expected a whole number from 1 to 31536000 seconds, got -1',
      ],
    ])
    expect(await server.keys.locks()).toEqual([])
  })

  it('gets 404 at an unknown path, and 405 for another method', async () => {
    expect((await readApi(server, 'secrets')).status).toBe(404)
    expect((await send(server, 'get', '/admin/').set(AS, 'alice')).status).toBe(404)
    const { status, headers } = await send(server, 'put', '/admin/api/locks').set(AS, 'alice')
    expect([status, headers.allow]).toEqual([405, 'GET, HEAD'])
    const get = await readApi(server, 'keys/revoke')
    expect([get.status, get.headers.allow]).toEqual([405, 'POST'])
  })

  it('gets 400 for a body that is not JSON, and 413 for a long one', async () => {
    const post = () => send(server, 'post', '/admin/api/keys/revoke').set(AS, 'alice').type('json')
    expect((await post().send('{"clientId":')).status).toBe(400)
    expect((await post().send(JSON.stringify({ clientId: 'x'.repeat(40_000) }))).status).toBe(413)
  })
})
