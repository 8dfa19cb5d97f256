import { clientKey } from '../../support/client-assertion.js'
import {
  CONFIRM_SECONDS,
  type ConfirmingSite,
  newDeviceId,
  startConfirmingSite,
  useAs,
} from '../../support/confirming.js'
import { askForKey } from '../../support/requests.js'

/** Each test has its own device, so all tests with the same policy share a server. */

let site: ConfirmingSite

const lastRefusal = ({ server }: ConfirmingSite) =>
  server.events.findLast(({ type }) => type === 'request.refused') as { reason?: string } | undefined

describe('a binding with a deadline', () => {
  beforeAll(async () => {
    site = await startConfirmingSite()
  })
  afterAll(() => site.server.close())

  it('shows its deadline until its first use', async () => {
    const before = site.now()
    const { status, body, use, clientId } = await site.bind()
    expect(status).toBe(201)
    expect(body.confirm_by).toBeGreaterThanOrEqual(before + CONFIRM_SECONDS)
    expect(body.confirm_by).toBe(Number(body.bound_at) + CONFIRM_SECONDS)
    expect(site.server.events).toContainEqual(
      expect.objectContaining({ type: 'client.bound', subject: clientId, confirmBy: body.confirm_by }),
    )
    const listed = await use()
    expect(listed.status).toBe(200)
    expect((listed.body.bindings as object[])[0]).not.toHaveProperty('confirm_by')
    expect(await site.server.keys.listBindings(clientId)).toMatchObject([{ bindingId: body.binding_id }])
    expect((await site.server.keys.listBindings(clientId))[0]).not.toHaveProperty('confirmBy')
    expect(site.eventsOf(clientId)).toEqual(['binding.confirmed'])
  })

  it('works on after its deadline, if the client has used it before', async () => {
    const { use } = await site.bind()
    expect(await use()).toMatchObject({ status: 200 })
    site.passDeadline()
    expect(await use()).toMatchObject({ status: 200 })
  })

  it('is undone at its deadline, and the answer to its client is that of an unknown client', async () => {
    const { use, clientId, key } = await site.bind()
    site.passDeadline()
    const refused = await use()
    expect(refused.status).toBe(401)
    expect(lastRefusal(site)).toMatchObject({ reason: 'confirmation_missed', clientId })
    expect(site.eventsOf(clientId)).toEqual(['binding.undone'])
    const unknown = await useAs(site.server, { clientId: 'device:nobody', key, now: site.now() })
    expect([unknown.status, unknown.body]).toEqual([refused.status, refused.body])
    expect(await site.server.keys.listBindings(clientId)).toEqual([])
    expect(await use()).toMatchObject({ status: 401 })
    expect(site.eventsOf(clientId)).toEqual(['binding.undone'])
  })

  it('is not touched by a stranger with another key', async () => {
    const { clientId } = await site.bind()
    site.passDeadline()
    const guess = await useAs(site.server, { clientId, key: clientKey(), now: site.now() })
    expect(guess.status).toBe(401)
    expect(lastRefusal(site)).toMatchObject({ reason: 'client_assertion_signature_wrong' })
    expect(site.eventsOf(clientId)).toEqual([])
  })

  it('is undone in the list of the operator too', async () => {
    const { clientId } = await site.bind()
    site.passDeadline()
    expect(await site.server.keys.listBindings(clientId)).toEqual([])
    expect(site.eventsOf(clientId)).toEqual(['binding.undone'])
  })

  it.each([
    ['asks for a key', '/oauth/token', { grant_type: 'client_credentials', scope: 'devices:read' }],
    ['introspects a token', '/oauth/introspect', { token: 'unknown' }],
    ['revokes a token', '/oauth/revoke', { token: 'unknown' }],
  ])('is confirmed when its client %s', async (_, path, form) => {
    const { clientId, key } = await site.bind()
    const used = await useAs(site.server, { clientId, key, now: site.now() }, path, form)
    expect(used.status).toBe(200)
    expect(site.eventsOf(clientId)).toEqual(['binding.confirmed'])
  })

  it('repeats the answer of its redemption until the deadline, and never afterwards', async () => {
    const { body, repeat, clientId } = await site.bind()
    expect(await repeat()).toMatchObject({ status: 201, body })
    site.passDeadline()
    // The provisioning key is still valid for some seconds.
    expect(await repeat()).toMatchObject({ status: 401, body: { error: 'invalid_token' } })
    expect(site.server.events.some((event) => event.type === 'key.replayed')).toBe(false)
    expect(site.eventsOf(clientId)).toEqual(['binding.undone'])
  })

  it('can be made again with a new key after it was undone', async () => {
    const first = await site.bind()
    site.passDeadline()
    const again = await site.bind(clientKey(), first.clientId)
    expect(again.status).toBe(201)
    expect(await again.use()).toMatchObject({ status: 200 })
    expect(await first.use()).toMatchObject({ status: 401 })
    expect(site.eventsOf(first.clientId)).toEqual(['binding.undone', 'binding.confirmed'])
  })

  it('still keeps others from binding before it is undone', async () => {
    const { clientId, use } = await site.bind()
    expect((await site.bind(clientKey(), clientId)).body).toMatchObject({ error: 'invalid_request' })
    expect(await use()).toMatchObject({ status: 200 })
  })

  it('leaves nothing of a client that exists only through it', async () => {
    const { clientId } = await site.bind()
    const { revision } = (await site.registry.find(clientId)) ?? {}
    site.passDeadline()
    await site.server.keys.listBindings(clientId)
    const record = await site.registry.find(clientId)
    expect(record).toEqual({
      clientId,
      revision: Number(revision) + 1,
      authenticationMethods: [],
      undoneAt: expect.any(Number),
    })
  })
})

