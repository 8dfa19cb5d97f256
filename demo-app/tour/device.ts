import { randomBytes } from 'node:crypto'
import { assertedBy, exchangeOf, getWith, keyRequest, keyStep, postForm, postWith, provenBy } from './calls'
import { type Holder, holder } from './holder'
import type { Exchange, Step } from './step'

const SCOPE = 'provision:token config:read'
const BOUND_KEY = 'provisioning key 4'
const NEXT_KEY = 'provisioning key 5'
const TOKEN = 'access token of the device'

/** How a device gets in by a key pair of its own, what a thief can do about it, and how it gets by without a secret. */
export function deviceSteps(): readonly Step[] {
  const device = holder('the device')
  const clientId = `device:${randomBytes(3).toString('hex')}`
  return [
    keyStepFor(device, clientId),
    theftStep(holder('the thief')),
    bindStep(device, clientId),
    ...tokenSteps(device, clientId),
    unbindStep(device, clientId),
  ]
}

function keyStepFor(device: Holder, clientId: string): Step {
  const step = keyStep({
    title: 'Get a key that one device alone can use (DPoP, RFC 9449)',
    name: BOUND_KEY,
    form: () => ({ scope: `provision:bind ${SCOPE}`, requested_subject: clientId }),
    meaning:
      'The device made a key pair and signed a proof, which the client sent along. So the key is worth nothing to ' +
      'anybody but the device, not even to the client. Policy lets the client ask for keys for device:*.',
  })
  return { ...step, call: provenBy(device, step.call), members: { token_type: 'DPoP' } }
}

/** What is refused to whoever presents something without proving possession. */
const UNPROVEN = { status: 401, members: { error: 'invalid_token' }, event: 'request.refused' } as const

function theftStep(thief: Holder): Step {
  const bind = postWith('/oauth/bind', BOUND_KEY)
  return {
    title: 'A thief has copied the key, and tries to bind a key pair of his own',
    call: provenBy(thief, bind),
    ...UNPROVEN,
    isBrief: true,
    next: [{ call: bind, ...UNPROVEN }],
    meaning:
      'His proof is not by the key pair of the device, and without a proof the key is not taken. Nothing is spent by ' +
      'that: the key is good as before.',
  }
}

function bindStep(device: Holder, clientId: string): Step {
  return {
    title: 'Bind the key pair to the device',
    call: provenBy(device, postWith('/oauth/bind', BOUND_KEY)),
    status: 201,
    members: { client_id: clientId, cnf: { jkt: device.thumbprint } },
    notes: { binding_id: 'binding' },
    event: 'client.bound',
    meaning:
      'The device is a client from now on, known by its public key: cnf.jkt is the thumbprint. It has no secret, so ' +
      'there is none to hand out, to store or to lose.',
  }
}

function tokenSteps(device: Holder, clientId: string): readonly Step[] {
  return [
    {
      title: 'The device asks for its next key itself (private_key_jwt, RFC 7523)',
      call: provenBy(device, assertedBy(device, clientId, nextKey)),
      status: 200,
      members: { token_type: 'DPoP', scope: SCOPE },
      secrets: { access_token: NEXT_KEY },
      event: 'key.issued',
      meaning:
        'The assertion, a JWT signed with the bound key pair, says who is asking: once, and to this server alone.',
    },
    {
      title: 'Exchange it for an access token that is bound as well',
      call: provenBy(device, exchangeOf(NEXT_KEY)),
      status: 200,
      members: { token_type: 'DPoP', scope: 'config:read' },
      secrets: { access_token: TOKEN },
      event: 'token.issued',
      meaning: 'Its type is DPoP: whoever presents it has to prove possession, as with the key.',
    },
    {
      title: 'Call the API with it, then without the proof',
      call: provenBy(device, getWith('/api/device-config', TOKEN)),
      status: 200,
      members: { device: clientId },
      event: 'token.verified',
      next: [{ call: getWith('/api/device-config', TOKEN), ...UNPROVEN }],
      meaning: 'Copied from a log, it opens nothing: requireAccessToken() wants a new proof with each call.',
    },
  ]
}

const nextKey = keyRequest(() => ({ scope: SCOPE }))

function unbindStep(device: Holder, clientId: string): Step {
  const revocation: Exchange = {
    call: assertedBy(
      device,
      clientId,
      postForm('/oauth/bindings/revoke', (_, memory) => ({ binding_id: memory.recall('binding') })),
    ),
    status: 200,
    event: 'client.unbound',
  }
  const lastTry: Exchange = {
    call: assertedBy(device, clientId, nextKey),
    status: 401,
    members: { error: 'invalid_client' },
    event: 'request.refused',
  }
  return {
    title: 'List what is bound, revoke it, and authenticate once more',
    call: assertedBy(
      device,
      clientId,
      postForm('/oauth/bindings', () => ({})),
    ),
    status: 200,
    next: [revocation, lastTry],
    meaning:
      'The device has its private key still, but is nobody: it gets no more keys. What it was given before ends with ' +
      'its lifetime, in minutes.',
  }
}
