import { parseNetwork } from '../../base/network.js'
import { beyond, deviationIf, type PolicyRule, withoutRedis } from './rule.js'
import { secretsIn } from './source-secrets.js'

const DAY_SECONDS = 86_400
/** The widest networks that are usually those of one organization. */
const WIDEST_PREFIX = { ipv4: 16, ipv6: 32 } as const

/** The rules about the deployment as a whole. */
export const DEPLOYMENT_RULES = [
  {
    id: 'https-only',
    group: 'TLS',
    title: 'the issuer is an https URL',
    clause: 'RFC 9700 2.6, RFC 8414 2',
    option: 'issuer',
    why: 'The issuer is an http URL, so keys and secrets go over the network in clear text.',
    fix: 'Set the option issuer to the public https URL of your server.',
    severity: 'error',
    find: ({ description: { isLocal, issuer } }) =>
      deviationIf(isLocal, 'issuer', { actual: issuer, expected: 'an https URL' }),
  },
  {
    id: 'named-environment',
    group: 'TLS',
    title: 'keys of another environment are refused',
    option: 'environment',
    why: 'The option `environment` is not set. If staging and production have the same issuer, audience and signing key, production accepts the provisioning keys of staging.',
    fix: 'Set the option environment to the name of this environment, such as production.',
    severity: 'warning',
    find: ({ description: { environment } }) =>
      deviationIf(environment === undefined, 'environment', { actual: 'no name', expected: 'a name' }),
  },
  {
    id: 'signing-algorithm',
    group: 'Signing keys',
    title: 'keys are signed with an asymmetric algorithm',
    clause: 'RFC 8725 3.2',
    option: 'signingKeys[]',
    why: 'A signing key has an algorithm that the security policy does not allow, such as HS256: a process that can verify keys with HS256 can also make keys.',
    fix: 'Make a signing key for ES256 with npx express-provisioning-keys keygen signing-key.',
    severity: 'error',
    parameters: { allowed: ['ES256', 'ES384', 'ES512', 'RS256', 'PS256'] },
    find: ({ description: { signingKeys } }, { allowed }) =>
      signingKeys.flatMap(({ alg }, index) =>
        deviationIf(!allowed.includes(alg), `signingKeys[${index}]`, {
          actual: alg,
          expected: allowed.join(' or '),
        }),
      ),
  },
  {
    id: 'signing-key-age',
    group: 'Signing keys',
    title: 'the signing key is changed regularly',
    option: 'signingKeys[0]',
    why: 'The signing key is older than the security policy allows. The rule reads its age from the member `iat` of the JWK, which the command `keygen` writes. The age of a PEM is unknown.',
    fix: 'Make a new signing key with npx express-provisioning-keys keygen signing-key, and replace the old one: see docs/operations/key-rotation.md in the package.',
    severity: 'warning',
    parameters: { maxDays: 90, mustBeKnown: false },
    find: ({ description: { signingKeys }, now }, { maxDays, mustBeKnown }) => {
      const [signing] = signingKeys
      if (signing === undefined) return []
      const { createdAt } = signing
      const expected = `at most ${maxDays} days`
      if (createdAt === undefined)
        return deviationIf(mustBeKnown, 'signingKeys[0]', { actual: 'an unknown age', expected })
      const days = Math.floor((now / 1000 - createdAt) / DAY_SECONDS)
      return deviationIf(days > maxDays, 'signingKeys[0]', { actual: `${days} days`, expected })
    },
  },
  {
    id: 'shared-store',
    group: 'Store',
    title: 'all processes share one store',
    option: 'store',
    why: 'The store is `memoryStore()`, which forgets all keys when the process ends. Several processes cannot share it.',
    fix: 'Set store to redisStore(), which keeps the keys when the app restarts. All processes can share this store.',
    severity: 'warning',
    find: ({ description: { store } }) =>
      deviationIf(store.kind === 'memory', 'store', { actual: 'memoryStore()', expected: 'a shared store' }),
  },
  {
    id: 'store-hazards',
    group: 'Store',
    title: 'Redis does not save data to disk, and does not evict data',
    option: 'store.accept',
    why: 'The option `accept` of `redisStore()` contains a hazard (a dangerous setting of Redis). With `persistence`, redeemed keys can become valid again when Redis restarts. With `eviction`, used proofs can become valid again when Redis is full. With `unchecked`, nobody has checked the settings.',
    fix: 'In Redis, set save "", appendonly no and maxmemory-policy noeviction. After this, remove persistence and eviction from the option accept. If your Redis forbids the command CONFIG, add unchecked to the parameter allowed.',
    severity: 'error',
    parameters: { allowed: [] },
    notFor: withoutRedis,
    find: ({ description: { store } }, { allowed }) => {
      const others = store.accepted.filter((hazard) => !allowed.includes(hazard))
      return deviationIf(others.length > 0, 'store.accept', {
        actual: others.join(', '),
        expected: 'no hazard',
      })
    },
  },
  {
    id: 'rate-limits',
    group: 'Limits',
    title: 'each endpoint has a rate limit',
    option: 'rateLimit',
    why: 'An endpoint has no rate limit, or a higher limit than the security policy allows. So an attacker can guess many secrets, or overload the server.',
    fix: 'In the option rateLimit, replace the value of this endpoint (false or a high limit) by a lower limit, such as token: { limit: 300 }.',
    severity: 'error',
    parameters: { most: 600 },
    find: ({ description: { rateLimits } }, { most }) =>
      Object.entries(rateLimits).flatMap(([endpoint, limit]) => {
        const path = `rateLimit.${endpoint}`
        if (limit === 'none') return [{ path, actual: 'no limit', expected: `at most ${most} a minute` }]
        return limit === 'custom' ? [] : beyond(path, [limit, most], ' a minute')
      }),
  },
  {
    id: 'shared-rate-limits',
    group: 'Limits',
    title: 'processes that share a store also share their rate limits',
    option: 'rateLimit.store',
    why: 'Several processes can share the keys in Redis, but each process counts only its own requests. With three processes, a client can send three times as many requests as the rate limit says.',
    fix: 'Set rateLimit.store to a function that makes a store in Redis: see docs/guides/several-processes.md in the package.',
    severity: 'warning',
    notFor: withoutRedis,
    find: ({ description: { isRateLimitShared } }) =>
      deviationIf(!isRateLimitShared, 'rateLimit.store', {
        actual: 'each process counts alone',
        expected: 'a shared store',
      }),
  },
  {
    id: 'proof-age',
    group: 'Possession',
    title: 'DPoP proofs are valid only for a short time',
    clause: 'RFC 9449 11.1',
    option: 'dpop.proofAgeSeconds',
    why: 'The server accepts a DPoP proof for longer than the security policy allows. A thief can use a stolen proof during this time.',
    fix: 'Set a smaller dpop.proofAgeSeconds. The default is 60.',
    severity: 'warning',
    parameters: { maxSeconds: 60 },
    find: ({ description }, { maxSeconds }) =>
      beyond('dpop.proofAgeSeconds', [description.proofAgeSeconds, maxSeconds], ' s'),
  },
  {
    id: 'dpop-nonce',
    group: 'Possession',
    title: 'DPoP proofs have a nonce of the server',
    clause: 'RFC 9449 8',
    option: 'dpop.nonceSecret',
    why: 'The server demands no nonce (a value that the server sends) in DPoP proofs. So somebody with access to a device for a moment can make proofs, and use them later.',
    fix: 'Set dpop.nonceSecret to a random secret that all processes share. Generate it with openssl rand -hex 32.',
    severity: 'off',
    find: ({ description: { hasNonces } }) =>
      deviationIf(!hasNonces, 'dpop.nonceSecret', { actual: 'no nonce', expected: 'a nonce' }),
  },
  {
    id: 'clock-tolerance',
    group: 'Lifetimes',
    title: 'the server tolerates only some seconds between clocks',
    clause: 'RFC 7519 4.1.4',
    option: 'clockToleranceSeconds',
    why: 'The option `clockToleranceSeconds` is higher than the security policy allows. The server accepts an expired key for this time.',
    fix: 'Synchronize the clocks with NTP, and set a smaller clockToleranceSeconds.',
    severity: 'warning',
    parameters: { maxSeconds: 30 },
    find: ({ description }, { maxSeconds }) =>
      beyond('clockToleranceSeconds', [description.clockToleranceSeconds, maxSeconds], ' s'),
  },
  {
    id: 'observer',
    group: 'Monitoring',
    title: 'the configuration sends the events to an observer or an audit log',
    option: 'observer',
    why: 'The configuration has neither the option `observer` nor `audit`. The rule cannot see observers that you add with `keys.on()`.',
    fix: 'Set the option observer or audit. If you only use keys.on(), set the rule observer to false in your security policy.',
    severity: 'error',
    find: ({ description: { hasObserver, audit } }) =>
      deviationIf(!hasObserver && audit === 'none', 'observer', { actual: 'none', expected: 'an observer' }),
  },
  {
    id: 'audit-log',
    group: 'Monitoring',
    title: 'the server issues and redeems keys only if the audit log accepts the events',
    option: 'audit.failClosed',
    why: 'The server issues and redeems keys even if the audit log does not accept the events.',
    fix: 'Set audit: { sink, failClosed: true }. The function sink stores an event.',
    severity: 'off',
    find: ({ description: { audit } }) =>
      deviationIf(audit !== 'closed', 'audit.failClosed', {
        actual: audit === 'none' ? 'no audit log' : 'false',
        expected: 'true',
      }),
  },
  {
    id: 'detection',
    group: 'Monitoring',
    title: 'all rules that find misuse are on',
    option: 'monitoring',
    why: 'At least one monitoring rule (a rule that finds misuse) is off.',
    fix: 'Remove monitoring: false, and each value false in monitoring.rules. If a monitoring rule must stay off, add its id to the parameter allowed.',
    severity: 'error',
    parameters: { allowed: [] },
    find: ({ description: { rulesOff } }, { allowed }) => {
      if (rulesOff === 'all') return [{ path: 'monitoring', actual: 'off', expected: 'on' }]
      const others = rulesOff.filter((id) => !allowed.includes(id))
      return others.map((id) => ({ path: `monitoring.rules.${id}`, actual: 'off', expected: 'on' }))
    },
  },
  {
    id: 'exempt-networks',
    group: 'Monitoring',
    title: 'only small networks are exempt from the monitoring',
    option: 'monitoring.exempt.networks[]',
    why: 'The monitoring ignores a large network, so it does not notice an attacker in this network.',
    fix: 'In monitoring.exempt.networks, replace the network by smaller ones: at most a /16, or a /32 in IPv6.',
    severity: 'warning',
    find: ({ description: { exemptNetworks } }) =>
      exemptNetworks.flatMap((network, index) => {
        const parsed = parseNetwork(network)
        const isWide = parsed !== undefined && parsed.prefix < WIDEST_PREFIX[parsed.family]
        const expected = 'at most a /16, or a /32 in IPv6'
        return deviationIf(isWide, `monitoring.exempt.networks[${index}]`, { actual: network, expected })
      }),
  },
  {
    id: 'secrets-in-file',
    group: 'Secrets',
    title: 'the configuration file contains no secret in clear text',
    clause: 'RFC 6819 5.1.4.1',
    option: 'the file',
    why: 'The configuration file contains a text that looks like a private key, a client secret, a token or a password in a URL. Everybody who can read the repository can read it. Only the command `review` uses this rule: `reviewPolicy()` does not read the file.',
    fix: 'Make a new secret, because others may have seen the old one. Let the app read the secret from a secret store, an environment variable or a file outside the repository.',
    severity: 'error',
    find: ({ source = '' }) => secretsIn(source),
  },
] as const satisfies readonly PolicyRule[]
