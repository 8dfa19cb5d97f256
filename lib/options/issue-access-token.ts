import { deadline } from '../base/deadline.js'
import { aFunction, type Reader } from '../base/schema.js'
import type { IssueAccessToken, IssueInTime } from '../ports/access-token-identity.js'

/** How long the host's authorization server may take. A client waits meanwhile, and its key stays reserved. */
const LONGEST_MILLISECONDS = 10_000

export const readIssueAccessToken: Reader<IssueInTime> = (value, path, noted) =>
  inTime(readIssuer(value, path, noted), LONGEST_MILLISECONDS)

const readIssuer = aFunction<IssueAccessToken>('a function that answers an access token')

/** Limits the time that a function takes, and gives it a signal to end its own work. */
export function inTime(issue: IssueAccessToken, milliseconds: number): IssueInTime {
  const run = deadline({ milliseconds, who: 'issueAccessToken' })
  return (identity) => run(({ signal }) => issue(identity, { signal }))
}
