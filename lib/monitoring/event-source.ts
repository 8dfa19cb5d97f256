import { RecentMap } from '../base/recent-map.js'
import type { RequestSource } from '../base/request.js'
import { scrub } from '../base/secret.js'

/** The members of an event that say which request caused it. */
export interface EventSource {
  readonly address: string | undefined
  readonly userAgent?: string
  readonly authenticationMethod?: string
  readonly traceId?: string
}

/** The same few programs send most requests, so their plain names are kept. */
const KNOWN_AGENTS = 500

/** Writes the source of a request so that a log can print it: a client chooses the texts of its headers. */
export function sourceDescriber(): (source: RequestSource) => EventSource {
  const known = new RecentMap<string>(KNOWN_AGENTS)

  function plainAgent(userAgent: string): string {
    const plain = known.get(userAgent) ?? plainText(userAgent)
    if (userAgent.length <= LONGEST_USER_AGENT) known.add(userAgent, plain)
    return plain
  }

  return ({ address, userAgent, traceparent, authenticationMethod }) => {
    const traceId = traceparent === undefined ? undefined : traceIdIn(traceparent)
    return {
      address,
      ...(userAgent !== undefined && { userAgent: plainAgent(userAgent) }),
      ...(authenticationMethod !== undefined && { authenticationMethod }),
      ...(traceId !== undefined && { traceId }),
    }
  }
}

/** Version, trace id, parent id and flags (W3C Trace Context 3.2). Later versions may add more. */
const TRACEPARENT = /^(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(-|$)/

function traceIdIn(traceparent: string): string | undefined {
  return TRACEPARENT.exec(traceparent)?.[1]
}

const LONGEST_USER_AGENT = 256

/** No secret is that long. The text is searched for secrets before it is cut, because half a secret looks like none. */
const LONGEST_SEARCHED = 1_024

/** The last word could be a part of a secret. */
function withoutLastWord(userAgent: string): string {
  return userAgent.slice(0, LONGEST_SEARCHED).replace(/[\w.-]+$/, '')
}

function plainText(userAgent: string): string {
  const searched = userAgent.length > LONGEST_SEARCHED ? withoutLastWord(userAgent) : userAgent
  const printable = searched.replace(/[^\x20-\x7e\xa0-\uffff]/g, '?')
  return scrub(printable).slice(0, LONGEST_USER_AGENT)
}
