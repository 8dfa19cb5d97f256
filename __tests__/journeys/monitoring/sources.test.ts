import type { EventOf, EventType, ProvisioningEvent } from '../../../lib/index.js'
import { askForKey, exchangeKey, obtainKey, send } from '../../support/requests.js'
import { CLIENT, type RunningServer, startServer } from '../../support/server.js'

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736'
const HEADERS = { 'User-Agent': 'provisioner/1.0', traceparent: `00-${TRACE}-00f067aa0ba902b7-01` }
const SOURCE = { address: '127.0.0.1', userAgent: 'provisioner/1.0', traceId: TRACE }

let server: RunningServer

beforeEach(async () => {
  server = await startServer()
})

afterEach(() => server.close())

function eventOf<T extends EventType>(type: T): EventOf<T> | undefined {
  return server.events.find((one): one is EventOf<T> & ProvisioningEvent => one.type === type)
}

describe('the events of a key', () => {
  it('say from where it was issued, and how its client has authenticated', async () => {
    await askForKey(server).set(HEADERS)
    expect(eventOf('key.issued')).toMatchObject({
      ...SOURCE,
      code: 'key.issued',
      clientId: CLIENT,
      subject: CLIENT,
      authenticationMethod: 'client_secret_basic',
    })
  })

  it('say from where it was redeemed, and by which action', async () => {
    await exchangeKey(server, await obtainKey(server)).set(HEADERS)
    expect(eventOf('key.redeemed')).toMatchObject({ ...SOURCE, code: 'key.redeemed:token', subject: CLIENT })
    expect(eventOf('token.issued')).toMatchObject({ ...SOURCE, subject: CLIENT })
  })

  it('say from where it was replayed', async () => {
    const key = await obtainKey(server)
    await exchangeKey(server, key)
    await exchangeKey(server, key).set(HEADERS)
    const code = 'key.replayed:family_revoked'
    expect(eventOf('key.replayed')).toMatchObject({ ...SOURCE, code, subject: CLIENT })
    expect(eventOf('request.refused')).toMatchObject({ ...SOURCE, code: 'request.refused:key_redeemed' })
  })

  it('say from where it was verified', async () => {
    const key = await obtainKey(server, { scope: 'devices:read' })
    await send(server, 'get', '/devices').set('Authorization', `Bearer ${key}`).set(HEADERS)
    expect(eventOf('key.verified')).toMatchObject({ ...SOURCE, subject: CLIENT })
  })
})

describe('the event of a refusal', () => {
  it('has the OAuth error, the reason, and a code with the reason', async () => {
    await askForKey(server, {}, { id: CLIENT, secret: 'wrong' }).set(HEADERS)
    expect(eventOf('request.refused')).toMatchObject({
      ...SOURCE,
      error: 'invalid_client',
      reason: 'client_secret_wrong',
      code: 'request.refused:client_secret_wrong',
      clientId: CLIENT,
    })
  })

  it('has no trace id if there are several traceparent headers', async () => {
    await askForKey(server, {}, { id: CLIENT, secret: 'wrong' }).set('traceparent', [
      HEADERS.traceparent,
      HEADERS.traceparent,
    ] as never)
    expect(eventOf('request.refused')).not.toHaveProperty('traceId')
  })
})
