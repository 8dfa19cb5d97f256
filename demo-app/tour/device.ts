import { randomBytes } from 'node:crypto'
import {
  boundKey,
  exchangeOf,
  getWith,
  keyRequest,
  postForm,
  postWith,
  REFUSED,
  withAssertion,
  withProof,
} from '../requests/calls'
import { type KeyPair, newKeyPair } from '../requests/key-pair'
import type { Exchange, Step } from '../requests/step'

const SCOPE = 'provision:token config:read'
const BOUND_KEY = 'provisioning key 6'
const NEXT_KEY = 'provisioning key 7'
const TOKEN = 'access token of the device'

/** A device uses its own key pair instead of a secret, and a thief cannot use its key. */
export function deviceSteps(): readonly Step[] {
  const device = newKeyPair('the device')
  const clientId = `device:${randomBytes(3).toString('hex')}`
  return [
    keyStepFor(device, clientId),
    theftStep(newKeyPair('the thief')),
    bindStep(device, clientId),
    ...tokenSteps(device, clientId),
    listStep(device, clientId),
    unbindStep(device, clientId),
  ]
}

function keyStepFor(device: KeyPair, clientId: string): Step {
  return boundKey(device, {
    title: 'Get a key that only one device can use (DPoP, RFC 9449)',
    name: BOUND_KEY,
    form: () => ({ scope: `provision:bind ${SCOPE}`, requested_subject: clientId }),
    explanation:
      'The device created a key pair and signed a DPoP proof, which the client sent along. Now only the ' +
      'device can use the key; even the client cannot. The client may request keys for device:*, because its ' +
      'policy says so.',
  })
}

function theftStep(thief: KeyPair): Step {
  const bind = postWith('/oauth/bind', BOUND_KEY)
  return {
    title: 'A thief copies the key and tries to bind another key pair',
    call: withProof(thief, bind),
    ...REFUSED,
    next: [{ call: bind, ...REFUSED }],
    explanation:
      'The proof is signed with another key pair, so the server rejects it. It also rejects the key without a ' +
      'proof. These attempts do not use up the key.',
  }
}

function bindStep(device: KeyPair, clientId: string): Step {
  return {
    title: 'Bind the key pair to the device',
    call: withProof(device, postWith('/oauth/bind', BOUND_KEY)),
    status: 201,
    members: { client_id: clientId, cnf: { jkt: device.thumbprint } },
    values: { binding_id: 'binding' },
    event: 'client.bound',
    explanation:
      'From now on, the device is a client. The server knows it by its public key: cnf.jkt is the thumbprint. ' +
      'The device has no secret that could get lost or stolen.',
  }
}

function tokenSteps(device: KeyPair, clientId: string): readonly Step[] {
  return [
    {
      title: 'The device requests its next key itself (private_key_jwt, RFC 7523)',
      call: withProof(device, withAssertion(device, clientId, nextKey)),
      status: 200,
      members: { token_type: 'DPoP', scope: SCOPE },
      secrets: { access_token: NEXT_KEY },
      event: 'key.issued',
      explanation:
        'The assertion is a JWT, signed with the key pair of the device. It authenticates the device once, and ' +
        'only at this server.',
    },
    {
      title: 'Exchange it for an access token, which is also bound to the key pair',
      call: withProof(device, exchangeOf(NEXT_KEY)),
      status: 200,
      members: { token_type: 'DPoP', scope: 'config:read' },
      secrets: { access_token: TOKEN },
      event: 'token.issued',
      explanation: 'The token type is DPoP: like the key, the token works only with a proof of possession.',
    },
    {
      title: 'Call the API with a proof, then without one',
      call: withProof(device, getWith('/api/device-config', TOKEN)),
      status: 200,
      members: { device: clientId },
      event: 'token.verified',
      next: [{ call: getWith('/api/device-config', TOKEN), ...REFUSED }],
      explanation:
        'requireAccessToken() requires a new proof for each call. If somebody copies the token from a log, it ' +
        'is useless.',
    },
  ]
}

const nextKey = keyRequest(() => ({ scope: SCOPE }))

function listStep(device: KeyPair, clientId: string): Step {
  const list = postForm('/oauth/bindings', () => ({}))
  return {
    title: 'List the bindings of the device',
    call: withAssertion(device, clientId, list),
    status: 200,
    explanation: 'The device has one binding: its public key. A list contains no secrets.',
  }
}

function unbindStep(device: KeyPair, clientId: string): Step {
  const revocation: Exchange = {
    call: withAssertion(
      device,
      clientId,
      postForm('/oauth/bindings/revoke', (_, memory) => ({ binding_id: memory.recall('binding') })),
    ),
    status: 200,
    event: 'client.unbound',
  }
  const lastTry: Exchange = {
    call: withAssertion(device, clientId, nextKey),
    status: 401,
    members: { error: 'invalid_client' },
    event: 'request.refused',
  }
  return {
    ...revocation,
    title: 'Revoke the binding, and try to authenticate',
    next: [lastTry],
    explanation:
      'The device still has its private key, but it cannot authenticate, so it gets no more keys. The keys ' +
      'and tokens that it already has expire within minutes.',
  }
}
