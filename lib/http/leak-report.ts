import { setTimeout } from 'node:timers/promises'
import type { Request, Response } from 'express'
import { malformed } from '../base/errors.js'
import { jwtsIn, registrationTokensIn } from '../base/secret.js'
import { readFormOrJson } from './body.js'
import type { Visit } from './serve.js'
import type { Answer } from './wire.js'

const MOST_TOKENS = 20

/** The time of every answer. It is longer than the work, so it does not show what the tokens are. */
const ANSWER_MILLISECONDS = 250

/**
 * Revokes the genuine tokens in a report. Anybody can report, so the answer and its time are always the same. Therefore
 * the answer does not wait for a slow store.
 */
export async function acceptLeakReport({ context, req, res, presented }: Visit): Promise<Answer> {
  const texts = await readTokens(req, res)
  const timeOfAnswer = setTimeout(ANSWER_MILLISECONDS)
  context.background.run(() => context.revokeCompromised({ how: 'leaked', texts, source: presented }))
  await timeOfAnswer
  return { status: 202 }
}

/**
 * Reads `token`, or a list of objects with it, as secret scanners send it. The text may contain more than the token: the
 * reporter would not learn that a copied quote or line break has hidden it.
 */
async function readTokens(req: Request, res: Response): Promise<readonly string[]> {
  const reported = await readFormOrJson(req, res)
  if (reported.length > MOST_TOKENS) throw tooMany()
  if (reported.length === 0) throw malformed('parameter_missing', 'token is missing.')
  const texts = reported.map(({ token = '' }) => {
    if (token === '') throw malformed('parameter_missing', 'token is missing.')
    if (typeof token !== 'string') throw malformed('parameter_malformed', 'token is not a string.')
    return token
  })
  // A dot at the end of a sentence is no part of a token.
  const words = texts.map((text) => text.replace(/\.(?![\w.-])/g, ' '))
  const found = new Set(words.flatMap((text) => [...jwtsIn(text), ...registrationTokensIn(text)]))
  if (found.size > MOST_TOKENS) throw tooMany()
  return [...found]
}

function tooMany() {
  return malformed('parameter_malformed', `Report at most ${MOST_TOKENS} tokens in one request.`)
}
