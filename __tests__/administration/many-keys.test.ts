import { act, readApi, startAdministration } from '../support/administration.js'
import { askForKey, obtainKey, send } from '../support/requests.js'
import { CLIENT, type RunningServer, SECRET } from '../support/server.js'

let server: RunningServer
let key: string

beforeEach(async () => {
  server = await startAdministration()
  key = await obtainKey(server, { scope: 'devices:read', requested_subject: 'device:7' })
})
afterEach(() => server.close())

const isAccepted = async () =>
  (await send(server, 'get', '/devices').set('Authorization', `Bearer ${key}`)).status === 200

const acted = () =>
  server.events.flatMap((event) =>
    event.type === 'administration.acted' ? [[event.action, event.clientId, event.outcome]] : [],
  )

describe('all keys of a client', () => {
  it.each([CLIENT, 'device:7'])('are revoked together, also for the device: %s', async (clientId) => {
    await act(server, 'clients/revoke-keys', { clientId: 'bystander' }).expect(200, { outcome: 'revoked' })
    expect(await isAccepted()).toBe(true)
    await act(server, 'clients/revoke-keys', { clientId }).expect(200, { outcome: 'revoked' })
    expect(await isAccepted()).toBe(false)
    expect((await readApi(server, 'overview')).body.keys).toMatchObject({ issued: 0, revoked: 1 })
    expect(acted()).toEqual([
      ['revoke_all_keys', 'bystander', 'revoked'],
      ['revoke_all_keys', clientId, 'revoked'],
    ])
  })

  it('are not those of everybody if the name is forgotten', async () => {
    const { status, body } = await act(server, 'clients/revoke-keys', { clientId: undefined })
    expect([status, body.faults]).toEqual([400, ['clientId: expected the id of a client, got undefined']])
    expect(await isAccepted()).toBe(true)
  })
})

describe('the keys of all clients', () => {
  it('are revoked up to a time, which is now if it is missing', async () => {
    const hourAgo = Math.floor(Date.now() / 1_000) - 3_600
    await act(server, 'keys/revoke-all', { issuedBefore: hourAgo }).expect(200)
    expect(await isAccepted()).toBe(true)
    await act(server, 'keys/revoke-all', {}).expect(200, { outcome: 'revoked' })
    expect(await isAccepted()).toBe(false)
    expect(acted()).toEqual([
      ['revoke_all_keys', undefined, 'revoked'],
      ['revoke_all_keys', undefined, 'revoked'],
    ])
  })

  it.each([
    ['milliseconds', { issuedBefore: Date.now() }],
    ['a text', { issuedBefore: '2026-01-01' }],
    ['the name of a client', { clientId: CLIENT }],
  ])('are not revoked by a request with %s', async (_, wrong) => {
    const { status, body } = await act(server, 'keys/revoke-all', wrong)
    expect([status, body.faults.length]).toEqual([400, 1])
    expect(await isAccepted()).toBe(true)
  })
})

describe('a client', () => {
  it('is deleted with its keys', async () => {
    await act(server, 'clients/delete', { clientId: CLIENT }).expect(200, { outcome: 'deleted' })
    expect(await isAccepted()).toBe(false)
    expect((await askForKey(server)).status).toBe(401)
    expect((await act(server, 'clients/delete', { clientId: CLIENT })).body.detail).toBe(
      'There is no such client.',
    )
  })

  it('stays if the clients are in a database that the server cannot change', async () => {
    const own = await startAdministration({
      options: { clients: async (clientId) => ({ clientId, clientSecret: SECRET }) },
    })
    try {
      const { status, body } = await act(own, 'clients/delete', { clientId: CLIENT })
      expect([status, body.detail]).toEqual([500, expect.stringMatching(/delete it in your database/)])
    } finally {
      await own.close()
    }
  })
})
