import type { PolicyOptions } from '../../../lib/index.js'
import { bindByProof, postSigned } from '../../support/bound-client.js'
import { clientKey } from '../../support/client-assertion.js'
import { AUDIENCE, CLIENT, OTHER_AUDIENCE, SECRET, startServer } from '../../support/server.js'

const ASKER: PolicyOptions = {
  scopes: ['provision:bind', 'devices:read'],
  audiences: [AUDIENCE],
  accessTokenScopes: ['devices:read'],
  subjects: ['device:*'],
}
const DEVICE = 'device:1'
const WITHIN: PolicyOptions = {
  scopes: ['devices:read'],
  audiences: [AUDIENCE],
  accessTokenScopes: ['devices:read'],
}

/** Binds the asker's own key to an existing client, then authenticates as this client. */
async function takeOver(policy: PolicyOptions, asker: PolicyOptions = ASKER) {
  const clients = [
    { clientId: CLIENT, clientSecret: SECRET, policy: asker },
    { clientId: DEVICE, clientSecret: SECRET, policy },
  ]
  const server = await startServer({ options: { clients } })
  try {
    const key = clientKey()
    const { status } = await bindByProof(server, key, { requested_subject: DEVICE })
    const [scope = ''] = policy.scopes ?? []
    const asked = { grant_type: 'client_credentials', scope }
    const { status: afterwards } = await postSigned(server, '/oauth/token', { key, clientId: DEVICE }, asked)
    const states = server.events.map(({ type }) => type)
    const reason = server.events.flatMap((event) => (event.type === 'request.refused' ? event.reason : []))[0]
    return { status, afterwards, isClaimed: states.includes('key.redeemed'), reason }
  } finally {
    await server.close()
  }
}

test.each<[string, PolicyOptions]>([
  ['a scope', { ...WITHIN, scopes: ['devices:create', 'devices:read'] }],
  ['an audience', { ...WITHIN, audiences: [AUDIENCE, OTHER_AUDIENCE] }],
  ['a scope of access tokens', { ...WITHIN, accessTokenScopes: ['devices:create'] }],
  ['subjects', { ...WITHIN, subjects: ['gateway-1'] }],
  ['subjects behind another prefix', { ...WITHIN, subjects: ['device:1:*'] }],
  ['audiences to introspect', { ...WITHIN, introspectAudiences: [AUDIENCE] }],
])('a client that binds its key to an identity does not get its %s', async (_, policy) => {
  const refused = { status: 400, afterwards: 401, isClaimed: false, reason: 'subject_not_permitted' }
  expect(await takeOver(policy)).toEqual(refused)
})

test('an identity without more permissions than the asking client can get a key', async () => {
  expect(await takeOver(WITHIN)).toMatchObject({ status: 201, afterwards: 200 })
  expect(await takeOver({ ...WITHIN, subjects: ['device:1-*'] })).toMatchObject({ status: 201 })
})

test.each<[string, PolicyOptions]>([
  ['networks', { networks: ['127.0.0.0/8'] }],
  ['lifetimes', { lifetimeSeconds: 60, maxLifetimeSeconds: 120 }],
  ['outstanding keys', { outstandingKeys: 10 }],
  ['lifetimes of access tokens', { accessTokenLifetimeSeconds: 60 }],
  ['bindings', { maxBindings: 1 }],
  ['scopes of new clients', { clientScopes: [] }],
])('a client keeps its bounds on %s when it binds its key to an identity without them', async (_, bounds) => {
  const refused = { status: 400, isClaimed: false, reason: 'subject_not_permitted' }
  expect(await takeOver(WITHIN, { ...ASKER, ...bounds })).toMatchObject(refused)
  expect(await takeOver({ ...WITHIN, ...bounds }, { ...ASKER, ...bounds })).toMatchObject({ status: 201 })
})
