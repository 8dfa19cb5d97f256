import { parseNetwork } from '../../base/network.js'
import { isForEnrollment } from '../../clients/scopes.js'
import { clientPath, deviationIf, matchesClient, optionOf, type PolicyRule, withoutList } from './rule.js'

/** The fewest scopes of a deployment in which a client with all of them stands out. */
const MANY_SCOPES = 4

/** The rules about what tests, copies and hurry leave in a configuration, such as clients in memory. */
export const LEFTOVER_RULES = [
  {
    id: 'no-staging',
    group: 'Leftovers',
    title: 'the endpoints for staging are off',
    option: 'staging',
    why: 'The option `staging` is on, but is only for test systems.',
    fix: 'Remove the option staging. For a test system, set the rule no-staging to false in the security policy.',
    severity: 'error',
    find: ({ description: { isStaging } }) =>
      deviationIf(isStaging, 'staging', { actual: 'true', expected: 'false' }),
  },
  {
    id: 'stored-clients',
    group: 'Store',
    title: 'clients that bind or register survive a restart',
    option: 'clients',
    why: 'The option `clients` is an array, so a restart loses all clients that register and all public keys that clients bind. Each of these devices then gets 401 `invalid_client` until it enrolls again.',
    fix: 'Set clients to a registry, such as keyvClientRegistry(): see docs/guides/client-database.md in the package. If your devices enroll again after each restart, set the rule stored-clients to false in your security policy.',
    severity: 'error',
    notFor: (description) => (description.isLocal ? 'the issuer is local' : withoutList(description)),
    find: ({ description: { clients } }) =>
      deviationIf(
        clients.some(({ policy }) => policy.scopes.some(isForEnrollment)),
        'clients',
        { actual: 'an array', expected: 'a registry' },
      ),
  },
  {
    id: 'own-clock',
    group: 'Leftovers',
    title: 'the time comes from the clock of the machine',
    option: 'now',
    why: 'The option `now` replaces the clock of the machine. If the option returns a fixed time, as in a test, keys never expire.',
    fix: 'Remove the option now.',
    severity: 'warning',
    find: ({ description: { hasOwnClock } }) =>
      deviationIf(hasOwnClock, 'now', { actual: 'a function', expected: 'the clock of the machine' }),
  },
  {
    id: 'copied-secrets',
    group: 'Leftovers',
    title: 'each client has its own secret',
    clause: 'RFC 6819 5.1.4.1.4',
    option: 'clients[].secretHash',
    why: 'Two clients have the same secret, so each of them can ask for keys as the other client.',
    fix: 'Make another secret for each client, with the command npx express-provisioning-keys keygen client-secret.',
    severity: 'error',
    find: ({ description: { clients } }) =>
      clients.flatMap(({ path, sameSecretAs }) =>
        deviationIf(sameSecretAs !== undefined, clientPath(path), {
          actual: `the secret of ${sameSecretAs}`,
          expected: 'a secret of its own',
        }),
      ),
  },
  {
    id: 'open-networks',
    group: 'Leftovers',
    title: 'a list of allowed networks must not contain all addresses',
    option: 'clients[].policy.networks[]',
    why: 'A network in the list `networks` contains all IP addresses, so the list has no effect.',
    fix: 'Replace this network by the networks of the devices, or remove the option networks.',
    severity: 'error',
    find: ({ description: { clients } }) =>
      clients.flatMap((client) =>
        (client.policy.networks ?? []).flatMap((network, index) =>
          deviationIf(parseNetwork(network)?.prefix === 0, `${optionOf(client, 'networks')}[${index}]`, {
            actual: network,
            expected: 'a part of the addresses',
          }),
        ),
      ),
  },
  {
    id: 'all-scopes',
    group: 'Leftovers',
    title: 'a client must not have all scopes',
    clause: 'RFC 9700 2.3',
    option: 'clients[].policy.scopes',
    why: 'One client has all scopes that your clients have together. A thief with its secret can do everything that they can do.',
    fix: 'Remove the scopes that the client does not need, or use one client for each task.',
    severity: 'warning',
    find({ description: { clients } }) {
      const all = new Set(clients.flatMap(({ policy }) => policy.scopes))
      const hasAll = clients.filter(({ policy }) => policy.scopes.length === all.size)
      const standsOut = all.size >= MANY_SCOPES && hasAll.length < clients.length
      return (standsOut ? hasAll : []).map(({ path }) => ({
        path: `${path}.scopes`,
        actual: `all ${all.size} scopes`,
        expected: 'the scopes of one task',
      }))
    },
  },
  {
    id: 'unused-classes',
    group: 'Leftovers',
    title: 'each entry in a class of the policy matches a client',
    option: 'classes[].clients[]',
    why: 'A class (a group of clients in the security policy) contains an id or prefix that matches no client in the option `clients`.',
    fix: 'Correct this id or prefix in the security policy, or remove it.',
    severity: 'warning',
    notFor: withoutList,
    find: ({ description, classes }) =>
      classes.flatMap(({ clients }, place) =>
        clients.flatMap((entry, index) =>
          deviationIf(
            !description.clients.some((client) => matchesClient(entry, client)),
            `classes[${place}].clients[${index}]`,
            { actual: entry, expected: 'the id of a client, or a prefix of it with *' },
          ),
        ),
      ),
  },
] as const satisfies readonly PolicyRule[]
