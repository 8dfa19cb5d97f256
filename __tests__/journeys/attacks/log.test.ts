import type { Test } from 'supertest'
import type { ProvisioningOptions, RegistrationPolicy } from '../../../lib/index.js'
import { carelessLog, linesThatTell, mountCarelessly } from '../../support/careless-logs.js'
import { clientKey } from '../../support/client-assertion.js'
import { signProof } from '../../support/proof.js'
import { askForKey, exchangeKey, obtainKey, send } from '../../support/requests.js'
import { AUDIENCE, CLIENT, ISSUER, type RunningServer, SECRET, startServer } from '../../support/server.js'

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

  test.each<[string, Parameters<typeof send>[1], string, Partial<ProvisioningOptions>, number]>([
    ['its query contains a token', 'post', '/oauth/token?token=1', {}, 400],
    ['its method is wrong', 'put', '/oauth/revoke', {}, 405],
    [
      'its address has exceeded a limit',
      'post',
      '/oauth/revoke',
      { rateLimit: { revoke: { limit: () => 0 } } },
      429,
    ],
  ])('finds no secret that the app has parsed before a request is refused because %s', async (...row) => {
    const [, method, path, options, status] = row
    const log = carelessLog()
    const server = await startServer({ options, mount: mountCarelessly(log, { parses: true }) })
    try {
      const body = `client_id=${CLIENT}&client_secret=${SECRET}&token=x`
      await send(server, method, path).type('form').send(body).expect(status)
    } finally {
      await server.close()
      log.release()
    }
    expect(linesThatTell([SECRET], log.lines)).toEqual([])
  })

  test.each(['/oauth/token', '/devices'])(
    'finds no secret that the app has parsed from plain HTTP: %s',
    async (path) => {
      const log = carelessLog()
      const server = await startServer({ mount: mountCarelessly(log, { parses: true }) })
      try {
        const url = `http://127.0.0.1:${await server.openHttp()}${path}`
        const body = new URLSearchParams({ client_id: CLIENT, client_secret: SECRET })
        expect((await fetch(url, { method: 'POST', body })).status).toBe(403)
      } finally {
        await server.close()
        log.release()
      }
      expect(linesThatTell([SECRET], log.lines)).toEqual([])
    },
  )

  test('finds none behind two guards in a row, each of which has seen the proof', async () => {
    const seen: unknown[] = []
    const server = await startServer({
      mount(app, keys) {
        app.use(keys.issuance())
        const guard = () => keys.requireProvisioningKey({ anyScope: true, audience: AUDIENCE })
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
      expect(seen).toEqual([undefined, ['[redacted]'], '[redacted]'])
    } finally {
      await server.close()
    }
  })

  const PASTED = 'hunter-correct-horse-battery2'

  test.each<[string, string, (server: RunningServer, key: string) => Test]>([
    ['scope', 'scope', (server) => askForKey(server, { scope: `devices:read ${PASTED}` })],
    ['requested_subject', 'requested_subject', (server) => askForKey(server, { requested_subject: PASTED })],
    [
      'requested_subject behind a prefix',
      'requested_subject',
      (server) => askForKey(server, { requested_subject: `device:${PASTED}/` }),
    ],
    ['resource', 'resource', (server) => askForKey(server, { resource: `https://${PASTED}` })],
    ['requested_expiry', 'requested_expiry', (server) => askForKey(server, { requested_expiry: '4111111' })],
    ['the scope of an exchange', 'scope', (server, key) => exchangeAs(server, key, { scope: PASTED })],
    [
      'the resource of an exchange',
      'resource',
      (server, key) => exchangeAs(server, key, { resource: `https://${PASTED}` }),
    ],
  ])(
    'finds the name of the parameter, but no secret that a client pasted into %s',
    async (_title, parameter, ask) => {
      const server = await startServer()
      try {
        const key = await obtainKey(server, { scope: 'provision:token devices:read' })
        const { status, body } = await ask(server, key)
        expect(status).toBe(400)
        const told = [body.error_description, server.events.at(-1)]
        expect(JSON.stringify(told)).not.toMatch(/hunter|4111111/)
        expect(told).toEqual([
          expect.stringMatching(`^${parameter}: `),
          expect.objectContaining({ detail: told[0] }),
        ])
      } finally {
        await server.close()
      }
    },
  )

  test.each<[string, Record<string, unknown>]>([
    ['scope', { scope: PASTED }],
    ['client_name', { client_name: `${PASTED}\n` }],
    ['the language of a name', { 'client_name#hunter-correct-horse-battery2': 7 }],
    ['a redirect URI', { redirect_uris: [`http://${PASTED}`] }],
    ['the name of a grant', { grant_types: [PASTED] }],
    ['keys', { jwks: { keys: [{ kty: PASTED, kid: PASTED }] } }],
  ])('finds no secret that a registrant pasted into %s', async (_title, metadata) => {
    const server = await startServer()
    try {
      const key = await obtainKey(server, { scope: 'provision:register' })
      const answer = await send(server, 'post', '/oauth/register')
        .set('Authorization', `Bearer ${key}`)
        .send(metadata)
        .expect(400)
      expect(`${answer.text}${JSON.stringify(server.events)}`).not.toContain('hunter')
    } finally {
      await server.close()
    }
  })

  test.each<[string, RegistrationPolicy, string]>([
    ['throws', (one) => throwing(new TypeError(`no ${one.metadata.client_name}`)), 'failed (TypeError)'],
    ['rejects', async (one) => throwing(new Refused(`no ${one.metadata.client_name}`)), 'failed (Refused)'],
    ['throws a text', (one) => throwing(`no ${one.metadata.client_name}`), 'failed (String)'],
    [
      'answers wrongly',
      ({ metadata }) => ({ [`client_name#${metadata.client_name}`]: 7 }),
      'answered metadata that are not valid',
    ],
    [
      'answers what cannot be copied',
      ({ metadata }) => ({ client_name: Object.assign(() => metadata.client_name, {}) as never }),
      'answered metadata that are not valid (DOMException)',
    ],
  ])('finds nothing there that a registration policy quotes which %s', async (_title, policy, fault) => {
    const registration = { policies: { ours: policy } }
    const given = {
      scopes: ['provision:register', 'devices:create', 'devices:read'],
      registrationPolicies: ['ours'],
    }
    const clients = [{ clientId: CLIENT, clientSecret: SECRET }]
    const server = await startServer({ options: { policy: given, registration, clients } })
    try {
      const key = await obtainKey(server, { scope: 'provision:register' })
      const answer = await send(server, 'post', '/oauth/register')
        .set('Authorization', `Bearer ${key}`)
        .send({ client_name: PASTED })
        .expect(500)
      expect(`${answer.text}${JSON.stringify(server.events)}`).not.toMatch(/hunter/)
      const detail = expect.stringContaining(`The registration policy ours ${fault}`)
      expect(server.events).toContainEqual(expect.objectContaining({ reason: 'server_fault', detail }))
    } finally {
      await server.close()
    }
  })

  test('finds no id that a registry took for that of another client', async () => {
    const clients = (clientId: string) =>
      clientId.toLowerCase() === 'ci-runner' ? { clientId: 'ci-runner', clientSecret: SECRET } : undefined
    const server = await startServer({ options: { clients } })
    try {
      await askForKey(server, {}, { id: 'CI-Runner', secret: SECRET }).expect(500)
      expect(JSON.stringify(server.events)).not.toContain('CI-Runner')
    } finally {
      await server.close()
    }
  })
})

class Refused extends Error {}

function exchangeAs(server: RunningServer, key: string, form: Record<string, string>): Test {
  return exchangeKey(server, key, form).auth(CLIENT, SECRET)
}

function throwing(error: unknown): never {
  throw error
}
