import { memberOf, rule } from './rule.js'

export const replayedKey = rule({
  id: 'replayed_key',
  version: 1,
  title: 'A redeemed key was used again',
  severity: 'high',
  evidence: 'bound',
  techniques: ['T1528', 'T1550.001'],
  signal: { events: ['key.replayed'], by: 'client' },
  falsePositives:
    'A client has redeemed a bearer key, has not received the answer, and sends the same request again.',
  runbook: [
    'In your log, find the events key.redeemed and key.replayed with the keyId of the key. If the action in key.redeemed is route, the server has undone nothing: undo what your route did with the key.',
    'If family.fate in key.replayed is flagged or unreached, the client or the binding that the key gave still works: call revokeFamily (button "Revoke everything it gave" in the view of the key). Otherwise, and if the event has no family.fate, the server has revoked everything that it gave for the key.',
    'Compare the address and the user agent of the finding with those of the event key.redeemed of the same key.',
    'If they differ, somebody has copied the key: find out where it was stored or logged. After this, issue a new key for the device or client. If a device uses the client of this library, delete its saved state first. Otherwise it does not read the new key.',
    'If they are the same, the client itself has probably repeated its request. Let the client use DPoP: with DPoP, a client can repeat a request safely.',
  ],
})

/** A client may be late by the skew of its clock and the time of its retries. */
const LATE_SECONDS = 120

export const deadKey = rule({
  id: 'dead_key',
  version: 1,
  title: 'An expired or revoked key was used',
  severity: 'warning',
  evidence: 'bound',
  techniques: ['T1528'],
  signal: {
    events: ['request.refused'],
    reasons: ['key_expired', 'key_revoked'],
    condition: `the key was revoked, or it expired more than ${LATE_SECONDS} seconds ago`,
    by: 'client',
  },
  threshold: { count: 3, seconds: 3600 },
  falsePositives:
    'A script or a service has an old key in its configuration, and sends this key at each start. Or the clock of one of your processes is ahead, and this process refuses new keys as expired.',
  runbook: [
    'Look at the addresses in the finding. If an address belongs to one of your machines, a program on this machine probably has an old key in its configuration: remove this key.',
    'If an address does not belong to one of your machines, old keys have leaked, for example with a log or a disk image. Find the source of the leak.',
    'Nobody can use the old keys, but check whether the same log or disk image also contains valid secrets.',
  ],
  where(event) {
    const expiresAt = memberOf(event, 'expiresAt')
    const isExpired = memberOf(event, 'reason') === 'key_expired'
    return (
      !isExpired || (typeof expiresAt === 'number' && event.at.getTime() / 1000 - expiresAt > LATE_SECONDS)
    )
  },
})

export const cleartextExposure = rule({
  id: 'cleartext_exposure',
  version: 1,
  title: 'A genuine key or token came over plain HTTP',
  severity: 'high',
  evidence: 'bound',
  techniques: ['T1040', 'T1528'],
  signal: { events: ['key.exposed', 'token.exposed', 'registration.exposed'], by: 'client' },
  falsePositives:
    'None. Everybody who can read the traffic has the key. The usual cause is a client with a wrong URL.',
  runbook: [
    'If the key or token is not bound, the server has revoked it. A bound key or token is useless to a thief without the private key.',
    'Correct the URL of the client: it must begin with https.',
    'Close the plain HTTP port, or let your proxy refuse plain HTTP requests. The proxy must not redirect them: with a redirect, nobody notices the wrong URL.',
  ],
})

export const forgedKey = rule({
  id: 'forged_key',
  version: 1,
  title: 'A token has a valid signature, but the server never issued this token',
  severity: 'high',
  evidence: 'unbound',
  techniques: ['T1552.004', 'T1606.001'],
  signal: {
    events: ['key.forged', 'token.forged', 'request.refused'],
    reasons: ['key_unknown', 'token_unknown'],
    by: 'deployment',
  },
  falsePositives:
    'A second deployment uses the same signing key, for example staging with the signing key of production. Or the store has lost its data, so it does not know genuine keys.',
  runbook: [
    'The server has refused the token. Check whether the store has lost data. If so, the token may be genuine, and no signing key has leaked. But the store has also lost all locks: find them in the events client.locked, and lock these clients again.',
    'If the store has lost no data, somebody else has one of your signing keys, or two deployments share a signing key. In both cases, do the steps of the section "A stolen signing key" in docs/operations/key-rotation.md, with your emergency routes (docs/operations/emergency.md).',
    'Find out where the signing key was stored, and who could read it.',
  ],
})

