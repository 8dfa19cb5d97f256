import type { Reason } from '../../../lib/base/errors.js'
import { ASSERTION_TYPE, type AssertionParts, clientKey, signAssertion } from '../client-assertion.js'
import { postForm } from '../requests.js'
import { ISSUER, type RunningServer } from '../server.js'
import type { Case } from './case.js'

const KEY = clientKey()
const ID = 'signer'
const UNIFORM = /^The client could not be authenticated\.$/

function ask(server: RunningServer, assertion: string) {
  const form = { client_assertion: assertion, client_assertion_type: ASSERTION_TYPE, scope: 'devices:read' }
  return postForm(server, '/oauth/token', { grant_type: 'client_credentials', ...form })
}

function sign(parts: AssertionParts = {}, key = KEY): string {
  return signAssertion(key, { clientId: ID, audience: ISSUER, now: Math.floor(Date.now() / 1000) }, parts)
}

function refused(title: string, reason: Reason, act: Case['act'], description = UNIFORM): Case {
  const options = { clients: [{ clientId: ID, jwks: { keys: [KEY.jwk] } }] }
  return { title, reason, status: 401, error: 'invalid_client', options, description, act }
}

export const ASSERTION_CASES: Case[] = [
  refused(
    'a client assertion of another type',
    'client_assertion_malformed',
    (server) => ask(server, sign({ header: { typ: 'dpop+jwt' } })),
    /^The client assertion must have the typ /,
  ),
  refused('a client assertion of a stranger', 'client_assertion_signature_wrong', (server) =>
    ask(server, sign({}, clientKey())),
  ),
  refused('a client assertion for another server', 'client_assertion_claims_wrong', (server) =>
    ask(server, sign({ claims: { aud: 'https://other.example.com' } })),
  ),
  refused('a client assertion that has expired', 'client_assertion_expired', (server) =>
    ask(server, sign({ claims: { exp: 1 } })),
  ),
  refused('a client assertion that lives too long', 'client_assertion_lifetime_excessive', (server) =>
    ask(server, sign({ claims: { exp: Math.floor(Date.now() / 1000) + 3600 } })),
  ),
  refused('a client assertion for the second time', 'client_assertion_replayed', async (server) => {
    const assertion = sign()
    await ask(server, assertion).expect(200)
    return ask(server, assertion)
  }),
]
