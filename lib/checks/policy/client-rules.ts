import { isNetworkWithin } from '../../base/network.js'
import { REGISTER_SCOPE } from '../../clients/scopes.js'
import { beyond, clientPath, deviationIf, optionOf, type PolicyRule } from './rule.js'

const DAY_MILLISECONDS = 86_400_000

/** The rules about each client. A class of clients can have its own settings. */
export const CLIENT_RULES = [
  {
    id: 'key-lifetime',
    group: 'Lifetimes',
    title: 'a provisioning key expires after some minutes',
    clause: 'RFC 6750 5.3',
    option: 'clients[].policy.maxLifetimeSeconds',
    why: 'A key can live for longer than the security policy allows, so a thief has more time to use a stolen key.',
    fix: 'Set maxLifetimeSeconds to the longest time that may pass between the issue and the use of a key.',
    severity: 'error',
    parameters: { maxSeconds: 900 },
    findIn: (client, { maxSeconds }) =>
      beyond(optionOf(client, 'maxLifetimeSeconds'), [client.policy.maxLifetimeSeconds, maxSeconds], ' s'),
  },
  {
    id: 'access-token-lifetime',
    group: 'Lifetimes',
    title: 'an access token expires after some minutes',
    clause: 'RFC 6750 5.3',
    option: 'clients[].policy.accessTokenLifetimeSeconds',
    why: 'An access token can live for longer than the security policy allows.',
    fix: 'Set a shorter accessTokenLifetimeSeconds. A client can ask for a new provisioning key, and exchange it for a new access token.',
    severity: 'error',
    parameters: { maxSeconds: 900 },
    findIn: (client, { maxSeconds }) =>
      beyond(
        optionOf(client, 'accessTokenLifetimeSeconds'),
        [client.policy.accessTokenLifetimeSeconds, maxSeconds],
        ' s',
      ),
  },
  {
    id: 'lease-within-lifetime',
    group: 'Lifetimes',
    title: 'the owner of a key can repeat an interrupted redemption before the key expires',
    option: 'redemptionLeaseSeconds',
    why: 'If a redemption is interrupted, for example because the process dies, the key stays reserved until it expires. So its owner cannot repeat the redemption.',
    fix: 'Set a shorter redemptionLeaseSeconds, which must be longer than your slowest handler needs. Or set a longer lifetimeSeconds in the policy of the client.',
    severity: 'warning',
    findIn: ({ policy }, _, { description }) =>
      beyond('redemptionLeaseSeconds', [description.redemptionLeaseSeconds, policy.lifetimeSeconds], ' s'),
  },
  {
    id: 'least-scope',
    group: 'Scopes',
    title: 'each client has its own short list of scopes',
    clause: 'RFC 9700 2.3',
    option: 'clients[].policy.scopes',
    why: 'The policy of a client has no list `scopes`, so the client has all scopes of the policy for all clients. Or the client has more scopes than the security policy allows.',
    fix: 'In the policy of each client, list in scopes only what this client needs.',
    severity: 'warning',
    parameters: { most: 12 },
    findIn: ({ path, policy, namesScopes }, { most }, { description }) => [
      ...beyond(`${path}.scopes`, [policy.scopes.length, most]),
      ...deviationIf(!namesScopes && description.clients.length > 1, `${path}.scopes`, {
        actual: 'all scopes of the deployment',
        expected: 'a list of its own',
      }),
    ],
  },
  {
    id: 'allowed-scopes',
    group: 'Scopes',
    title: 'a client has only scopes that its class of clients may have',
    clause: 'RFC 9700 2.3',
    option: 'clients[].policy.scopes',
    why: 'A client has a scope that is not in the list `allowed`. Each class (group) of clients in the security policy can have its own list.',
    fix: 'Remove the scope from the policy of the client, or add the scope to the list allowed in the security policy.',
    severity: 'off',
    parameters: { allowed: [] },
    findIn: ({ path, policy }, { allowed }) => {
      const others = policy.scopes.filter((scope) => !allowed.includes(scope))
      const expected = allowed.length === 0 ? 'no scope' : allowed.join(' ')
      return deviationIf(others.length > 0, `${path}.scopes`, { actual: others.join(' '), expected })
    },
  },
  {
    id: 'single-audience',
    group: 'Scopes',
    title: 'a client can get keys for only one API',
    clause: 'RFC 9700 2.3',
    option: 'clients[].policy.audiences',
    why: 'A client may ask for keys for more APIs than the security policy allows. If a thief steals its secret, the thief can use all of these APIs.',
    fix: 'In the policy of the client, set audiences to a list with only the API that the client uses.',
    severity: 'warning',
    parameters: { most: 1 },
    findIn: ({ path, policy }, { most }) => beyond(`${path}.audiences`, [policy.audiences.length, most]),
  },
  {
    id: 'sender-constraint',
    group: 'Possession',
    title: 'keys are bound to a key pair or a certificate of the client',
    clause: 'RFC 9700 2.2.1',
    option: 'clients[].policy.senderConstraint',
    why: 'The client can get keys that are not bound. Anybody with a copy of such a key can use it.',
    fix: "Set senderConstraint: 'dpop' or 'mtls' in the policy of the client. A thief cannot use a copy of a bound key.",
    severity: 'warning',
    parameters: { allowed: ['dpop', 'mtls'] },
    findIn: (client, { allowed }) =>
      deviationIf(!allowed.includes(client.policy.senderConstraint), optionOf(client, 'senderConstraint'), {
        actual: client.policy.senderConstraint,
        expected: allowed.join(' or '),
      }),
  },
  {
    id: 'client-authentication',
    group: 'Possession',
    title: 'clients authenticate with a private key and not with a secret',
    clause: 'RFC 9700 2.5',
    option: 'clients[].authenticationMethods',
    why: 'The client can authenticate with a shared secret, which can leak from more places than a private key that never leaves the client.',
    fix: 'In the entry of the client, replace the secret by public keys (jwks) or a certificate. In authenticationMethods, list only methods that the security policy allows.',
    severity: 'off',
    parameters: { allowed: ['private_key_jwt', 'tls_client_auth', 'self_signed_tls_client_auth'] },
    findIn: ({ path, authenticationMethods }, { allowed }) => {
      const others = authenticationMethods.filter((method) => !allowed.includes(method))
      return deviationIf(others.length > 0, `${clientPath(path)}.authenticationMethods`, {
        actual: others.join(' '),
        expected: allowed.join(' or '),
      })
    },
  },
  {
    id: 'networks',
    group: 'Networks',
    title: 'keys work only from known networks',
    option: 'clients[].policy.networks',
    why: 'Keys of the client work from all networks, or from a network outside the list `within` of the security policy.',
    fix: "In the policy of the client, set networks to the networks of its devices, such as ['10.0.0.0/8'].",
    severity: 'off',
    parameters: { within: [] },
    findIn: (client, { within }) => {
      const path = optionOf(client, 'networks')
      const { networks } = client.policy
      if (networks === undefined)
        return [{ path, actual: 'all networks', expected: within.join(', ') || 'a list' }]
      const outside = networks.filter(
        (one) => within.length > 0 && !within.some((wide) => isNetworkWithin(one, wide)),
      )
      return deviationIf(outside.length > 0, path, {
        actual: outside.join(', '),
        expected: `networks within ${within.join(', ')}`,
      })
    },
  },
  {
    id: 'outstanding-keys',
    group: 'Limits',
    title: 'a client has a limited number of unused keys',
    option: 'clients[].policy.outstandingKeys',
    why: 'The client can have more unused keys than the security policy allows, so a thief with its secret can collect many keys.',
    fix: 'Set outstandingKeys to the number of unused keys that a client needs at the same time.',
    severity: 'warning',
    parameters: { most: 1000 },
    findIn: (client, { most }) =>
      beyond(optionOf(client, 'outstandingKeys'), [client.policy.outstandingKeys, most]),
  },
  {
    id: 'replay-containment',
    group: 'Limits',
    title: 'a second use of a key (a replay) revokes everything that the key was redeemed for',
    option: 'clients[].policy.onReplay',
    why: "With `onReplay: 'flag'`, a client or binding that a thief may have made with a stolen key stays valid until an operator revokes it.",
    fix: "Set onReplay: 'revoke', which is the default.",
    severity: 'warning',
    findIn: (client) =>
      deviationIf(client.policy.onReplay !== 'revoke', optionOf(client, 'onReplay'), {
        actual: client.policy.onReplay,
        expected: 'revoke',
      }),
  },
  {
    id: 'checked-registration',
    group: 'Limits',
    title: 'a registration needs a software statement or a registration policy',
    clause: 'RFC 7591 5',
    option: 'clients[].policy.requireSoftwareStatement',
    why: 'The policy of the client demands neither a software statement (a signed description of the software) nor a registration policy (your function that checks a registration). Anybody with a key of the client can register a new client with any metadata.',
    fix: 'In the policy of the client, set requireSoftwareStatement: true, or list the name of a registration policy in registrationPolicies.',
    severity: 'warning',
    findIn: (client) =>
      deviationIf(
        client.policy.scopes.includes(REGISTER_SCOPE) &&
          !client.policy.requireSoftwareStatement &&
          client.policy.registrationPolicies.length === 0,
        optionOf(client, 'requireSoftwareStatement'),
        {
          actual: 'clients can register with any metadata',
          expected: 'a software statement or a registration policy',
        },
      ),
  },
  {
    id: 'hashed-secrets',
    group: 'Secrets',
    title: 'the configuration contains hashes and not secrets',
    clause: 'RFC 6819 5.1.4.1.3',
    option: 'clients[].clientSecret',
    why: 'The configuration contains the secret of a client, but the server needs only its hash.',
    fix: 'Set secretHash instead of clientSecret. The command npx express-provisioning-keys keygen client-secret makes a secret and its hash.',
    severity: 'warning',
    findIn: ({ path, secret }) =>
      deviationIf(secret === 'plain', `${clientPath(path)}.clientSecret`, {
        actual: 'a secret',
        expected: 'a secretHash',
      }),
  },
  {
    id: 'secret-expiry',
    group: 'Secrets',
    title: 'the secrets of clients expire',
    option: 'clients[].secretExpiresAt',
    why: 'The secret of the client does not expire, or expires later than the security policy allows.',
    fix: 'Set secretExpiresAt to the time when the secret must expire, and give the client a new secret before this time.',
    severity: 'off',
    parameters: { maxDays: 365 },
    findIn: ({ path, secret, secretExpiresAt }, { maxDays }, { now }) => {
      const latest = (now + maxDays * DAY_MILLISECONDS) / 1000
      return deviationIf(
        secret !== 'none' && (secretExpiresAt === undefined || secretExpiresAt > latest),
        `${clientPath(path)}.secretExpiresAt`,
        {
          actual: secretExpiresAt === undefined ? 'never' : new Date(secretExpiresAt * 1000).toISOString(),
          expected: `within ${maxDays} days`,
        },
      )
    },
  },
] as const satisfies readonly PolicyRule[]
