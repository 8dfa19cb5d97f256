import { request } from 'node:https'
import { newConnection } from '../support/connections.js'
import { prover } from '../support/prover.js'
import { askForKey } from '../support/requests.js'
import { AUDIENCE, ISSUER, startServer } from '../support/server.js'

test('a repeated request can name its target as a whole URL (RFC 9112 3.2.2)', async () => {
  const server = await startServer()
  const holder = prover()
  const asking = askForKey(server, { scope: 'devices:create' })
  const { body } = await asking.set('DPoP', holder.prove('POST', `${ISSUER}/oauth/token`)).expect(200)
  const key = body.access_token
  const redeem = (path: string) =>
    new Promise<number | undefined>((resolve, reject) => {
      const proof = holder.prove('POST', `${AUDIENCE}/devices`, key)
      const headers = { Authorization: `DPoP ${key}`, DPoP: proof, 'Content-Length': 0 }
      request({ port: server.port, method: 'POST', path, headers, ...newConnection(server.cert) })
        .on('response', (response) => resolve(response.resume().statusCode))
        .on('error', reject)
        .end()
    })
  try {
    expect(await redeem('/devices')).toBe(201)
    expect(await redeem(`${AUDIENCE}/devices`)).toBe(201)
    expect(server.events.map(({ type }) => type)).not.toContain('key.replayed')
  } finally {
    await server.close()
  }
})
