import { newPair, type ProofPair } from '../../testing/forged-token.js'
import { type Check, CheckEnd, inGroup, skipped } from '../check.js'
import { authenticate, expectDeleted, hasNewClient } from './binding.js'
import type { DeploymentUnderTest, IssuedKey, TestDevice } from './deployment-under-test.js'
import type { Exchange, Outgoing } from './exchange.js'
import { isRefused, type Place, present, schemeOf } from './places.js'

const REGISTER_SCOPE = 'provision:register'

/** Answers of a deployment that registers other clients than that of the checks (RFC 7591 3.2.2). */
const REFUSALS: readonly unknown[] = [
  'invalid_client_metadata',
  'invalid_redirect_uri',
  'invalid_software_statement',
  'unapproved_software_statement',
]

/**
 * Can a client register, once with each key? The last two checks use the key again, so the server deletes the client. If
 * they do not run, the checks delete it as RFC 7592 2.3 says.
 */
export const REGISTRATION_CHECKS = inGroup<Check<DeploymentUnderTest>>({ group: 'Registration' }, [
  {
    id: 'register-works',
    title: 'the test client can register a client',
    clause: 'RFC 7591 3.2.1',
    fix: 'Let the registration endpoint and the token endpoint use one store and one client registry.',
    needs: ['issuance-key'],
    async run(deployment, signal) {
      const key = await issueForRegistration(deployment, signal)
      const { exchange, client } = await register(deployment, key, signal)
      const { error, error_description: why } = exchange.json
      if (REFUSALS.includes(error))
        return skipped(`the deployment refuses the metadata of the checks: ${deployment.redact(String(why))}`)
      deployment.registered = client
      return deployment.expect(exchange, client !== undefined, 'status 201 with a client_id')
    },
  },
  {
    id: 'register-authenticates',
    title: 'the registered client authenticates with its private key',
    clause: 'RFC 7523 2.2',
    fix: 'Let the registration endpoint and the token endpoint use one client registry, in a database that all processes share.',
    needs: ['register-works'],
    async run(deployment, signal) {
      const exchange = await authenticate(deployment, registeredOf(deployment), signal)
      // Its policy may grant it no scope.
      const isKnown = exchange.status === 200 || exchange.json['error'] === 'invalid_scope'
      return deployment.expect(exchange, isKnown, 'status 200, or 400 with invalid_scope')
    },
  },
  {
    id: 'register-read',
    title: 'only the registration access token gives access to the registration',
    clause: 'RFC 7592 2.1',
    fix: 'Require the registration access token at the registration_client_uri, and let the proxy forward the header Authorization.',
    needs: ['register-works'],
    async run(deployment, signal) {
      const { clientId, registration } = registeredOf(deployment)
      if (registration === undefined)
        return skipped('the answer has no registration_client_uri at the server of the registration endpoint')
      const own = await deployment.send(registration, signal)
      if (own.json['client_id'] !== clientId) return deployment.failed(own, 'status 200 with the client_id')
      const foreign = await deployment.send({ ...registration, headers: {} }, signal)
      return deployment.expect(foreign, foreign.status === 401, 'status 401 without the token')
    },
  },
  {
    id: 'register-once',
    title: 'a second client cannot register with the same key',
    clause: 'RFC 6749 10.5',
    fix: 'Let all processes share one store, such as redisStore().',
    needs: ['register-works'],
    async run(deployment, signal) {
      const { exchange } = await register(deployment, registeredOf(deployment).key, signal)
      return deployment.expect(
        exchange,
        isRefused({ isAccepted: hasNewClient }, exchange),
        'status 400 or 401',
      )
    },
  },
  {
    id: 'register-containment',
    title: 'a replay of a key deletes the client that was registered with it',
    clause: 'RFC 6749 10.5',
    fix: 'Do not set onReplay to flag in the policy of the test client. Then delete the client that is named below.',
    needs: ['register-authenticates', 'register-once'],
    run: (deployment, signal) => expectDeleted(deployment, registeredOf(deployment), signal),
  },
])

