import { setTimeout as sleep } from 'node:timers/promises'
import type { ProvisioningEvent } from 'express-provisioning-keys'
import { eventDetails, eventName, paintEvent } from '../event-lines'
import type { Paint } from '../paint'
import { perform } from '../requests/exchange'
import { type Redaction, redaction } from '../requests/redaction'
import { answerLine, answerLines, requestLines } from '../requests/request-text'
import type { Answer } from '../requests/send'
import type { Exchange, Step } from '../requests/step'
import { wrap } from './show'
import type { Target } from './target'

export interface GuideOptions {
  readonly target: Target
  readonly paint: Paint
  readonly print: (text: string) => void
}

/**
 * Runs and prints one step. Resolves with whether all answers and events were as the step describes.
 *
 * @param position where the reader is, such as `7 of 36`
 */
export type Guide = (step: Step, position: string) => Promise<boolean>

export function guide(options: GuideOptions): Guide {
  const memory = redaction()
  memory.keepSecret('client secret', options.target.site.clientSecret)
  const tour: Tour = { ...options, memory, lastAnswer: undefined }
  return (step, position) => runStep(tour, step, position)
}

/** The tour so far. */
interface Tour extends GuideOptions {
  readonly memory: Redaction
  /** The answer to the last request, to compare a repeated answer with it. */
  lastAnswer: Answer | undefined
}

async function runStep(tour: Tour, step: Step, position: string): Promise<boolean> {
  const { print, paint, memory } = tour
  print(`\n  ${paint('bold', `${position}. ${step.title}`)}\n`)
  const problems = await runExchanges(tour, step).catch((error: Error) => [error.message])
  if (problems.length === 0) print(`\n${wrap(step.explanation, '    ')}`)
  for (const problem of problems)
    print(paint('red', wrap(memory.redact(`NOT as described: ${problem}`), '    ')))
  return problems.length === 0
}

async function runExchanges(tour: Tour, { next = [], ...first }: Step): Promise<readonly string[]> {
  const problems = [...(await runExchange(tour, first))]
  for (const exchange of next) problems.push(...(await runExchange(tour, exchange)))
  return problems
}

/** Resolves with the differences between the description and what happened. */
async function runExchange(tour: Tour, exchange: Exchange): Promise<readonly string[]> {
  const { target, memory, print, paint } = tour
  const call = exchange.call(target.site, memory)
  printLines(tour, '>', requestLines(call))
  const { answer, problems } = await perform(exchange, call, { ...tour, route: target.route })
  tour.lastAnswer = answer ?? tour.lastAnswer
  printLines(tour, '<', answer === undefined ? [CUT] : shownLines(exchange, answer))
  const events = await eventsAfter(exchange, target)
  for (const event of events) print(paintEvent(event, wrappedEvent(event), paint))
  return [...problems, ...eventProblems(exchange, events, target)]
}

/** The details of an event are one column. */
function wrappedEvent(event: ProvisioningEvent): string {
  const start = `    * ${eventName(event)} `
  return wrap(eventDetails(event).join(' '), ' '.repeat(start.length), start).trimEnd()
}

const CUT = '(The tour closed the connection before it read the answer.)'

function printLines({ print, paint, memory }: Tour, mark: string, lines: readonly string[]): void {
  const start = `    ${paint('cyan', mark)} `
  print(lines.map((line) => wrap(memory.redact(line), '      ', start)).join('\n'))
}

/** The members of the answer that matter: the expected ones, and those that later steps need. Otherwise all. */
function shownLines(exchange: Exchange, answer: Answer): readonly string[] {
  const { members = {}, secrets = {}, values = {}, isRepetition } = exchange
  if (isRepetition) return [`${answerLine(answer, [])}  (the same ${Buffer.byteLength(answer.text)} bytes)`]
  const names = Object.keys({ ...members, ...values, ...secrets })
  const isShort = names.length > 0 || Object.keys(answer.members).length === 0
  return isShort ? [answerLine(answer, names)] : answerLines(answer)
}

const LONGEST_WAIT_MILLISECONDS = 1000
/** How long to wait for the event of another process, which the tour cannot see. */
const UNSEEN_WAIT_MILLISECONDS = 300

/**
 * Waits for the expected event, and takes all events since the last exchange. The server revokes an exposed key only
 * after it has sent its answer, so the next request would come too early.
 */
async function eventsAfter({ event }: Exchange, { events }: Target): Promise<readonly ProvisioningEvent[]> {
  if (events === undefined) {
    if (event === 'key.exposed') await sleep(UNSEEN_WAIT_MILLISECONDS)
    return []
  }
  const deadline = Date.now() + LONGEST_WAIT_MILLISECONDS
  while (event !== undefined && !events.some(({ type }) => type === event) && Date.now() < deadline)
    await sleep(5)
  return events.splice(0)
}

function eventProblems(
  { event }: Exchange,
  seen: readonly ProvisioningEvent[],
  target: Target,
): readonly string[] {
  if (event === undefined || target.events === undefined || seen.some(({ type }) => type === event)) return []
  return [`expected the event ${event}, got ${seen.map(({ type }) => type).join(', ') || 'none'}`]
}
