import { clientKey } from '../../support/client-assertion.js'
import { decodeJwt } from '../../support/forge.js'
import { signProof } from '../../support/proof.js'
import { manage, REGISTERING, registerClient, update } from '../../support/registering.js'
import { askForKey, exchangeKey, obtainKey, send } from '../../support/requests.js'
import { CLIENT, ISSUER, type RunningServer, SECRET, startServer } from '../../support/server.js'

const TOKEN = { method: 'POST', url: `${ISSUER}/oauth/token` }
const ASKING_FOR_DPOP = { scope: 'provision:token devices:read', dpop_bound_access_tokens: true }
const own = clientKey()

let server: RunningServer
beforeAll(async () => {
  server = await startServer()
})
afterAll(() => server.close())

const lastRefusal = ({ events }: RunningServer) =>
  events.findLast((event) => event.type === 'request.refused')

describe('a client that registers dpop_bound_access_tokens (RFC 9449 5.2)', () => {
  test('gets a key with a proof, and none without', async () => {
    const client = await registerClient(server, ASKING_FOR_DPOP)
    expect(client).toMatchObject({ dpop_bound_access_tokens: true })
    const credentials = { id: client.client_id, secret: client.client_secret }
    const refused = await askForKey(server, { scope: 'devices:read' }, credentials)
    expect([refused.status, refused.body.error]).toEqual([400, 'invalid_dpop_proof'])
    expect(lastRefusal(server)).toMatchObject({ reason: 'dpop_missing', clientId: client.client_id })
    const asking = askForKey(server, { scope: 'devices:read' }, credentials)
    const { body } = await asking.set('DPoP', signProof(own, TOKEN)).expect(200)
    expect(decodeJwt(body.access_token).payload).toHaveProperty('cnf.jkt')
  })

  test('can set and remove it with an update', async () => {
    const client = await registerClient(server, { scope: 'devices:read' })
    const credentials = { id: client.client_id, secret: client.client_secret }
    await update(server, client, { dpop_bound_access_tokens: true }).expect(200)
    await askForKey(server, { scope: 'devices:read' }, credentials).expect(400)
    expect((await manage(server, 'get', client).expect(200)).body.dpop_bound_access_tokens).toBe(true)
    await update(server, client, { dpop_bound_access_tokens: false }).expect(200)
    await askForKey(server, { scope: 'devices:read' }, credentials).expect(200)
  })

  test('exchanges no bearer key from before the update', async () => {
    const client = await registerClient(server, { scope: 'provision:token devices:read' })
    const credentials = { id: client.client_id, secret: client.client_secret }
    const asked = await askForKey(server, { scope: 'provision:token devices:read' }, credentials).expect(200)
    await update(server, client, { dpop_bound_access_tokens: true }).expect(200)
    await exchangeKey(server, asked.body.access_token).expect(400)
    expect(lastRefusal(server)).toMatchObject({ reason: 'dpop_missing' })
  })

  test('cannot register a wish that is no boolean', async () => {
    const key = await obtainKey(server, { scope: REGISTERING })
    const registering = send(server, 'post', '/oauth/register').set('Authorization', `Bearer ${key}`)
    const { body } = await registering.send({ dpop_bound_access_tokens: 'true' }).expect(400)
    expect(body.error_description).toBe('dpop_bound_access_tokens: expected true or false.')
  })
})

test('a configured client with dpop_bound_access_tokens in its metadata gets no key without a proof', async () => {
  const metadata = { dpop_bound_access_tokens: true }
  const clients = [{ clientId: CLIENT, clientSecret: SECRET, metadata }]
  const strict = await startServer({ options: { clients } })
  try {
    await askForKey(strict, { scope: 'devices:read' }).expect(400)
    await askForKey(strict, { scope: 'devices:read' }).set('DPoP', signProof(own, TOKEN)).expect(200)
  } finally {
    await strict.close()
  }
})