/** Gets a key for a client with a new id. @throws CheckEnd if no client may be registered */
async function issueForRegistration(
  deployment: DeploymentUnderTest,
  signal: AbortSignal,
): Promise<IssuedKey> {
  deployment.endpoint('registration_endpoint')
  const { scope } = await deployment.sample(signal)
  const others = scope.filter((one) => !one.startsWith('provision:'))
  const form = { scope: [REGISTER_SCOPE, ...others].join(' ') }
  const exchange = await deployment.requestKey({ form, change: withoutSubject }, signal)
  const key = deployment.keyIn(exchange)
  if (key?.scope.includes(REGISTER_SCOPE)) return key
  if (key === undefined && exchange.json['error'] !== 'invalid_scope')
    throw new CheckEnd(deployment.failed(exchange, 'status 200 with an access_token'))
  throw new CheckEnd(skipped(`the test client may not register clients: its policy lacks ${REGISTER_SCOPE}`))
}

/** With a subject, the client would get the id of a real device. */
function withoutSubject(outgoing: Outgoing): Outgoing {
  return { ...outgoing, form: outgoing.form?.filter(([name]) => name !== 'requested_subject') ?? [] }
}

/** Registers a client with a new key pair. If the server accepts it, the checks delete it at their end. */
async function register(deployment: DeploymentUnderTest, key: IssuedKey, signal: AbortSignal) {
  const pair = newPair()
  const place = registrationPlace(deployment, { key, pair })
  const exchange = await present(deployment, { place, key }, signal)
  if (!hasNewClient(exchange)) return { exchange }
  const client = registeredClient(deployment, { exchange, key, pair })
  deployment.clients.add(client)
  return { exchange, client }
}

function registrationPlace(
  deployment: DeploymentUnderTest,
  { key, pair }: { readonly key: IssuedKey; readonly pair: ProofPair },
): Place {
  const url = deployment.endpoint('registration_endpoint')
  const metadata = { client_name: 'Test client of a check', token_endpoint_auth_method: 'private_key_jwt' }
  return {
    name: 'the registration endpoint',
    redeems: true,
    isForKeys: true,
    request: (token) => ({
      method: 'POST',
      url,
      headers: { Authorization: `${schemeOf(key.pair)} ${token}`, 'Content-Type': 'application/json' },
      text: JSON.stringify({ ...metadata, jwks: { keys: [pair.jwk] } }),
    }),
    isAccepted: hasNewClient,
  }
}

function registeredClient(
  deployment: DeploymentUnderTest,
  { exchange, key, pair }: { readonly exchange: Exchange; readonly key: IssuedKey; readonly pair: ProofPair },
): TestDevice {
  const {
    client_id: clientId,
    scope,
    registration_access_token: token,
    registration_client_uri: url,
  } = exchange.json
  const isSafe = typeof url === 'string' && URL.canParse(url) && isOfServer(exchange, url)
  if (typeof token === 'string') deployment.hide(token, '$TOKEN')
  const headers = { Authorization: `Bearer ${token}` }
  const registration = isSafe ? { method: 'GET', url, headers } : undefined
  const client = { clientId: String(clientId), pair, key, scope: String(scope ?? ''), registration }
  return {
    ...client,
    async remove(signal) {
      if (registration === undefined) await register(deployment, key, signal)
      else await deployment.send({ ...registration, method: 'DELETE' }, signal)
      return (await authenticate(deployment, client, signal)).json['error'] === 'invalid_client'
    },
  }
}

/** The token of a registration must go to nobody but the server that issued it. */
function isOfServer({ request }: Exchange, url: string): boolean {
  return new URL(url).origin === new URL(request.url).origin
}

function registeredOf({ registered }: DeploymentUnderTest): TestDevice {
  if (registered === undefined) throw new CheckEnd(skipped('no client is registered'))
  return registered
}
