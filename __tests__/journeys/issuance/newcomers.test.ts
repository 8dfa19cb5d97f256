import { hashSecret } from '../../../lib/index.js'
import { memoryClientRegistry } from '../../../lib/stores/memory/memory-clients.js'
import { bindWithProof } from '../../support/binding.js'
import { CLIENT, SECRET, startServer } from '../../support/server.js'

test('a client that its binding created gets the scope of the key, without the right to register', async () => {
  const clients = memoryClientRegistry([
    {
      clientId: CLIENT,
      revision: 1,
      secretHash: hashSecret(SECRET),
      authenticationMethods: ['client_secret_basic'],
      policy: { subjects: ['device:*'] },
    },
  ])
  const server = await startServer({ options: { clients } })
  try {
    const scope = 'provision:bind provision:register devices:read'
    const bound = await bindWithProof(server, {}, { scope, requested_subject: 'device:7' })
    expect(bound.status).toBe(201)
    expect(await clients.find('device:7')).toMatchObject({
      authenticationMethods: ['private_key_jwt'],
      policy: { scopes: ['provision:bind', 'devices:read'] },
      bindings: [{ bindingId: bound.body.binding_id, confirmation: bound.body.cnf }],
      registeredBy: { clientId: CLIENT },
    })
  } finally {
    await server.close()
  }
})
