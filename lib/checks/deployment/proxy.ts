import { type Check, CheckEnd, type Finding, PASSED, skipped, warning } from '../check.js'
import { cleartextUrl, sendInClear } from './connection.js'
import type { DeploymentUnderTest } from './deployment-under-test.js'
import type { Exchange, Outgoing } from './exchange.js'

const EVIL = 'check.invalid'
/** Enough to notice a low limit, and few enough to harm nobody. */
const MOST_REQUESTS = 40
/** How many requests have an invented address. As many have none. */
const ADDRESSES = 3

/** Does the proxy overwrite what clients send, and are there limits? */
export const PROXY_CHECKS: readonly Check<DeploymentUnderTest>[] = [
  {
    id: 'proxy-host',
    group: 'Proxy',
    title: 'the URLs in the metadata stay the same if a request names a forged host',
    clause: 'RFC 9110 17.1',
    fix: 'Let the proxy overwrite X-Forwarded-Host and Forwarded, and let the server make its URLs from the option issuer.',
    needs: ['discovery-metadata'],
    async run(deployment, signal) {
      const headers = {
        'X-Forwarded-Host': EVIL,
        'X-Original-Host': EVIL,
        Forwarded: `host=${EVIL};proto=https`,
      }
      const exchange = await deployment.getMetadata(signal, headers)
      return deployment.expect(exchange, !exchange.text.includes(EVIL), 'the same metadata')
    },
  },
  {
    id: 'proxy-proto',
    group: 'Proxy',
    title: 'a plain HTTP request cannot claim to be HTTPS',
    clause: 'RFC 6749 3.2',
    fix: 'Set trust proxy to the IP addresses of your proxies, and let the proxies overwrite X-Forwarded-Proto.',
    needs: ['cleartext', 'discovery-metadata'],
    async run(deployment, signal) {
      const url = cleartextUrl(deployment, deployment.metadataUrl)
      if (url === undefined || deployment.isLocal) return skipped('there is no port for plain HTTP')
      const headers = { 'X-Forwarded-Proto': 'https', 'X-Forwarded-Ssl': 'on', 'X-Forwarded-Port': '443' }
      const exchange = await sendInClear(deployment, { method: 'GET', url, headers }, signal)
      if (exchange === undefined) return PASSED
      const isRight = exchange.status >= 300
      return deployment.expect(exchange, isRight, 'the same refusal as without X-Forwarded-Proto')
    },
  },
  {
    id: 'rate-limit',
    group: 'Rate limits',
    title: 'the token endpoint limits the requests of a client',
    clause: 'RFC 6749 10.10',
    fix: 'Do not set the option rateLimit to false, or let the proxy limit requests.',
    needs: ['discovery-metadata'],
    run: checkLimit,
  },
  {
    id: 'rate-limit-address',
    group: 'Rate limits',
    title: 'the rate limit also counts requests with a forged address',
    clause: 'RFC 7239 8.1',
    fix: 'Set trust proxy to the IP addresses of your proxies, and let the proxies overwrite X-Forwarded-For.',
    needs: ['rate-limit'],
    run: checkForgedAddress,
  },
]

/** Without a grant, so that nothing is issued and no secret is guessed. */
function emptyRequest(deployment: DeploymentUnderTest, headers: Outgoing['headers'] = {}): Outgoing {
  return { ...deployment.postOf('token_endpoint', {}, headers), form: [['check', 'rate-limit']] }
}

async function checkLimit(deployment: DeploymentUnderTest, signal: AbortSignal): Promise<Finding> {
  const first = await deployment.sendOnce(emptyRequest(deployment), signal)
  if (first.status === 429 || remainingOf(first) !== undefined) return PASSED
  for (let i = 1; i < MOST_REQUESTS; i += 1) {
    const { status } = await deployment.sendOnce(emptyRequest(deployment), signal)
    if (status === 429) return PASSED
  }
  return warning({
    actual: `no header RateLimit, and no refusal of ${MOST_REQUESTS} requests`,
    expected: 'a header RateLimit or X-RateLimit-Remaining, or status 429',
  })
}

/** Each process can have counts of its own, so the requests of one address are compared with those of the others. */
async function checkForgedAddress(deployment: DeploymentUnderTest, signal: AbortSignal): Promise<Finding> {
  const own: number[] = []
  const forged: number[] = []
  let last: Exchange | undefined
  for (let i = 1; i <= 2 * ADDRESSES; i += 1) {
    const counts = i > ADDRESSES ? forged : own
    const address = `198.51.100.${i}`
    const headers = { 'X-Forwarded-For': address, 'X-Real-IP': address, Forwarded: `for=${address}` }
    last = await deployment.sendOnce(emptyRequest(deployment, counts === forged ? headers : {}), signal)
    // A local deployment refuses requests of proxies.
    if (last.status === 403 || (last.status === 429 && counts === forged)) return PASSED
    // A refusal of the own address says nothing yet about invented ones.
    const left = last.status === 429 ? 0 : remainingOf(last)
    if (left === undefined) return skipped('the answers do not say how many requests remain')
    counts.push(left)
  }
  if (last === undefined) throw new CheckEnd(skipped('no answer'))
  // A new address has the whole limit. With the address of this machine, at least one count goes on.
  if (Math.min(...forged) < Math.max(...own)) return PASSED
  const actual = `remaining requests: ${own.join(', ')}, and with invented addresses ${forged.join(', ')}`
  return deployment.failed(last, 'invented addresses are counted as the address of this machine', actual)
}

/** How many requests remain (draft-ietf-httpapi-ratelimit-headers, or its older forms). */
function remainingOf({ headers }: Exchange): number | undefined {
  const field = headers.get('RateLimit')
  const text =
    /\b(?:r|remaining)=(\d+)/.exec(field ?? '')?.[1] ??
    headers.get('RateLimit-Remaining') ??
    headers.get('X-RateLimit-Remaining')
  return text === null || text === undefined ? undefined : Number(text)
}
