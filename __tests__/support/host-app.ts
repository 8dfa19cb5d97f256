import type { Express } from 'express'
import type { ProvisioningKeys, ProvisioningOptions } from '../../lib/index.js'
import { bindingBody } from './binding.js'
import { EXCHANGE, JWT_TYPE, postForm, send } from './requests.js'
import { CLIENT, ISSUER, type RunningServer, SECRET, startServer } from './server.js'

export type Mount = (app: Express, keys: ProvisioningKeys) => void

/** The app of a host, with its own route and 404 around our middlewares. */
export async function withApp(
  mount: Mount,
  test: (server: RunningServer) => Promise<void>,
  options: Partial<ProvisioningOptions> = {},
): Promise<void> {
  const server = await startServer({
    options,
    mount(app, keys) {
      app.get('/health', (_req, res) => void res.send('fine'))
      mount(app, keys)
      app.post('/own', (req, res) => void res.json({ got: req.body }))
      app.use((_req, res) => void res.status(404).json({ own: 'not found' }))
    },
  })
  try {
    await test(server)
    await send(server, 'get', '/health').expect(200, 'fine')
    await send(server, 'get', '/nowhere').expect(404, { own: 'not found' })
  } finally {
    await server.close()
  }
}

/** All ways of a key, from its issuance to its end, at a mount path. */
export async function wholeJourney(server: RunningServer, mountPath = '/oauth'): Promise<void> {
  const at = (path: string) => `${mountPath}${path}`
  const ask = async (scope: string) => {
    const form = { grant_type: 'client_credentials', scope }
    const { body } = await postForm(server, at('/token'), form).auth(CLIENT, SECRET).expect(200)
    return body.access_token as string
  }
  const key = await ask('provision:token devices:read')
  const isActive = async () => {
    const { body } = await postForm(server, at('/introspect'), { token: key })
      .auth(CLIENT, SECRET)
      .expect(200)
    return body.active
  }
  expect(await isActive()).toBe(true)
  const exchange = {
    grant_type: EXCHANGE,
    subject_token: key,
    subject_token_type: JWT_TYPE,
  }
  await postForm(server, at('/token'), exchange).expect(200)
  expect(await isActive()).toBe(false)
  const binding = await ask('provision:bind')
  const aud = `${ISSUER}${mountPath}/bind`
  await send(server, 'post', at('/bind'))
    .set('Authorization', `Bearer ${binding}`)
    .send(bindingBody(binding, { claims: { aud } }))
    .expect(201)
  const registering = () => send(server, 'post', at('/register'))
  await registering()
    .set('Authorization', `Bearer ${await ask('provision:register')}`)
    .send({ client_name: 'a' })
    .expect(201)
  await registering()
    .set('Authorization', `Bearer ${await ask('provision:register')}`)
    .send({})
    .expect(201)
  await postForm(server, at('/revoke'), { token: await ask('provision:token') })
    .auth(CLIENT, SECRET)
    .expect(200)
  await send(server, 'get', at('/jwks')).expect(200)
  await send(server, 'get', '/.well-known/oauth-authorization-server').expect(200)
}
