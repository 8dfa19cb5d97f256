import { setTimeout as sleep } from 'node:timers/promises'
import { isDeepStrictEqual } from 'node:util'
import type { ProvisioningEvent } from 'express-provisioning-keys'
import { eventLine } from '../event-lines'
import type { Paint } from '../paint'
import { type Redaction, redaction } from './redaction'
import { type Answer, send } from './send'
import { answerLines, requestLines, wrap } from './show'
import type { Step } from './step'
import type { Target } from './target'

export interface Tour {
  readonly target: Target
  readonly paint: Paint
  readonly print: (text: string) => void
}

/** Goes one step, shows it, and answers whether everything was as described. */
export type Guide = (step: Step, number: number) => Promise<boolean>

export function guide({ target, paint, print }: Tour): Guide {
  const memory = redaction()
  memory.keep('client secret', target.site.clientSecret)

  async function go(step: Step): Promise<readonly string[]> {
    const call = step.call(target.site, memory)
    print(quoted('>', requestLines(call), memory, paint))
    const answer = await send(call, target.trust)
    for (const [member, name] of Object.entries(step.secrets ?? {})) {
      const secret = answer.members[member]
      if (typeof secret === 'string') memory.keep(name, secret)
    }
    print(quoted('<', answerLines(answer), memory, paint))
    const events = await eventsAfter(step, target)
    if (events.length > 0) print(events.map((event) => `    * ${eventLine(event, paint)}`).join('\n'))
    return [...answerFaults(step, answer), ...eventFaults(step, events, target)]
  }

  return async function goStep(step, number) {
    print(`\n  ${paint('bold', `${number}. ${step.title}`)}\n`)
    const faults = await go(step).catch((error: Error) => [error.message])
    if (faults.length === 0) print(`\n${wrap(step.meaning, '    ')}`)
    for (const fault of faults) print(paint('red', wrap(memory.redact(`NOT as described: ${fault}`), '    ')))
    return faults.length === 0
  }
}

function quoted(mark: string, lines: readonly string[], memory: Redaction, paint: Paint): string {
  const lead = `    ${paint('cyan', mark)} `
  return lines.map((line) => wrap(memory.redact(line), '      ', lead)).join('\n')
}

function answerFaults({ status, members = {} }: Step, answer: Answer): readonly string[] {
  const wrongStatus = answer.status === status ? [] : [`expected status ${status}, got ${answer.status}`]
  const wrongMembers = Object.entries(members).filter(
    ([name, expected]) => !isDeepStrictEqual(answer.members[name], expected),
  )
  const describe = (value: unknown) => JSON.stringify(value) ?? 'nothing'
  return [
    ...wrongStatus,
    ...wrongMembers.map(
      ([name, expected]) => `expected ${name} ${describe(expected)}, got ${describe(answer.members[name])}`,
    ),
  ]
}

const LONGEST_WAIT_MILLISECONDS = 1000
const UNSEEN_WAIT_MILLISECONDS = 300

/** An exposed key is revoked after the answer was sent, so that the answer's time tells nothing: that is awaited. */
async function eventsAfter({ event }: Step, { events }: Target): Promise<readonly ProvisioningEvent[]> {
  if (events === undefined) {
    if (event === 'key.exposed') await sleep(UNSEEN_WAIT_MILLISECONDS)
    return []
  }
  const deadline = Date.now() + LONGEST_WAIT_MILLISECONDS
  while (event !== undefined && !events.some(({ type }) => type === event) && Date.now() < deadline)
    await sleep(5)
  return events.splice(0)
}

function eventFaults({ event }: Step, seen: readonly ProvisioningEvent[], target: Target): readonly string[] {
  if (event === undefined || target.events === undefined || seen.some(({ type }) => type === event)) return []
  return [`expected the event ${event}, got ${seen.map(({ type }) => type).join(', ') || 'none'}`]
}
