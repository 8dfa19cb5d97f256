import { inGroup } from '../../check.js'
import type { Reaction, ReceivedRequest } from '../exchange.js'
import { busy, type Disturbance } from '../hostile-issuer.js'
import { atMost, mustEnroll, mustRepeat, mustStop, mustWait, type Observation } from '../observation.js'
import type { Scenario } from '../scenario.js'

const RETRY_AFTER_SECONDS = 3
const SLOW_MS = 5000
const CLOCK_OFFSET_SECONDS = 120

/** Things that go wrong for a while, so that the same request succeeds later. */
export const RETRIES = inGroup<Scenario>({ group: 'Retries', needs: ['client-healthy'] }, [
  {
    id: 'client-nonce',
    title: 'the client uses the DPoP nonce that the issuer demands',
    clause: 'RFC 9449 8',
    fix: 'After use_dpop_nonce, repeat the request with a new proof that contains the nonce of the header DPoP-Nonce.',
    experiment: () => ({ needsNonce: true }),
    judge: enrollsWithSameBinding,
  },
  {
    id: 'client-clock',
    title: 'the client takes the time from the issuer if its own clock is wrong',
    clause: 'RFC 9449 11.1',
    fix: 'Compute the time of proofs from the header Date of the last answer of the issuer.',
    experiment: () => ({ clockOffsetSeconds: CLOCK_OFFSET_SECONDS }),
    judge: mustEnroll,
  },
  {
    id: 'client-lost-answer',
    title: 'the client repeats the same request if the answer is lost',
    fix: 'Save the request before you send it. Repeat the request with the same provisioning key, key pair and body, but with a new proof.',
    experiment: () => ({ disturb: firstBinds(1, loseAnswer) }),
    judge: enrollsWithSameBinding,
  },
  {
    id: 'client-conflict',
    title: 'the client repeats the same request after 409',
    fix: 'Treat 409 as a temporary error: wait, and repeat the same request with a new proof.',
    experiment: () => ({ disturb: firstBinds(1, () => busy(409)) }),
    judge: enrollsWithSameBinding,
  },
  {
    id: 'client-unavailable',
    title: 'the client repeats the same request after 503',
    clause: 'RFC 9110 15.6.4',
    fix: 'Treat 408, 425, 429 and 5xx as temporary errors: wait, and repeat the same request with a new proof.',
    experiment: () => ({ disturb: (request) => (request.number === 1 ? busy(503) : undefined) }),
    judge: (seen) => [...enrollsWithSameBinding(seen), ...mustRepeat(seen, 'token')],
  },
  {
    id: 'client-retry-after',
    title: 'after 429, the client waits as long as Retry-After says',
    clause: 'RFC 6585 4',
    fix: 'Wait at least as many seconds as Retry-After says before you try again.',
    experiment: () => ({
      disturb: firstBinds(1, () => busy(429, { 'Retry-After': String(RETRY_AFTER_SECONDS) })),
    }),
    judge: (seen) => [...enrollsWithSameBinding(seen), ...mustWait(seen, 'bind', RETRY_AFTER_SECONDS)],
  },
  {
    id: 'client-slow',
    title: 'the client waits five seconds for a slow answer',
    fix: 'Allow at least ten seconds for an answer, and send no second request in the meantime.',
    experiment: () => ({ disturb: firstBinds(Number.POSITIVE_INFINITY, delayAnswer) }),
    judge: (seen) => [...mustEnroll(seen), ...atMost(seen, 1, 'bind')],
  },
  {
    id: 'client-silent',
    title: 'the client does not wait forever for an answer',
    fix: 'Limit the time of each request, for example to 15 seconds.',
    experiment: () => ({ disturb: firstBinds(1, () => 'silent') }),
    judge: (seen) => (seen.runs[0]?.exitCode === 0 ? enrollsWithSameBinding(seen) : mustStop(seen)),
  },
  {
    id: 'client-outage',
    title: 'the client stops with an error if the issuer is not available for an hour',
    fix: 'Limit the total time of all retries. If Retry-After is longer than this time, stop with an error.',
    experiment: () => ({ disturb: ({ endpoint }) => refusesWork(endpoint) }),
    judge: mustStop,
  },
])

function enrollsWithSameBinding(seen: Observation) {
  return [...mustEnroll(seen), ...mustRepeat(seen, 'bind')]
}

/** Disturbs only the first requests that bind a key pair. */
function firstBinds(times: number, disturb: Disturbance): Disturbance {
  return (request, issuer) =>
    request.endpoint === 'bind' && request.number <= times ? disturb(request, issuer) : undefined
}

const loseAnswer: Disturbance = (request, { genuine }) => genuine.answer(request).then((): Reaction => 'lost')

/** The work is done immediately, so that a second request does no harm. */
const delayAnswer: Disturbance = async (request, { genuine }) => {
  const answer = await genuine.answer(request)
  await new Promise((resolve) => setTimeout(resolve, SLOW_MS))
  return answer
}

function refusesWork(endpoint: ReceivedRequest['endpoint']): Reaction | undefined {
  return endpoint === 'metadata' ? undefined : busy(503, { 'Retry-After': '3600' })
}
