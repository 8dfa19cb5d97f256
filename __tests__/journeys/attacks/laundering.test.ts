import type { PolicyOptions } from '../../../lib/index.js'
import { bindByProof, postSigned } from '../../support/bound-client.js'
import { type ClientKey, clientKey } from '../../support/client-assertion.js'
import { forgeKey } from '../../support/forge.js'
import { signProof } from '../../support/proof.js'
import { obtainKey, send } from '../../support/requests.js'
import { CLIENT, ISSUER, type RunningServer, SECRET, startServer } from '../../support/server.js'

const DEVICE = 'device:7'
const SCOPE = 'provision:bind devices:read'

/** A key pair of the thief, and the identity that it gives. */
interface Foothold {
  readonly key: ClientKey
  readonly clientId: string
  readonly bindingId: string
}

async function withOwner(
  given: PolicyOptions,
  test: (server: RunningServer) => Promise<void>,
): Promise<void> {
  const policy = { scopes: SCOPE.split(' '), subjects: ['device:*'], outstandingKeys: 100, ...given }
  const clients = [{ clientId: CLIENT, clientSecret: SECRET, policy }]
  const server = await startServer({ options: { clients, rateLimit: false } })
  await test(server).finally(server.close)
}

/** Redeems a bearer key to bind a new key pair. */
async function bindWith(server: RunningServer, token: string): Promise<Foothold> {
  const key = clientKey()
  const proof = signProof(key, { method: 'POST', url: `${ISSUER}/oauth/bind` }, { token })
  const { body } = await send(server, 'post', '/oauth/bind')
    .set({ Authorization: `Bearer ${token}`, DPoP: proof })
    .expect(201)
  return { key, clientId: body.client_id, bindingId: body.binding_id }
}

/** Asks for a key with a binding, removes the binding, and binds the next key pair. */
async function launder(server: RunningServer, foothold: Foothold): Promise<Foothold> {
  const token = await ask(server, foothold)
  const { bindingId, ...by } = foothold
  await postSigned(server, '/oauth/bindings/revoke', by, { binding_id: bindingId }).expect(200)
  return bindWith(server, token)
}

async function ask(server: RunningServer, foothold: Foothold): Promise<string> {
  const form = { grant_type: 'client_credentials', scope: 'provision:bind' }
  const { body } = await postSigned(server, '/oauth/token', foothold, form).expect(200)
  return body.access_token
}

/** Whether a foothold still lets the thief ask for keys. */
async function worksStill(server: RunningServer, foothold: Foothold): Promise<boolean> {
  const form = { grant_type: 'client_credentials', scope: 'devices:read' }
  return (await postSigned(server, '/oauth/token', foothold, form)).status === 200
}

const replay = (server: RunningServer, token: string) =>
  send(server, 'post', '/oauth/bind').set('Authorization', `Bearer ${token}`).expect(401)

/** The identities to which the stolen key lets the thief bind. */
const IDENTITIES: [whose: string, form: Record<string, string>][] = [
  ['the client that asked for the key', {}],
  ['an identity that is new', { requested_subject: DEVICE }],
]

describe.each(IDENTITIES)('a thief who binds to %s and binds once more with a key of its own', (_, form) => {
  test('loses the last binding when the owner presents the stolen key, though those before it are gone', () =>
    withOwner({}, async (server) => {
      const stolen = await obtainKey(server, { scope: SCOPE, ...form })
      const first = await bindWith(server, stolen)
      const third = await launder(server, await launder(server, first))
      expect(await worksStill(server, third)).toBe(true)
      await replay(server, stolen)
      expect(await worksStill(server, third)).toBe(false)
      const family = expect.objectContaining({ clientId: first.clientId, fate: 'revoked' })
      expect(server.events).toContainEqual(expect.objectContaining({ type: 'key.replayed', family }))
    }))

  test('loses all bindings where a client may have several', () =>
    withOwner({ rebinding: 'add' }, async (server) => {
      const stolen = await obtainKey(server, { scope: SCOPE, ...form })
      const first = await bindWith(server, stolen)
      const second = await bindWith(server, await ask(server, first))
      await replay(server, stolen)
      expect(await Promise.all([first, second].map((one) => worksStill(server, one)))).toEqual([false, false])
    }))

  test('cannot bind afterwards with a key that was asked for before', () =>
    withOwner({ rebinding: 'add' }, async (server) => {
      const stolen = await obtainKey(server, { scope: SCOPE, ...form })
      const saved = await ask(server, await bindWith(server, stolen))
      await replay(server, stolen)
      await expect(bindWith(server, saved)).rejects.toThrow('expected 201')
    }))

  test('cannot bind with a key that leaves its origin out, though the signing key is stolen too', () =>
    withOwner({ rebinding: 'add' }, async (server) => {
      const stolen = await obtainKey(server, { scope: SCOPE, ...form })
      const given = await ask(server, await bindWith(server, stolen))
      const forged = forgeKey(given, { claims: { ancestors: undefined } })
      await expect(bindWith(server, forged)).rejects.toThrow('expected 201')
      expect(server.events.at(-1)).toMatchObject({ type: 'request.refused', reason: 'key_forged' })
      expect(server.events).toContainEqual(expect.objectContaining({ type: 'key.forged' }))
    }))

  test('has the last binding flagged where policy says so', () =>
    withOwner({ onReplay: 'flag' }, async (server) => {
      const stolen = await obtainKey(server, { scope: SCOPE, ...form })
      const { clientId, bindingId } = await launder(server, await bindWith(server, stolen))
      await replay(server, stolen)
      const flagged = server.events.filter(({ type }) => type === 'client.flagged')
      expect(flagged).toMatchObject([{ clientId, bindingId }])
    }))

  test('is refused a key after 17 bindings in the lifetime of one, so that no key grows without end', () =>
    withOwner({}, async (server) => {
      let foothold = await bindWith(server, await obtainKey(server, { scope: SCOPE, ...form }))
      for (let i = 1; i <= 16; i += 1) foothold = await launder(server, foothold)
      await expect(ask(server, foothold)).rejects.toThrow('expected 200')
      expect(server.events.at(-1)).toMatchObject({ reason: 'client_contended' })
      expect(await worksStill(server, foothold)).toBe(true)
    }))
})

test('a client that authenticates with its secret keeps its binding after a replay', () =>
  withOwner({ rebinding: 'add' }, async (server) => {
    const stolen = await obtainKey(server, { scope: SCOPE })
    await bindWith(server, stolen)
    const own = clientKey()
    await bindByProof(server, own).then(({ status }) => expect(status).toBe(201))
    await replay(server, stolen)
    expect(await server.keys.listBindings(CLIENT)).toHaveLength(1)
    expect(await worksStill(server, { key: own, clientId: CLIENT, bindingId: '' })).toBe(true)
  }))
