import type { IssueAccessToken, IssueInTime } from '../ports/access-token-identity.js'
import { describe, type Faults } from './faults.js'

/** How long the host's authorization server may take. What waits is a client, and a key that is claimed. */
const LONGEST_MILLISECONDS = 10_000

/** Reads `issueAccessToken`. */
export function readIssueAccessToken(value: unknown, noted: Faults): IssueInTime | undefined {
  if (value === undefined) return undefined
  if (typeof value === 'function') return inTime(value as IssueAccessToken, LONGEST_MILLISECONDS)
  noted.add('issueAccessToken', 'a function that answers an access token', describe(value))
  return undefined
}

/** Gives a function that answers an access token a limit of time, and a signal to end its own work by. */
export function inTime(issue: IssueAccessToken, milliseconds: number): IssueInTime {
  return async function issueInTime(identity) {
    const controller = new AbortController()
    const { signal } = controller
    const late = new Promise<never>((_, reject) => {
      signal.addEventListener('abort', () => reject(signal.reason))
    })
    const tooLate = () => controller.abort(new Error(`it took longer than ${milliseconds} ms`))
    const timer = setTimeout(tooLate, milliseconds)
    try {
      return await Promise.race([issue(identity, { signal }), late])
    } finally {
      clearTimeout(timer)
    }
  }
}
