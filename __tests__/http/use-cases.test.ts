import { useCases } from '../../lib/http/use-cases.js'
import { authorizeKey } from '../../lib/redemption/verified.js'
import { AUDIENCE, deployed, keyRequest, parameters, request, SECRET, TARGET } from '../support/deployed.js'

describe('useCases', () => {
  it('are every verb of a deployment, made once and frozen', () => {
    const verbs = useCases(deployed().deployment)
    const names = [
      'authenticate',
      'issue',
      'recognize',
      'verifyAccessToken',
      'redeem',
      'containReplays',
      'exchange',
      'bind',
      'listBindings',
      'revokeOwnBinding',
      'register',
      'readRegistration',
      'updateRegistration',
      'deleteRegistration',
      'introspect',
    ]
    expect(Object.keys(verbs).sort()).toEqual([...names, 'revoke', 'revokeExposed'].sort())
    expect(Object.isFrozen(verbs)).toBe(true)
  })

  it('lead a client from its secret to its initial access token', async () => {
    const { deployment, events } = deployed()
    const { authenticate, issue, recognize, exchange, introspect } = useCases(deployment)
    const credentials = parameters({ client_id: 'ci-runner', client_secret: SECRET })
    const client = await authenticate(request(), credentials)
    const { key } = await issue(client, keyRequest())
    const expected = { audiences: [AUDIENCE], scope: ['provision:token'], target: TARGET }
    const presented = request({ address: undefined })
    const recognized = await recognize({ token: key, scheme: 'body' }, presented, expected)
    const verified = await authorizeKey(recognized, expected)
    const { access_token } = await exchange(verified, parameters())
    expect(await introspect(client, parameters({ token: access_token }))).toMatchObject({ active: true })
    expect(await introspect(client, parameters({ token: key }))).toEqual({ active: false })
    expect(events.map(({ type }) => type)).toEqual(['key.issued', 'key.redeemed', 'token.issued'])
  })
})