export const wrongProofKey = rule({
  id: 'wrong_proof_key',
  version: 1,
  title: 'A bound key came without a proof of the private key that it is bound to',
  severity: 'high',
  evidence: 'bound',
  techniques: ['T1528', 'T1550.001'],
  signal: { events: ['request.refused'], reasons: ['possession_unproven'], by: 'client' },
  threshold: { count: 2, seconds: 3600 },
  falsePositives:
    'The client makes a new DPoP key pair at each start, but keeps the provisioning key from before the restart.',
  runbook: [
    'The server has refused the request, but somebody may have a copy of the key. Compare the address and the user agent of the finding with those of the event key.issued of the same key.',
    'If they differ, revoke the key with revokeKey (button "Revoke key" in the view of the key), and find out where somebody copied it.',
    'If they are the same, change the client: it must save its DPoP key pair together with the provisioning key.',
  ],
})

export const wrongPlace = rule({
  id: 'wrong_place',
  version: 1,
  title: 'A genuine key came to the wrong audience or environment, or from the wrong network',
  severity: 'warning',
  evidence: 'bound',
  techniques: ['T1528', 'T1550.001'],
  signal: {
    events: ['request.refused'],
    reasons: ['audience_wrong', 'environment_wrong', 'network_wrong'],
    by: 'client',
  },
  threshold: { count: 3, seconds: 3600 },
  falsePositives:
    'A client has the configuration of staging, and sends its requests to production, or the reverse. Or your processes have different configurations, for example while you restart them with a new audience.',
  runbook: [
    'In the events request.refused, the member detail names the wrong audience, network or environment (the option `environment`).',
    'If the address in the finding belongs to one of your clients, correct the configuration of this client.',
    'If not, somebody tries to find out where a stolen key works: call revokeAllIssuedBefore (button "Revoke all keys" in the view of the client), which revokes all keys and access tokens of the client.',
  ],
})

export const networkChanged = rule({
  id: 'network_changed',
  version: 1,
  title: 'A key came from a network and a program that did not ask for it',
  severity: 'warning',
  evidence: 'bound',
  techniques: ['T1528', 'T1550.001'],
  signal: {
    events: ['key.moved'],
    condition:
      'the request with the key has another network and another user agent than the request that asked for the key. The rule counts only keys that a client asked for in its own name',
    by: 'client',
  },
  falsePositives:
    'A program asks for keys for its devices, and the program and the devices are on different networks.',
  runbook: [
    'Check whether the client normally uses the addresses and the user agents in the events key.issued and key.moved of the key.',
    'If the client gives its keys to other machines, change the client: it must ask for one key for each machine, with the id of the machine in requested_subject.',
    'If the client never uses these addresses or user agents, somebody else may have the key. Revoke an unused key with revokeKey (button "Revoke key" in the view of the key), and the results of a redeemed key with revokeFamily (button "Revoke everything it gave").',
  ],
  where: (event) =>
    memberOf(event, 'agentChanged') === true && memberOf(event, 'subject') === memberOf(event, 'clientId'),
})

export const manyNetworks = rule({
  id: 'many_networks',
  version: 1,
  title: 'One key was presented from several networks',
  severity: 'high',
  evidence: 'bound',
  techniques: ['T1528', 'T1550.001'],
  signal: {
    events: ['key.moved'],
    condition: 'at least three networks have used the same key',
    by: 'client',
  },
  falsePositives: 'A mobile device changes networks within minutes.',
  runbook: [
    'Several programs have the key. If the member actions of the finding contains revokeKey, the server has already revoked the key. Otherwise, call revokeKey (button "Revoke key" in the view of the key). If the result is `redeemed`, call revokeFamily (button "Revoke everything it gave").',
    'Issue a new key for the device or client. If a device has redeemed the old key with the client of this library, delete its saved state first. Otherwise it does not read the new key.',
    'Look for the place where the key was published: a log, a ticket, a chat, a repository.',
  ],
  responses: ['revokeKey'],
  where: (event) => Number(memberOf(event, 'networkCount')) >= 3,
})

export const leakedKey = rule({
  id: 'leaked_key',
  version: 1,
  title: 'Somebody has found and reported a key',
  severity: 'high',
  evidence: 'bound',
  techniques: ['T1552'],
  signal: { events: ['key.leaked', 'token.leaked', 'registration.leaked'], by: 'client' },
  falsePositives: 'None. Somebody who reports a key has a copy of this key.',
  runbook: [
    'If `revoked` or `tokenRevoked` in the event is true, the server has revoked the key or token. Otherwise, do the steps of the section "When you get the event" in the page about leaked keys.',
    'Find out where the person or program that reported the key or token has found it.',
    'Remove the key or token from the place where it was found, and look there for other secrets.',
  ],
})
