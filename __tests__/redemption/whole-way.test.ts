import { authenticateClient } from '../../lib/clients/authentication/authenticate.js'
import { exchangeKey } from '../../lib/redemption/actions/token.js'
import { introspect } from '../../lib/tokens/introspection.js'
import { issueKey } from '../../lib/tokens/issuance.js'
import {
  AUDIENCE,
  deployed,
  keyRequest,
  parameters,
  request,
  SECRET,
  TARGET,
  verifyKey,
} from '../support/deployed.js'

describe('the protocol without HTTP', () => {
  it('leads a client from its secret to its initial access token', async () => {
    const { deployment, events } = deployed()
    const credentials = parameters({ client_id: 'ci-runner', client_secret: SECRET })
    const client = await authenticateClient(deployment, request(), credentials)
    const { key } = await issueKey(deployment, client, keyRequest())
    const verified = await verifyKey(deployment, {
      credential: { token: key, scheme: 'body' },
      presented: request({ address: undefined }),
      expected: { audiences: [AUDIENCE], scope: ['provision:token'], target: TARGET },
    })
    const { access_token } = await exchangeKey(deployment, verified, { parameters: parameters() })
    const asked = parameters({ token: access_token })
    expect(await introspect(deployment, client, asked)).toMatchObject({ active: true })
    expect(await introspect(deployment, client, parameters({ token: key }))).toEqual({ active: false })
    expect(events.map(({ type }) => type)).toEqual(['key.issued', 'key.redeemed', 'token.issued'])
  })
})
