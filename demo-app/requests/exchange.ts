import { isDeepStrictEqual } from 'node:util'
import { type Answer, type Route, send, sendAndCut } from './send'
import type { Call, Exchange, Memory } from './step'

/** What the sender of an exchange has and knows. */
export interface Sender {
  readonly route: Route
  readonly memory: Memory
  /** The answer to the request before, to compare a repeated answer with it. */
  readonly lastAnswer: Answer | undefined
}

/** What came of a request. */
export interface Outcome {
  /** `undefined` if the sender closed the connection before it read the answer. */
  readonly answer: Answer | undefined
  /** The differences between the description and what happened. */
  readonly problems: readonly string[]
}

/** Sends the call of an exchange, and remembers the values of the answer that later calls need. */
export async function perform(exchange: Exchange, call: Call, sender: Sender): Promise<Outcome> {
  if (exchange.isCut) {
    const status = await sendAndCut(call, sender.route)
    return { answer: undefined, problems: statusProblems(exchange, status) }
  }
  const answer = await send(call, sender.route)
  remember(exchange, answer, sender.memory)
  const problems = [
    ...statusProblems(exchange, answer.status),
    ...memberProblems(exchange, answer),
    ...repetitionProblems(exchange, answer, sender.lastAnswer),
  ]
  return { answer, problems }
}

function remember({ secrets = {}, values = {} }: Exchange, { members }: Answer, memory: Memory): void {
  for (const [member, name] of Object.entries(secrets)) {
    const secret = members[member]
    if (typeof secret === 'string') memory.keepSecret(name, secret)
  }
  for (const [member, name] of Object.entries(values)) {
    const value = members[member]
    if (typeof value === 'string') memory.keepValue(name, value)
  }
}

function statusProblems({ status: expected }: Exchange, status: number): readonly string[] {
  return status === expected ? [] : [`expected status ${expected}, got ${status}`]
}

function memberProblems({ members = {} }: Exchange, answer: Answer): readonly string[] {
  const text = (value: unknown) => JSON.stringify(value) ?? 'nothing'
  return Object.entries(members)
    .filter(([name, expected]) => !isDeepStrictEqual(answer.members[name], expected))
    .map(([name, expected]) => `expected ${name} ${text(expected)}, got ${text(answer.members[name])}`)
}

function repetitionProblems({ isRepetition }: Exchange, answer: Answer, last?: Answer): readonly string[] {
  const isSame = answer.status === last?.status && answer.text === last.text
  return !isRepetition || isSame ? [] : ['expected the same answer as before, got another one']
}
