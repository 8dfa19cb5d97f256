import type { Check } from '../check.js'
import { ANSWER } from './answer-check.js'
import { reasonWithoutKey, skippedCheck } from './keyless-request.js'
import { POSSESSION, PROOF } from './possession-checks.js'
import type { Subject } from './subject.js'
import { ROUTE_CHECKS, TERM_CHECKS } from './term-checks.js'
import { TOKEN_CHECKS } from './token-checks.js'

/** All checks of a key, in the order of the guards. */
const CHECKS = [...TOKEN_CHECKS, ...TERM_CHECKS, PROOF, POSSESSION, ...ROUTE_CHECKS, ANSWER]
/** The checks that need no key. */
const WITHOUT_KEY = [PROOF, ANSWER]

/** The checks of a request. If the request has no key, most of them are skipped. */
export function checksOf(subject: Subject): readonly Check<Subject>[] {
  const reason = reasonWithoutKey(subject)
  if (reason === undefined) return CHECKS
  return CHECKS.map((check) => (WITHOUT_KEY.includes(check) ? check : skippedCheck(check, reason)))
}
