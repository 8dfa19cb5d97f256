import { randomBytes } from 'node:crypto'
import { ASSERTION_TYPE } from '../../base/oauth-names.js'
import { basicAuth } from '../../base/secret.js'
import type { Claims } from '../../jose/jws.js'
import { makeToken, newPair } from '../../testing/forged-token.js'
import { type Check, type CheckDescription, type Finding, inGroup, skipped } from '../check.js'
import type { DeploymentUnderTest, KeyRequest } from './deployment-under-test.js'
import type { Exchange } from './exchange.js'
import { refused } from './issuance.js'

const GROUP = { group: 'Client authentication', needs: ['issuance-key'] }
const EXPECTED = 'status 401 with invalid_client'

/** What a request for a key has in place of the credentials of the test client. */
type Credentials = Pick<KeyRequest, 'credentials' | 'form'>

const invented = () => randomBytes(24).toString('base64url')

/** Wrong credentials, each of which the token endpoint must refuse. */
const MATRIX: readonly (CheckDescription & {
  readonly of: (deployment: DeploymentUnderTest) => Credentials
  /** Whether the request itself is wrong, so that the error can also be `invalid_request`. */
  readonly isMalformed?: boolean
})[] = [
  {
    id: 'auth-missing',
    title: 'a request without credentials is refused',
    clause: 'RFC 6749 3.2.1',
    fix: 'Require client authentication for the grant client_credentials.',
    of: ({ settings: { clientId } }) => ({ form: { client_id: clientId } }),
  },
  {
    id: 'auth-secret-wrong',
    title: 'a wrong secret is refused',
    clause: 'RFC 6749 5.2',
    fix: 'Refuse a request if its secret differs from the secret of the client.',
    of: ({ settings: { clientId } }) => ({ credentials: { Authorization: basicAuth(clientId, invented()) } }),
  },
  {
    id: 'auth-secret-empty',
    title: 'an empty secret is refused',
    clause: 'RFC 6749 2.3.1',
    fix: 'Give the test client a random secret, and refuse each request with an empty secret.',
    of: ({ settings: { clientId } }) => ({ credentials: { Authorization: basicAuth(clientId, '') } }),
    isMalformed: true,
  },
  {
    id: 'auth-twice',
    title: 'two methods of authentication in one request are refused',
    clause: 'RFC 6749 2.3',
    fix: 'Refuse a request that has both the header Authorization and the parameter client_secret.',
    of: ({ settings: { clientId, clientSecret } }) => ({
      credentials: { Authorization: basicAuth(clientId, clientSecret) },
      form: { client_id: clientId, client_secret: clientSecret },
    }),
    isMalformed: true,
  },
  {
    id: 'auth-assertion-forged',
    title: 'a client assertion that somebody else has signed is refused',
    clause: 'RFC 7523 3',
    fix: 'Verify a client assertion only with the public keys that are registered for this client.',
    of: (deployment) => assertionOf(deployment, { alg: 'ES256' }, newPair().sign),
  },
  {
    id: 'auth-assertion-unsigned',
    title: 'a client assertion without a signature is refused',
    clause: 'RFC 8725 3.1',
    fix: 'Never accept the algorithm none.',
    of: (deployment) => assertionOf(deployment, { alg: 'none' }, () => Buffer.alloc(0)),
  },
]

/** Does the token endpoint know its clients? */
export const CLIENT_AUTHENTICATION_CHECKS = inGroup<Check<DeploymentUnderTest>>(GROUP, [
  ...MATRIX.map(({ of, isMalformed = false, ...texts }) => ({
    ...texts,
    async run(deployment: DeploymentUnderTest, signal: AbortSignal) {
      return refusedFor(deployment, await askAs(deployment, of(deployment), signal), isMalformed)
    },
  })),
  {
    id: 'auth-challenge',
    title: 'the server tells a refused client the error and how to authenticate',
    clause: 'RFC 6749 5.2',
    fix: 'Answer 401 with invalid_client and a header WWW-Authenticate.',
    async run(deployment, signal) {
      const exchange = await askAs(deployment, strangerOf(deployment), signal)
      const { status, headers, json } = exchange
      const isChallenge = /^basic\b/i.test(headers.get('WWW-Authenticate') ?? '')
      const isRight = status === 401 && json['error'] === 'invalid_client' && isChallenge
      return deployment.expect(exchange, isRight, `${EXPECTED}, and WWW-Authenticate: Basic`)
    },
  },
  {
    id: 'auth-client-unknown',
    title: 'nobody can find out which clients exist',
    clause: 'RFC 6749 5.2',
    fix: 'Answer an unknown client and a wrong secret in the same way.',
    run: compareRefusals,
  },
])

async function compareRefusals(deployment: DeploymentUnderTest, signal: AbortSignal): Promise<Finding> {
  if (deployment.isLocal) return skipped('a local deployment explains every refusal')
  const { clientId } = deployment.settings
  const known = { credentials: { Authorization: basicAuth(clientId, invented()) } }
  const [wrong, unknown] = [
    await askAs(deployment, known, signal),
    await askAs(deployment, strangerOf(deployment), signal),
  ]
  const isSame = wrong.status === unknown.status && wrong.text === unknown.text
  return deployment.expect(unknown, isSame, 'the same answer as for a wrong secret')
}

const strangerOf = ({ settings }: DeploymentUnderTest): Credentials => ({
  credentials: { Authorization: basicAuth(`${settings.clientId}-check`, invented()) },
})

/** Asks for a key as the test client does, but with other credentials. */
function askAs(
  deployment: DeploymentUnderTest,
  { credentials = {}, form = {} }: Credentials,
  signal: AbortSignal,
): Promise<Exchange> {
  return deployment.requestKey({ credentials, form }, signal)
}

/** The credentials must be the reason of the refusal. */
function refusedFor(deployment: DeploymentUnderTest, exchange: Exchange, isMalformed: boolean): Finding {
  const errors = ['invalid_client', ...(isMalformed ? ['invalid_request'] : [])]
  const isReason = exchange.status === 401 || errors.includes(String(exchange.json['error']))
  const expected = isMalformed ? `${EXPECTED}, or status 400 with invalid_request` : EXPECTED
  const finding = refused(deployment, exchange, expected)
  return isReason ? finding : deployment.failed(exchange, expected)
}

function assertionOf(
  { settings: { clientId, issuer }, nowSeconds }: DeploymentUnderTest,
  header: Claims,
  signInput: (input: Buffer) => Buffer,
): Credentials {
  const claims = {
    iss: clientId,
    sub: clientId,
    aud: issuer,
    jti: invented(),
    iat: nowSeconds,
    exp: nowSeconds + 60,
  }
  const assertion = makeToken({ header: { typ: 'client-authentication+jwt', ...header }, claims }, signInput)
  return { form: { client_id: clientId, client_assertion_type: ASSERTION_TYPE, client_assertion: assertion } }
}
