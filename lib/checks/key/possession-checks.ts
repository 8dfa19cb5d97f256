import { refusalFrom } from '../../base/caught-refusal.js'
import { isObject } from '../../base/object.js'
import { readProof } from '../../possession/dpop.js'
import { confirm } from '../../possession/possession.js'
import { type Check, type Finding, passed, skipped } from '../check.js'
import { credentialOf, findingOf, type Subject, termCheck } from './subject.js'

/** The proof alone. */
export const PROOF: Check<Subject> = {
  id: 'proof',
  group: 'Possession',
  title: 'the DPoP proof is for this request and this key',
  clause: 'RFC 9449 4.3',
  fix: 'Make a new proof for each request, with its method, its URL without the query, and the hash of the key.',
  run(subject) {
    const { dump, rules } = subject
    const credential = credentialOf(subject)
    if (!dump.isRequest) return skipped('there is no request, so there is no proof')
    if (dump.presented.dpop.length === 0) return skipped('the request has no header DPoP')
    if (dump.url === undefined) return skipped('the URL of the request is not known; name it with --url')
    const target = { method: dump.presented.method, url: dump.url }
    const { token, scheme } = credential ?? {}
    const expectation = { target, hashRequired: scheme !== 'body', ...(token !== undefined && { token }) }
    const refusal = refusalFrom(() => readProof(rules, dump.presented, expectation))
    return refusal === undefined
      ? passed('its nonce and its first use cannot be checked')
      : findingOf(refusal, proofFix(refusal.reason))
  },
}

const PROOF_FIXES: Readonly<Record<string, string>> = {
  dpop_method_wrong: 'Make the proof for the method of this request, in capital letters.',
  dpop_target_wrong:
    'Make the proof for the URL as the server knows it: its public origin and path, without the query.',
  dpop_stale: 'Make a new proof for each request, and synchronize the clock of the client with NTP.',
  dpop_token_hash_wrong:
    'The ath must be the SHA-256 of exactly the key that this request presents, in base64url.',
  dpop_type_wrong: 'Put the proof into the header DPoP, and the key into the header Authorization.',
}

function proofFix(reason: string): Pick<Finding, 'fix'> {
  const fix = PROOF_FIXES[reason]
  return fix === undefined ? {} : { fix }
}

const NOT_BOUND = 'the key is not bound, so the request needs no proof'

/** What the key is bound to, and what the request has proven. */
export const POSSESSION = termCheck(
  {
    id: 'possession',
    group: 'Possession',
    title: 'the request proves possession of the key that the provisioning key is bound to',
    clause: 'RFC 9449 7.1, RFC 8705 3',
    fix: 'Use the private key that was used when the key was issued, and the scheme DPoP.',
    needs: ['claims'],
  },
  (subject, { cnf, ...claims }) => {
    const credential = credentialOf(subject)
    const { dump, rules, kind } = subject
    if (credential === undefined) return skipped('there is no key')
    if (!dump.isRequest)
      return skipped(cnf === undefined ? NOT_BOUND : 'the key is bound, and there is no request with a proof')
    const proof = dump.url !== undefined && dump.presented.dpop.length > 0
    const target = { method: dump.presented.method, url: dump.url ?? '' }
    if (proof && refusalFrom(() => readProof(rules, dump.presented, { target })) !== undefined)
      return skipped('the DPoP proof is not valid')
    if (dump.url === undefined && dump.presented.dpop.length > 0)
      return skipped('the DPoP proof was not checked')
    const certificate = isObject(cnf) && typeof cnf['x5t#S256'] === 'string' ? cnf['x5t#S256'] : undefined
    const shown = { ...credential, proof: readProof(rules, dump.presented, { target }), certificate }
    const refusal = refusalFrom(() => confirm(cnf, shown, kind.factsOf({ ...claims, cnf })))
    if (refusal !== undefined) return findingOf(refusal)
    if (certificate !== undefined)
      return skipped('the key is bound to a certificate, which a request does not show')
    return cnf === undefined ? skipped(NOT_BOUND) : passed('the thumbprint is that of the proof')
  },
)
