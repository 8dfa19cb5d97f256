import { clientKey } from '../../support/client-assertion.js'
import {
  CONFIRM_SECONDS,
  type ConfirmingSite,
  newDeviceId,
  startConfirmingSite,
  useAs,
} from '../../support/confirming.js'
import { manage, REGISTERING, type Registered, registerClient, update } from '../../support/registering.js'
import { obtainKey, postForm, send } from '../../support/requests.js'

/** All tests share a server, and each registers its own client. */

let site: ConfirmingSite

beforeAll(async () => {
  site = await startConfirmingSite()
})
afterAll(() => site.server.close())

const register = (metadata: object = { scope: 'devices:read' }, form = {}) =>
  registerClient(site.server, metadata, form)
const useSecret = ({ client_id: id, client_secret: secret }: Registered) =>
  postForm(site.server, '/oauth/introspect', { token: 'unknown' }).auth(encodeURIComponent(id), secret)
const lastRefusal = () =>
  site.server.events.findLast(({ type }) => type === 'request.refused') as { reason?: string } | undefined

describe('a registration with a deadline', () => {
  it('shows its deadline, and is confirmed by its secret', async () => {
    const client = await register()
    expect(client['confirm_by']).toBe(Number(client['client_id_issued_at']) + CONFIRM_SECONDS)
    expect(site.server.events).toContainEqual(
      expect.objectContaining({ registeredClientId: client.client_id, confirmBy: client['confirm_by'] }),
    )
    expect(await useSecret(client)).toMatchObject({ status: 200 })
    site.passDeadline()
    expect(await useSecret(client)).toMatchObject({ status: 200 })
    expect(site.eventsOf(client.client_id)).toEqual(['registration.confirmed'])
    expect((await manage(site.server, 'get', client)).body).not.toHaveProperty('confirm_by')
  })

  it('is confirmed by a private key', async () => {
    const key = clientKey()
    const metadata = { token_endpoint_auth_method: 'private_key_jwt', jwks: { keys: [key.jwk] } }
    const { client_id: clientId } = await register(metadata)
    expect(await useAs(site.server, { clientId, key, now: site.now() })).toMatchObject({ status: 200 })
    expect(site.eventsOf(clientId)).toEqual(['registration.confirmed'])
  })

  it('is confirmed when the client reads it with the registration access token', async () => {
    const client = await register()
    const read = await manage(site.server, 'get', client)
    expect(read.status).toBe(200)
    expect(read.body).not.toHaveProperty('confirm_by')
    site.passDeadline()
    expect(await useSecret(client)).toMatchObject({ status: 200 })
  })

  it('is confirmed when the client updates it', async () => {
    const client = await register()
    const updated = await update(site.server, client, { client_name: 'Lamp' })
    expect(updated.status).toBe(200)
    expect(updated.body).not.toHaveProperty('confirm_by')
    expect(site.eventsOf(client.client_id)).toEqual(['registration.confirmed'])
  })

  it('is undone at its deadline, and its secret is refused as that of an unknown client', async () => {
    const client = await register()
    site.passDeadline()
    const refused = await useSecret(client)
    expect(refused.status).toBe(401)
    expect(lastRefusal()).toMatchObject({ reason: 'confirmation_missed' })
    expect(site.eventsOf(client.client_id)).toEqual(['registration.undone'])
    const unknown = await useSecret({ ...client, client_id: 'nobody' })
    expect([unknown.status, unknown.body]).toEqual([refused.status, refused.body])
  })

  it.each(['get', 'put'] as const)(
    'refuses a late registration access token for %s as a wrong one',
    async (method) => {
      const client = await register()
      site.passDeadline()
      const late = await manage(site.server, method, client).send({ client_id: client.client_id })
      expect(lastRefusal()).toMatchObject({ reason: 'confirmation_missed' })
      expect(site.eventsOf(client.client_id)).toEqual(['registration.undone'])
      const wrong = {
        ...client,
        registration_access_token: `${client.registration_access_token.slice(0, -4)}AAAA`,
      }
      const refused = await manage(site.server, method, wrong).send({ client_id: client.client_id })
      expect([late.status, late.body]).toEqual([refused.status, refused.body])
    },
  )

  it.each([
    [
      'leaked',
      (client: Registered) =>
        postForm(site.server, '/oauth/leaked', { token: client.registration_access_token }),
    ],
    [
      'misused',
      (client: Registered) =>
        manage(site.server, 'get', {
          ...client,
          registration_client_uri: `${client.registration_client_uri}x`,
        }),
    ],
  ])('emits that a late registration access token that is %s works no more', async (how, send) => {
    const client = await register()
    site.passDeadline()
    await send(client)
    expect(site.server.events).toContainEqual(
      expect.objectContaining({
        type: `registration.${how}`,
        clientId: client.client_id,
        tokenRevoked: true,
      }),
    )
    expect(await manage(site.server, 'get', client)).toMatchObject({ status: 401 })
  })

  it('can be deleted by its client, also after the deadline', async () => {
    for (const isLate of [false, true]) {
      const client = await register()
      if (isLate) site.passDeadline()
      expect(await manage(site.server, 'delete', client)).toMatchObject({ status: 204 })
      expect(await useSecret(client)).toMatchObject({ status: 401 })
    }
  })

  it('can be made again for the same identity after it was undone', async () => {
    const requested_subject = newDeviceId()
    const first = await register(undefined, { requested_subject })
    expect(first.client_id).toBe(requested_subject)
    site.passDeadline()
    const second = await register(undefined, { requested_subject })
    expect(await useSecret(second)).toMatchObject({ status: 200 })
    expect(await useSecret(first)).toMatchObject({ status: 401 })
    expect(site.eventsOf(requested_subject)).toEqual(['registration.undone', 'registration.confirmed'])
  })

  it('still keeps others from the identity before it is undone', async () => {
    const requested_subject = newDeviceId()
    const first = await register(undefined, { requested_subject })
    const key = await obtainKey(site.server, { scope: REGISTERING, requested_subject })
    const second = await send(site.server, 'post', '/oauth/register')
      .set('Authorization', `Bearer ${key}`)
      .send({})
    expect(second.body).toMatchObject({ error: 'invalid_client_metadata' })
    expect(await useSecret(first)).toMatchObject({ status: 200 })
  })

  it('is confirmed by a bound key too, and the binding by itself', async () => {
    const client = await register({ scope: 'devices:read' }, { requested_subject: newDeviceId() })
    const device = await site.bind(clientKey(), client.client_id)
    expect(await device.use()).toMatchObject({ status: 200 })
    expect(site.eventsOf(client.client_id)).toEqual(['registration.confirmed', 'binding.confirmed'])
  })

  it('gives a binding that is made later no later deadline than its own', async () => {
    const client = await register({ scope: 'devices:read' }, { requested_subject: newDeviceId() })
    site.clock.ahead += CONFIRM_SECONDS / 2
    const { body } = await site.bind(clientKey(), client.client_id)
    expect(body).toMatchObject({ confirm_by: client['confirm_by'] })
  })

  it('takes its unused binding with it, and its secret does not confirm that binding', async () => {
    const lost = await register(undefined, { requested_subject: newDeviceId() })
    await site.bind(clientKey(), lost.client_id)
    const used = await register(undefined, { requested_subject: newDeviceId() })
    await site.bind(clientKey(), used.client_id)
    await useSecret(used).expect(200)
    site.passDeadline()
    for (const { client_id } of [lost, used])
      expect(await site.server.keys.listBindings(client_id)).toEqual([])
    expect(site.eventsOf(lost.client_id)).toEqual(['registration.undone', 'binding.undone'])
    expect(site.eventsOf(used.client_id)).toEqual(['registration.confirmed', 'binding.undone'])
    expect(await useSecret(used)).toMatchObject({ status: 200 })
  })
})
