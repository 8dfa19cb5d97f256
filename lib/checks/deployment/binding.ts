import { randomBytes, randomUUID } from 'node:crypto'
import { ASSERTION_TYPE } from '../../base/oauth-names.js'
import { makeToken, newPair, type ProofPair } from '../../testing/forged-token.js'
import { type Check, CheckEnd, type Finding, inGroup, PASSED, skipped } from '../check.js'
import type { DeploymentUnderTest, IssuedKey, TestDevice } from './deployment-under-test.js'
import type { Exchange } from './exchange.js'
import { isRefused, type Place, present, schemeOf } from './places.js'

const BIND_SCOPE = 'provision:bind'

/**
 * Can a device enroll, once with each key? The last two checks use the key again, so the server deletes the device.
 * Nothing else deletes it: only operators can.
 */
export const BINDING_CHECKS = inGroup<Check<DeploymentUnderTest>>({ group: 'Binding' }, [
  {
    id: 'bind-works',
    title: 'a device can bind its public key',
    clause: 'RFC 7800 3.2',
    fix: 'Give the test client the scope provision:bind, and the subjects that begin with the prefix, such as device:check-*.',
    needs: ['issuance-key'],
    async run(deployment, signal) {
      const key = await issueForDevice(deployment, signal)
      const pair = newPair()
      const exchange = await bind(deployment, { key, pair }, signal)
      const { client_id: clientId, cnf } = exchange.json
      if (!hasNewClient(exchange)) return deployment.failed(exchange, 'status 201 with a client_id')
      const device = { clientId: String(clientId), pair, key, scope: key.scope.join(' ') }
      deployment.device = testDevice(deployment, device)
      deployment.clients.add(deployment.device)
      const { jkt } = (cnf ?? {}) as { readonly jkt?: unknown }
      return deployment.expect(exchange, jkt === pair.thumbprint, `jkt ${pair.thumbprint}`)
    },
  },
  {
    id: 'bind-authenticates',
    title: 'the device authenticates with its private key',
    clause: 'RFC 7523 2.2',
    fix: 'Let the endpoint bind and the token endpoint use one client registry, in a database that all processes share.',
    needs: ['bind-works'],
    async run(deployment, signal) {
      const exchange = await authenticate(deployment, deviceOf(deployment), signal)
      const isAuthenticated = exchange.status === 200 && typeof exchange.json['access_token'] === 'string'
      return deployment.expect(exchange, isAuthenticated, 'status 200 with an access_token')
    },
  },
  {
    id: 'bind-once',
    title: 'a second device cannot bind its public key with the same key',
    clause: 'RFC 6749 10.5',
    fix: 'Let all processes share one store, such as redisStore().',
    needs: ['bind-works'],
    async run(deployment, signal) {
      const { key } = deviceOf(deployment)
      const exchange = await bind(deployment, { key, pair: newPair() }, signal)
      const isRight = isRefused({ isAccepted: hasNewClient }, exchange)
      return deployment.expect(exchange, isRight, 'status 400 or 401')
    },
  },
  {
    id: 'bind-containment',
    title: 'a replay of a key deletes the device that was enrolled with it',
    clause: 'RFC 6749 10.5',
    fix: 'Do not set onReplay to flag in the policy of the test client. Then delete the device that is named in the request.',
    needs: ['bind-authenticates', 'bind-once'],
    run: (deployment, signal) => expectDeleted(deployment, deviceOf(deployment), signal),
  },
])

/** The server deletes a device when somebody uses its key again. */
function testDevice(deployment: DeploymentUnderTest, device: Omit<TestDevice, 'remove'>): TestDevice {
  return {
    ...device,
    async remove(signal) {
      await bind(deployment, { key: device.key, pair: newPair() }, signal)
      return (await authenticate(deployment, device, signal)).json['error'] === 'invalid_client'
    },
  }
}

/** Gets a key for a new device. @throws CheckEnd if no device may be enrolled */
async function issueForDevice(deployment: DeploymentUnderTest, signal: AbortSignal): Promise<IssuedKey> {
  const { devicePrefix } = deployment.settings
  if (devicePrefix === undefined)
    throw new CheckEnd(skipped('there is no test device; allow some with --device-prefix'))
  deployment.endpoint('provisioning_binding_endpoint')
  const { scope } = await deployment.sample(signal)
  const others = scope.filter((one) => !one.startsWith('provision:'))
  const subject = `${devicePrefix}${randomBytes(6).toString('hex')}`
  const form = { scope: [BIND_SCOPE, ...others].join(' '), requested_subject: subject }
  return deployment.issue({ form }, signal)
}

interface Binding {
  readonly key: IssuedKey
  /** The key pair of the device. */
  readonly pair: ProofPair
}

function bind(deployment: DeploymentUnderTest, binding: Binding, signal: AbortSignal): Promise<Exchange> {
  return present(deployment, { place: bindingPlace(deployment, binding), key: binding.key }, signal)
}

function bindingPlace(deployment: DeploymentUnderTest, { key, pair }: Binding): Place {
  const url = deployment.endpoint('provisioning_binding_endpoint')
  const claims = { aud: url, key_id: key.exchange.json['key_id'], iat: deployment.nowSeconds }
  const proof = makeToken({ header: { alg: 'ES256', typ: 'provisioning-binding+jwt' }, claims }, pair.sign)
  return {
    name: 'the endpoint bind',
    redeems: true,
    isForKeys: true,
    request: (token) => ({
      method: 'POST',
      url,
      headers: { Authorization: `${schemeOf(key.pair)} ${token}`, 'Content-Type': 'application/json' },
      text: JSON.stringify({ jwk: pair.jwk, proof }),
    }),
    isAccepted: hasNewClient,
  }
}

/** Whether the server has bound or registered a client. */
export function hasNewClient({ status, json }: Exchange): boolean {
  return status === 201 && typeof json['client_id'] === 'string'
}

/** Asks for a key as the device, with a client assertion. */
export function authenticate(
  deployment: DeploymentUnderTest,
  { clientId, pair, key, scope }: Omit<TestDevice, 'remove'>,
  signal: AbortSignal,
): Promise<Exchange> {
  const { issuer } = deployment.settings
  const claims = {
    iss: clientId,
    sub: clientId,
    aud: issuer,
    jti: randomUUID(),
    exp: deployment.nowSeconds + 60,
  }
  const form = {
    scope,
    requested_subject: clientId,
    client_assertion_type: ASSERTION_TYPE,
    client_assertion: makeToken({ header: { alg: 'ES256', typ: 'JWT' }, claims }, pair.sign),
  }
  return deployment.requestKey({ form, credentials: {}, ...(key.pair !== undefined && { pair }) }, signal)
}

/** Expects that the replay in an earlier check has deleted a client. */
export async function expectDeleted(
  deployment: DeploymentUnderTest,
  client: TestDevice,
  signal: AbortSignal,
): Promise<Finding> {
  const exchange = await authenticate(deployment, client, signal)
  if (exchange.json['error'] !== 'invalid_client')
    return deployment.failed(exchange, 'status 401 with invalid_client')
  deployment.clients.delete(client)
  return PASSED
}

function deviceOf({ device }: DeploymentUnderTest): TestDevice {
  if (device === undefined) throw new CheckEnd(skipped('no device is enrolled'))
  return device
}