describe('a second binding with a deadline', () => {
  beforeAll(async () => {
    site = await startConfirmingSite({ rebinding: 'replace' })
  })
  afterAll(() => site.server.close())

  it('replaces the first one at its first use, and not before', async () => {
    const first = await site.bind()
    await first.use()
    const second = await site.bind(clientKey(), first.clientId)
    expect(await first.use()).toMatchObject({ status: 200 })
    expect(await second.use()).toMatchObject({ status: 200 })
    expect(await first.use()).toMatchObject({ status: 401 })
    expect(site.eventsOf(first.clientId)).toEqual([
      'binding.confirmed',
      'client.unbound',
      'binding.confirmed',
    ])
    expect(await site.server.keys.listBindings(first.clientId)).toHaveLength(1)
  })

  it('leaves the first one as it was if nobody uses it', async () => {
    const first = await site.bind()
    await first.use()
    const second = await site.bind(clientKey(), first.clientId)
    site.passDeadline()
    expect(await second.use()).toMatchObject({ status: 401 })
    expect(await first.use()).toMatchObject({ status: 200 })
    const [binding, ...others] = await site.server.keys.listBindings(first.clientId)
    expect([binding?.bindingId, others]).toEqual([first.body.binding_id, []])
    expect(site.eventsOf(first.clientId)).toEqual(['binding.confirmed', 'binding.undone'])
  })

  it('gives way to a third one that waits too', async () => {
    const first = await site.bind()
    await first.use()
    const second = await site.bind(clientKey(), first.clientId)
    const third = await site.bind(clientKey(), first.clientId)
    expect(await second.use()).toMatchObject({ status: 401 })
    expect(await first.use()).toMatchObject({ status: 200 })
    expect(await third.use()).toMatchObject({ status: 200 })
    expect(await first.use()).toMatchObject({ status: 401 })
  })

  it('takes the client with it if nobody has used the first one either', async () => {
    const first = await site.bind()
    const second = await site.bind(clientKey(), first.clientId)
    site.passDeadline()
    expect(await second.use()).toMatchObject({ status: 401 })
    expect(await site.registry.find(first.clientId)).toMatchObject({ undoneAt: expect.any(Number) })
  })

  it('needs no confirmation if the client has used its key before', async () => {
    const first = await site.bind()
    await first.use()
    const again = await site.bind(first.key, first.clientId)
    expect(again.body).not.toHaveProperty('confirm_by')
    site.passDeadline()
    expect(await again.use()).toMatchObject({ status: 200 })
  })
})

describe('policy.confirmWithinSeconds', () => {
  it('of the client that asks for the key decides', async () => {
    site = await startConfirmingSite({ confirmWithinSeconds: 3600 })
    try {
      const { body } = await site.bind()
      expect(Number(body.confirm_by) - Number(body.bound_at)).toBe(3600)
    } finally {
      await site.server.close()
    }
  })

  it('is off by default', async () => {
    const { confirmWithinSeconds: _, ...policy } = { confirmWithinSeconds: undefined }
    site = await startConfirmingSite({ ...policy, confirmWithinSeconds: undefined as never })
    try {
      const { body, use } = await site.bind(clientKey(), newDeviceId())
      expect(body).not.toHaveProperty('confirm_by')
      site.clock.ahead += 86_400
      expect(await use()).toMatchObject({ status: 200 })
      await askForKey(site.server, { scope: 'devices:read' }).expect(200)
    } finally {
      await site.server.close()
    }
  })
})
