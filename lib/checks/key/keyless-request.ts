import { refusalFrom } from '../../base/caught-refusal.js'
import { extractKey } from '../../tokens/presentation.js'
import { type Check, skipped } from '../check.js'
import { credentialOf, type Subject } from './subject.js'

/** Why a text has no key, although nothing is wrong with that. `undefined` if it should have one. */
export function reasonWithoutKey(subject: Subject): string | undefined {
  const { dump, answer, credentialName } = subject
  const { isRequest, presented, grantType, url } = dump
  if (credentialOf(subject) !== undefined) return undefined
  if (!isRequest) return answer && 'the text has an answer of the server, but no request and no key'
  // The header Authorization has the secret of a client, or there is none. All other faults need an explanation.
  const refusal = refusalFrom(() => extractKey(presented, credentialName))
  if (refusal?.reason !== 'credentials_missing') return undefined
  if (grantType === 'client_credentials') return 'the request asks for a key, and presents none'
  if (grantType !== undefined) return 'the request has a grant_type, but no subject_token with a key'
  const isTokenRequest = presented.method === 'POST' && /^[^?#]*\/token([?#]|$)/.test(url ?? '')
  return isTokenRequest
    ? 'the request is for the token endpoint, and shows no key to check; curl -v prints no body of a request'
    : undefined
}

/** A check that is skipped, for this reason. */
export function skippedCheck({ needs: _, ...check }: Check<Subject>, reason: string): Check<Subject> {
  return { ...check, run: () => skipped(reason) }
}
