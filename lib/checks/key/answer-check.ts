import { REASONS } from '../../base/errors.js'
import { type Check, failed, passed, skipped } from '../check.js'
import type { ServerAnswer } from './server-answer.js'
import type { Subject } from './subject.js'

/** The longest description that this library sends. */
const MOST_CHARACTERS = 400

/** What the server itself says. */
export const ANSWER: Check<Subject> = {
  id: 'answer',
  group: 'Answer',
  title: 'the server has accepted the request',
  fix: 'The answer has no OAuth error: check whether a proxy or another route of the app has sent it.',
  run({ answer }) {
    if (answer === undefined)
      return skipped(
        'the text has no answer, and only the server knows whether a key was redeemed or revoked',
      )
    const { status, error, description } = answer
    if (status < 300) return passed(`status ${status}`)
    if (status < 400) return skipped(`the server has redirected the request with the status ${status}`)
    const code = error === undefined ? `${status}` : `${status} ${error}`
    const text = description === undefined ? code : `${code}: ${description}`
    const actual = text.slice(0, MOST_CHARACTERS)
    const section = sectionOf(answer)
    if (section === undefined) return failed({ actual, section: '' })
    const fix = `Read the section ${section} of Troubleshooting. The event request.refused of the server names the exact reason.`
    return failed({ actual, section, fix })
  },
}

/** The section of the help page: that of the reason if the answer names it, or that of the code. */
function sectionOf({ status, error, errorUri = '', wantsKey }: ServerAnswer): string | undefined {
  const reason = errorUri.replace(/^[^#]*#?/, '')
  if (Object.hasOwn(REASONS, reason)) return reason
  // RFC 6750 3.1: the answer to a request without credentials has no error.
  if (error === undefined) return status === 401 && wantsKey ? 'credentials_missing' : undefined
  return Object.values<string>(REASONS).find((code) => code === error)
}
