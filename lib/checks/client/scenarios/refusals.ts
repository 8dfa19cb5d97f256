import { inGroup } from '../../check.js'
import { jsonAnswer } from '../exchange.js'
import { atMost, exchangesWith, mustNotInsist, mustStop, type Observation } from '../observation.js'
import type { Scenario } from '../scenario.js'

/** The client may get another key once, and then try again. */
const MOST_BIND_REQUESTS = 3

/** Refusals that are final: the same request never succeeds. */
export const REFUSALS = inGroup<Scenario>({ group: 'Refusals', needs: ['client-healthy'] }, [
  {
    id: 'client-expired-key',
    title: 'the client stops with an error if its key has expired',
    clause: 'RFC 6750 3.1',
    fix: 'Treat 401 invalid_token as final for this key. Print that the client needs a new key, and do not exit with 0.',
    experiment: (supply) => ({
      key: 'expired',
      ...(supply === 'client' && {
        disturb: (request, { genuine }) =>
          request.endpoint === 'bind' ? genuine.answerLate(request) : undefined,
      }),
    }),
    judge: stopsUsingKey,
  },
  {
    id: 'client-spent-key',
    title: 'the client stops with an error if its key is used up or revoked',
    clause: 'RFC 6750 3.1',
    fix: 'Treat 401 invalid_token as final for this key. Print that the client needs a new key, and do not exit with 0.',
    experiment: (supply) => ({
      key: 'spent',
      ...(supply === 'client' && {
        disturb: (request, { genuine }) =>
          request.endpoint === 'bind' ? genuine.answerAfterRevocation(request) : undefined,
      }),
    }),
    judge: stopsUsingKey,
  },
  {
    id: 'client-wrong-audience',
    title: 'the client stops with an error if the audience is refused',
    clause: 'RFC 8707 2',
    fix: 'Treat 400 invalid_target and 401 invalid_token as final: the same request never succeeds. Print the error of the issuer.',
    experiment: (supply) => ({
      key: 'for another API',
      ...(supply === 'client' && {
        disturb: ({ endpoint }) => (endpoint === 'token' ? WRONG_TARGET : undefined),
      }),
    }),
    judge: (seen) => [...stopsUsingKey(seen), ...atMost(seen, 1, 'token')],
  },
  {
    id: 'client-downgrade',
    title: 'the client refuses a key that is not bound to the key pair of the client',
    clause: 'RFC 9449 5',
    fix: 'After a request with a DPoP proof, use the key only if token_type is DPoP, and if cnf.jkt in the key is the thumbprint of your public key.',
    experiment: () => ({
      disturb(request, { genuine }) {
        if (request.endpoint !== 'token') return undefined
        const { dpop: _, ...headers } = request.headers
        return genuine.answer({ ...request, headers })
      },
    }),
    judge(seen) {
      if (seen.supply === 'key')
        return { skipped: 'the client gets its key from you, and not from the issuer' }
      if (!exchangesWith(seen, 'token').some(({ request }) => request.proof !== undefined))
        return { skipped: 'the client asks for keys without a DPoP proof, so its keys are not bound' }
      const sent = exchangesWith(seen, 'bind').length > 0
      return [...(sent ? ['it used the key, which anybody could use'] : []), ...mustStop(seen)]
    },
  },
])

const WRONG_TARGET = jsonAnswer(400, {
  error: 'invalid_target',
  error_description: 'The client may have no keys for this resource.',
})

function stopsUsingKey(seen: Observation) {
  return [...mustStop(seen), ...mustNotInsist(seen), ...atMost(seen, MOST_BIND_REQUESTS, 'bind')]
}
