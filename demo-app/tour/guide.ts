import { setTimeout as sleep } from 'node:timers/promises'
import { isDeepStrictEqual } from 'node:util'
import type { ProvisioningEvent } from 'express-provisioning-keys'
import { eventText, paintEvent } from '../event-lines'
import type { Paint } from '../paint'
import { redaction } from './redaction'
import { type Answer, send, sendAndCut } from './send'
import { answerLine, answerLines, type Detail, requestLines, wrap } from './show'
import type { Call, Exchange, Memory, Step } from './step'
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

  function tell(mark: string, lines: readonly string[]): void {
    const lead = `    ${paint('cyan', mark)} `
    print(lines.map((line) => wrap(memory.redact(line), '      ', lead)).join('\n'))
  }

  let before: Answer | undefined

  async function answerFaultsOf(exchange: Exchange, call: Call, detail: Detail): Promise<readonly string[]> {
    if (exchange.isCut) {
      const status = await sendAndCut(call, target.trust)
      tell('<', ['(The connection is cut as the answer begins: nothing of it has been read.)'])
      return statusFaults(exchange, status)
    }
    const answer = await send(call, target.trust)
    const faults = [...answerFaults(exchange, answer), ...repetitionFaults(exchange, answer, before)]
    before = answer
    remember(exchange, answer, memory)
    tell('<', shown(exchange, answer, detail))
    return faults
  }

  async function go(exchange: Exchange, detail: Detail): Promise<readonly string[]> {
    const call = exchange.call(target.site, memory)
    tell('>', requestLines(call, detail))
    const faults = await answerFaultsOf(exchange, call, detail)
    const events = await eventsAfter(exchange, target)
    for (const event of events) print(paintEvent(event, wrap(eventText(event), '      ', '    * '), paint))
    return [...faults, ...eventFaults(exchange, events, target)]
  }

  async function goAll({ isBrief = false, next = [], ...first }: Step): Promise<readonly string[]> {
    const faults = [...(await go(first, isBrief ? 'brief' : 'whole'))]
    for (const exchange of next) {
      print('')
      faults.push(...(await go(exchange, 'brief')))
    }
    return faults
  }

  return async function goStep(step, number) {
    print(`\n  ${paint('bold', `${number}. ${step.title}`)}\n`)
    const faults = await goAll(step).catch((error: Error) => [error.message])
    if (faults.length === 0) print(`\n${wrap(step.meaning, '    ')}`)
    for (const fault of faults) print(paint('red', wrap(memory.redact(`NOT as described: ${fault}`), '    ')))
    return faults.length === 0
  }
}

function shown({ members = {}, isRepetition }: Exchange, answer: Answer, detail: Detail): readonly string[] {
  if (detail === 'whole') return answerLines(answer)
  const line = answerLine(answer, isRepetition ? [] : Object.keys(members))
  return [isRepetition ? `${line}  (the ${Buffer.byteLength(answer.text)} bytes of before)` : line]
}

function repetitionFaults({ isRepetition }: Exchange, answer: Answer, before?: Answer): readonly string[] {
  const isSame = answer.status === before?.status && answer.text === before.text
  return !isRepetition || isSame ? [] : ['expected the answer of before, byte for byte, got another']
}

function remember({ secrets = {}, notes = {} }: Exchange, { members }: Answer, memory: Memory): void {
  for (const [member, name] of Object.entries(secrets)) {
    const secret = members[member]
    if (typeof secret === 'string') memory.keep(name, secret)
  }
  for (const [member, name] of Object.entries(notes)) {
    const text = members[member]
    if (typeof text === 'string') memory.note(name, text)
  }
}

function statusFaults({ status: expected }: Exchange, status: number): readonly string[] {
  return status === expected ? [] : [`expected status ${expected}, got ${status}`]
}

function answerFaults(exchange: Exchange, answer: Answer): readonly string[] {
  const { members = {} } = exchange
  const wrongMembers = Object.entries(members).filter(
    ([name, expected]) => !isDeepStrictEqual(answer.members[name], expected),
  )
  const describe = (value: unknown) => JSON.stringify(value) ?? 'nothing'
  return [
    ...statusFaults(exchange, answer.status),
    ...wrongMembers.map(
      ([name, expected]) => `expected ${name} ${describe(expected)}, got ${describe(answer.members[name])}`,
    ),
  ]
}

const LONGEST_WAIT_MILLISECONDS = 1000
const UNSEEN_WAIT_MILLISECONDS = 300

/** An exposed key is revoked after the answer was sent, so that the answer's time tells nothing: that is awaited. */
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

function eventFaults(
  { event }: Exchange,
  seen: readonly ProvisioningEvent[],
  target: Target,
): readonly string[] {
  if (event === undefined || target.events === undefined || seen.some(({ type }) => type === event)) return []
  return [`expected the event ${event}, got ${seen.map(({ type }) => type).join(', ') || 'none'}`]
}
