import { Redaction } from '../base/redaction.js'
import { plain, plainJson } from '../checks/report/terminal.js'
import type { ProvisionProgress } from '../client/client.js'
import { withoutTokens } from './arguments.js'

/** An error on its way to the user. */
export interface ReportedError {
  readonly code: string
  readonly message: string
  /** Who must correct it. */
  readonly blame?: string
  readonly isTransient?: boolean
  readonly retryAfterSeconds?: number | undefined
}

type Sentences = {
  readonly [T in ProvisionProgress['type']]: (step: Extract<ProvisionProgress, { type: T }>) => string
}

const SENTENCES: Sentences = {
  'state.found': ({ clientId }) =>
    `This device is already provisioned as ${clientId}. To enroll it again, delete its state.`,
  'attempt.resumed': ({ keyId }) => `Resuming the interrupted request with the key ${keyId}.`,
  'key.received': ({ keyId, expiresInSeconds }) =>
    `Got the key ${keyId}, which expires in ${expiresInSeconds} seconds.`,
  'state.saved': ({ has }) =>
    has === 'result' ? 'Saved the result.' : 'Saved the request before sending it.',
  'clock.corrected': ({ bySeconds }) => `The clock of this machine is wrong by ${bySeconds} seconds.`,
  'retry.scheduled': ({ reason, delaySeconds }) => `${reason} Trying again in ${delaySeconds.toFixed(1)} s.`,
  'key.redeemed': ({ keyId, clientId }) => `Redeemed the key ${keyId} as ${clientId}.`,
  'enrollment.confirmed': ({ clientId }) => `Confirmed the enrollment of ${clientId}.`,
  'binding.recovered': ({ clientId }) => `The answer was lost, but ${clientId} is bound.`,
  'registration.recovered': ({ clientId }) => `The answer was lost, but ${clientId} is registered.`,
  'binding.renewed': ({ clientId }) => `${clientId} has a new key pair.`,
  'renewal.failed': ({ reason }) => `The key pair was not renewed: ${reason}`,
}

const REMEDIES: Readonly<Record<string, string>> = {
  you: 'You must correct this.',
  issuer: 'The operator of the issuer must correct this.',
  network: 'Somebody must correct the network.',
}

/** A message that says what the user can do. */
const OTHERWISE = /\. If /

/**
 * Writes progress and errors: sentences on a terminal, JSON lines in a pipe. It removes secrets from everything that it
 * writes, because a server can quote them in its answers.
 */
export class Report {
  readonly #write: (line: string) => unknown
  readonly #isTerminal: boolean
  readonly #secrets = new Redaction()

  constructor(write: (line: string) => unknown, isTerminal: boolean) {
    this.#write = write
    this.#isTerminal = isTerminal
  }

  /** Never writes this text from now on. */
  hide(secret: string): void {
    const text = secret.trim()
    if (text !== '') this.#secrets.hide(text, '(a secret)')
  }

  progress(step: ProvisionProgress): void {
    const sentence = SENTENCES[step.type] as (step: ProvisionProgress) => string
    this.#line(sentence(step), step)
  }

  error(error: ReportedError): void {
    this.#line(sentenceOf(error), { type: 'error', ...error })
  }

  /** Replaces all secrets in a text. */
  redact(text: string): string {
    return this.#secrets.redact(withoutTokens(text))
  }

  /** A copy of facts in which no text contains a secret. */
  redactAll<T extends object>(facts: T): T {
    return JSON.parse(this.#json(facts))
  }

  #line(sentence: string, facts: object): void {
    const text = this.#isTerminal ? plain(this.redact(sentence)) : plainJson(this.#json(facts))
    this.#write(`${text}\n`)
  }

  /** Secrets are replaced first, because JSON escapes some of their characters. */
  #json(facts: object): string {
    return JSON.stringify(facts, (_, value) => (typeof value === 'string' ? this.redact(value) : value))
  }
}

function sentenceOf({ message: text, blame, isTransient, retryAfterSeconds }: ReportedError): string {
  const isFollowed = blame !== undefined || isTransient
  const message = isFollowed && !/[.!?]$/.test(text) ? `${text}.` : text
  // Time alone corrects nothing that the user must correct, such as a missing folder.
  if (blame === 'you' && isTransient) return `error: ${message} Correct this, and then run the command again.`
  const remedy =
    blame === undefined
      ? ''
      : REMEDIES[blame]?.replace(/^The/, OTHERWISE.test(message) ? 'Otherwise, the' : 'The')
  const when = retryAfterSeconds === undefined ? 'later' : `in ${retryAfterSeconds} seconds`
  return ['error:', message, remedy, isTransient ? `Try again ${when}.` : ''].filter(Boolean).join(' ')
}
