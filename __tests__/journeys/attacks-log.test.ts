import { carelessLog, linesThatTell, mountCarelessly } from '../support/careless-logs.js'
import { clientKey } from '../support/client-assertion.js'
import { signProof } from '../support/proof.js'
import { askForKey, send } from '../support/requests.js'
import { AUDIENCE, ISSUER, type RunningServer, startServer } from '../support/server.js'

const holder = clientKey()
const TOKEN = { method: 'POST', url: `${ISSUER}/oauth/token` }
const proofFor = (path: string, token: string, method = 'POST') =>
  signProof(holder, { method, url: `${AUDIENCE}${path}` }, { token })

async function boundKey(server: RunningServer, proofs: string[]): Promise<string> {
  const proof = signProof(holder, TOKEN)
  proofs.push(proof)
  const { body } = await askForKey(server, { scope: 'devices:create devices:read' })
    .set('DPoP', proof)
    .expect(200)
  return body.access_token
}

describe('an attack by somebody who reads the log', () => {
  test.each([
    ['/answers', 201],
    ['/fails', 500],
    ['/fails-later', 500],
    ['/oauth/bind', 403],
  ])('finds no DPoP proof there, used or not: %s', async (path, status) => {
    const log = carelessLog()
    const proofs: string[] = []
    const server = await startServer({ mount: mountCarelessly(log) })
    try {
      const key = await boundKey(server, proofs)
      for (const proof of [proofFor(path, key), signProof(clientKey(), TOKEN)]) {
        proofs.push(proof)
        const answer = await send(server, 'post', path).set({ Authorization: `DPoP ${key}`, DPoP: proof })
        expect([status, 401]).toContain(answer.status)
      }
      await send(server, 'post', path)
        .set('DPoP', proofs[1] ?? '')
        .expect(401)
    } finally {
      await server.close()
      log.release()
    }
    log.note(server.events)
    expect(proofs).toHaveLength(3)
    expect(log.lines.join('').length).toBeGreaterThan(5000)
    expect(linesThatTell(proofs, log.lines)).toEqual([])
  })

  test('finds none behind two guards in a row, each of which has seen the proof', async () => {
    const seen: unknown[] = []
    const server = await startServer({
      mount(app, keys) {
        app.use(keys.issuance())
        const guard = () => keys.requireProvisioningKey({ audience: AUDIENCE })
        app.get('/devices', guard(), guard(), (req, res) => {
          const { headers, headersDistinct, rawHeaders } = req
          seen.push(headers['dpop'], headersDistinct['dpop'], rawHeaders[rawHeaders.indexOf('DPoP') + 1])
          res.sendStatus(204)
        })
      },
    })
    try {
      const key = await boundKey(server, [])
      const proof = proofFor('/devices', key, 'GET')
      await send(server, 'get', '/devices')
        .set({ Authorization: `DPoP ${key}`, DPoP: proof })
        .expect(204)
      expect(seen).toEqual([undefined, undefined, '[redacted]'])
    } finally {
      await server.close()
    }
  })
})
