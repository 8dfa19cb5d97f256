import { isObject } from '../../base/object.js'
import { OLDEST_REDIS, type RedisHazard, type RedisOptions, type SendCommand } from './redis-options.js'

interface Finding {
  readonly hazard: RedisHazard | 'version' | 'replicas'
  readonly advice: string
}

/**
 * Inspects the settings of Redis, and reports each hazard for keys once, unless `accept` names it.
 *
 * @param key names the node that is asked
 */
export function inspector(
  { accept, advise, minReplicas }: Pick<RedisOptions, 'accept' | 'advise' | 'minReplicas'>,
  send: SendCommand,
  key: string,
) {
  const reported = new Set<string>()

  return async function inspect(): Promise<readonly string[]> {
    const findings = [
      ...(await versionOf(send, key)),
      ...(await settingsOf(send, key)),
      ...(await missingReplicas(minReplicas, send, key)),
    ]
    const advice = findings
      .filter(({ hazard }) => !accept.some((accepted) => accepted === hazard))
      .map((finding) => finding.advice)
    for (const one of advice.filter((each) => !reported.has(each))) {
      reported.add(one)
      advise(one)
    }
    return advice
  }
}

async function versionOf(send: SendCommand, key: string): Promise<Finding[]> {
  const version = (await informationOf(send, key, 'server')).get('redis_version')
  if (version === undefined || isAsNewAs(version, OLDEST_REDIS)) return []
  return [
    { hazard: 'version', advice: `Redis ${OLDEST_REDIS} or newer is needed; this is Redis ${version}.` },
  ]
}

/** The uptime of Redis is a whole number of seconds, and may be late. */
const UPTIME_ERROR_MILLISECONDS = 2_000

const RESTARTED =
  'Redis has restarted. If it has no data, all locks of clients have ended: lock these clients again. If it has loaded old ' +
  'data from its disk, redeemed keys could be redeemed again: call revokeAllIssuedBefore(new Date()).'

/**
 * Reports that Redis has restarted since its first answer. A restart also deletes all scripts, so each script that a node
 * does not know is a reason to look.
 */
export function restartReporter({ advise }: Pick<RedisOptions, 'advise'>, send: SendCommand) {
  let knownUntil = Number.POSITIVE_INFINITY
  let isAsking = false
  return {
    firstAnswer() {
      knownUntil = performance.now()
    },
    /** @param key names the node */
    async unknownScript(key: string) {
      if (isAsking) return
      isAsking = true
      const uptime = (await informationOf(send, key, 'server')).get('uptime_in_seconds')
      isAsking = false
      const startedAt = performance.now() - Number(uptime) * 1000
      if (!(startedAt > knownUntil + UPTIME_ERROR_MILLISECONDS)) return
      knownUntil = startedAt
      advise(RESTARTED)
    },
  }
}

/** Other commands on the connection wait for so long. A replica that works confirms within milliseconds. */
const LONGEST_WAIT_MILLISECONDS = 200

async function missingReplicas(minReplicas: number, send: SendCommand, key: string): Promise<Finding[]> {
  if (minReplicas === 0) return []
  const wait = send(['WAIT', String(minReplicas), String(LONGEST_WAIT_MILLISECONDS)], key)
  const reached = Number(await wait.catch(() => 0))
  if (reached >= minReplicas) return []
  const advice =
    `minReplicas is ${minReplicas}, but the number of replicas that confirm changes is ${reached}. Until there are enough ` +
    'replicas, every redemption and every revocation fails. Connect at least one replica more than minReplicas.'
  return [{ hazard: 'replicas', advice }]
}

function isAsNewAs(version: string, oldest: string): boolean {
  const [major = 0, minor = 0] = version.split('.').map(Number)
  const [leastMajor = 0, leastMinor = 0] = oldest.split('.').map(Number)
  return major > leastMajor || (major === leastMajor && minor >= leastMinor)
}

async function settingsOf(send: SendCommand, key: string): Promise<Finding[]> {
  const configured = (name: string) => configurationOf(send, key, name)
  const save = await configured('save')
  const appendOnly =
    (await configured('appendonly')) ?? (await informationOf(send, key, 'persistence')).get('aof_enabled')
  const policy =
    (await configured('maxmemory-policy')) ??
    (await informationOf(send, key, 'memory')).get('maxmemory_policy')
  return [...persistence(save, appendOnly), ...eviction(policy), ...unchecked({ save, appendOnly, policy })]
}

function persistence(save: string | undefined, appendOnly: string | undefined): Finding[] {
  const saves = save !== undefined && save !== ''
  const appends = appendOnly !== undefined && appendOnly !== 'no' && appendOnly !== '0'
  if (!saves && !appends) return []
  const settings = [...(saves ? [`save "${save}"`] : []), ...(appends ? ['appendonly yes'] : [])].join(', ')
  const advice =
    `This Redis saves its data to disk (${settings}). After a restart it can have an older state, and redeemed or ` +
    'revoked keys could be redeemed again. Set save "" and appendonly no, or accept the risk with ' +
    "accept: ['persistence']."
  return [{ hazard: 'persistence', advice }]
}

function eviction(policy: string | undefined): Finding[] {
  if (policy === undefined || policy === 'noeviction') return []
  const advice =
    `This Redis deletes data when its memory is full (maxmemory-policy ${policy}). A used proof could be used again, ` +
    "and a revocation could be lost. Set maxmemory-policy noeviction, or accept the risk with accept: ['eviction']."
  return [{ hazard: 'eviction', advice }]
}

function unchecked(settings: Record<string, string | undefined>): Finding[] {
  if (Object.values(settings).every((setting) => setting !== undefined)) return []
  const advice =
    'This Redis does not show all of its settings (CONFIG GET). Make sure that it saves nothing to disk and has ' +
    "maxmemory-policy noeviction. Then set accept: ['unchecked']."
  return [{ hazard: 'unchecked', advice }]
}

/** One setting; `undefined` if CONFIG is forbidden, as on a managed Redis. */
async function configurationOf(send: SendCommand, key: string, name: string): Promise<string | undefined> {
  const reply: unknown = await send(['CONFIG', 'GET', name], key).catch(() => undefined)
  return pairsOf(reply).get(name)
}

/** Names and values from a reply. It is a list in RESP2; in RESP3 it is a map, an object or a list of pairs. */
function pairsOf(reply: unknown): Map<string, string> {
  const flat = Array.isArray(reply) ? reply.flat() : entriesOf(reply).flat()
  const pairs = new Map<string, string>()
  for (let i = 0; i + 1 < flat.length; i += 2) pairs.set(String(flat[i]), String(flat[i + 1]))
  return pairs
}

function entriesOf(reply: unknown): unknown[][] {
  if (reply instanceof Map) return [...reply]
  return isObject(reply) ? Object.entries(reply) : []
}

async function informationOf(send: SendCommand, key: string, about: string): Promise<Map<string, string>> {
  const reply: unknown = await send(['INFO', about], key).catch(() => '')
  const lines = String(reply).matchAll(/^(\w+):(.*?)\r?$/gm)
  return new Map([...lines].map(([, name = '', value = '']) => [name, value] as const))
}
