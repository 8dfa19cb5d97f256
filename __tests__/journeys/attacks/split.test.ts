import { forgeKey } from '../../support/forge.js'
import { obtainKey, postForm, send } from '../../support/requests.js'
import { CLIENT, type RunningServer, SECRET } from '../../support/server.js'
import { askingOptions, type RunningApi, startApi, startIssuer } from '../../support/split.js'

let issuer: RunningServer
let api: RunningApi

beforeAll(async () => {
  issuer = await startIssuer()
  api = await startApi(await askingOptions(issuer))
})
afterAll(async () => {
  await api.close()
  await issuer.close()
})

const FORGERIES: [string, (payload: { iat: number; exp: number }) => Record<string, unknown>][] = [
  ['another scope', () => ({ scope: 'devices:create devices:read' })],
  ['a longer life', ({ exp }) => ({ exp: exp + 120 })],
  ['a later birth', ({ iat }) => ({ iat: iat + 1 })],
]

test.each(FORGERIES)(
  'a thief of the signing key gets %s past no API that asks the issuer',
  async (_, change) => {
    const key = await obtainKey(issuer, { scope: 'devices:read' })
    const payload = JSON.parse(Buffer.from(key.split('.')[1] ?? '', 'base64url').toString())
    const forged = forgeKey(key, { claims: change(payload) })
    const present = (text: string) => send(api, 'get', '/devices').set('Authorization', `Bearer ${text}`)
    await present(forged).expect(401)
    expect(api.events.at(-1)).toMatchObject({ reason: 'inactive_at_issuer', keyId: payload.jti })
    expect(issuer.events.at(-1)).toMatchObject({ type: 'key.forged', keyId: payload.jti, clientId: CLIENT })
    const told = await postForm(issuer, '/oauth/introspect', { token: forged })
      .auth(CLIENT, SECRET)
      .expect(200)
    expect(told.body).toEqual({ active: false })
    await present(key).expect(200)
  },
)
