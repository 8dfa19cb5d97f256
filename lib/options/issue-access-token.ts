import { deadline } from '../base/deadline.js'
import { describe, type Faults } from '../base/faults.js'
import type { IssueAccessToken, IssueInTime } from '../ports/access-token-identity.js'

/** How long the host's authorization server may take. What waits is a client, and a key that is claimed. */
const LONGEST_MILLISECONDS = 10_000

/** Reads `issueAccessToken`. */
export function readIssueAccessToken(value: unknown, noted: Faults): IssueInTime | undefined {
  if (value === undefined) return undefined
  if (typeof value === 'function') return inTime(value as IssueAccessToken, LONGEST_MILLISECONDS)
  noted.add('issueAccessToken', 'a function that answers an access token', describe(value))
  return undefined
}

/** Limits the time that a function takes, and gives it a signal to end its own work. */
export function inTime(issue: IssueAccessToken, milliseconds: number): IssueInTime {
  const run = deadline({ milliseconds, who: 'issueAccessToken' })
  return (identity) => run(({ signal }) => issue(identity, { signal }))
}
