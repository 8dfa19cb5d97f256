import { RecentMap } from '../../base/recent-map.js'
import { memberOf, rule } from './rule.js'

const HOUR = 3_600_000
const CLIENTS_OF_A_GENERATION = 5_000
const LOOK_MILLISECONDS = 60_000
/** The rule is silent before a client was active for a day, with so many keys. */
const LEAST_MILLISECONDS = 24 * HOUR
const LEAST_KEYS = 48
/** A client is silent if it misses so many of its usual intervals, and for at least so long. */
const MISSED_INTERVALS = 20
const LEAST_SILENCE = 6 * HOUR
/** And so many times its longest pause so far. A weekend is 4.4 times as long as the night before it. */
const LONGEST_PAUSES = 5

interface Activity {
  readonly first: number
  last: number
  keys: number
  longestPause: number
  /** Whether a finding says already that it is silent. */
  isKnown: boolean
}

class Activities {
  readonly #clients = new RecentMap<Activity>(CLIENTS_OF_A_GENERATION)
  #lookedAt = Number.NEGATIVE_INFINITY

  note(clientId: string, now: number): void {
    const activity = this.#clients.get(clientId)
    if (activity === undefined) {
      this.#clients.add(clientId, { first: now, last: now, keys: 1, longestPause: 0, isKnown: false })
      return
    }
    activity.longestPause = Math.max(activity.longestPause, now - activity.last)
    activity.last = now
    activity.keys += 1
    activity.isKnown = false
  }

  /** Finds a client that has fallen silent, if there is a new one. It looks once a minute. */
  findSilent(now: number): string | undefined {
    if (now - this.#lookedAt < LOOK_MILLISECONDS) return undefined
    this.#lookedAt = now
    for (const [clientId, activity] of this.#clients.entries()) {
      if (activity.isKnown || !isSilent(activity, now)) continue
      activity.isKnown = true
      return clientId
    }
    return undefined
  }
}

function isSilent({ first, last, keys, longestPause }: Activity, now: number): boolean {
  const isRegular = last - first >= LEAST_MILLISECONDS && keys >= LEAST_KEYS
  const usual = (last - first) / (keys - 1)
  const longest = Math.max(LEAST_SILENCE, MISSED_INTERVALS * usual, LONGEST_PAUSES * longestPause)
  return isRegular && now - last > longest
}

export const silentClient = rule({
  id: 'silent_client',
  version: 2,
  title: 'A client that regularly asked for keys has stopped',
  kind: 'statistical',
  severity: 'notice',
  evidence: 'unbound',
  techniques: ['T1489'],
  signal: {
    events: ['key.issued'],
    condition: `the client has not asked for a key for more than ${LEAST_SILENCE / HOUR} hours, for more than ${MISSED_INTERVALS} times its usual time between two keys, and for more than ${LONGEST_PAUSES} times its longest earlier pause. The rule notices a silent client only while other clients ask for keys. It watches only clients that have asked for at least ${LEAST_KEYS} keys, over at least a day`,
    by: 'client',
  },
  falsePositives:
    'You have switched off the client. Or the client works only on weekdays, and this is its first weekend.',
  runbook: [
    'Check whether the client runs, and whether it can reach the server.',
    'Look for the event request.refused of this client in your log. The credentials of the client may have expired.',
  ],
  watch() {
    const activities = new Activities()
    return (event) => {
      const now = event.at.getTime()
      // A client that asks again is no longer silent.
      activities.note(String(memberOf(event, 'clientId')), now)
      return activities.findSilent(now) ?? false
    }
  },
})
