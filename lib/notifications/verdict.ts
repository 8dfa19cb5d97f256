import type { Verdict } from './delivery-queue.js'
import type { Answer, NoAnswer } from './https-post.js'

/** The statuses of a receiver that may accept the same request later (RFC 9110 15.5.9, RFC 6585 4). */
const TEMPORARY: readonly number[] = [408, 429]

/** What an answer other than a success means, for all kinds of receivers. Redirects are refused. */
export function verdictOf(result: Answer | NoAnswer, now: number): Verdict {
  if ('failure' in result) return { kind: 'failed', detail: result.failure }
  const { status, retryAfter } = result
  const detail = String(status)
  if (status < 500 && !TEMPORARY.includes(status)) return { kind: 'rejected', detail }
  return { kind: 'failed', detail, afterSeconds: secondsIn(retryAfter, now) }
}

/** Reads `Retry-After`: a number of seconds or a date (RFC 9110 10.2.3). */
function secondsIn(retryAfter: string | undefined, now: number): number | undefined {
  if (retryAfter === undefined) return undefined
  if (/^\d{1,9}$/.test(retryAfter)) return Number(retryAfter)
  const date = Date.parse(retryAfter)
  return Number.isNaN(date) || date <= now ? undefined : (date - now) / 1000
}
