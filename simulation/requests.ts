import { setImmediate as settled } from 'node:timers/promises'
import type { Express } from 'express'
import { makeProof } from '../lib/testing/forged-token.js'
import type { Actor } from './actor'
import { exchange, type HttpAnswer, type HttpRequest } from './exchange'
import type { Timeline } from './timeline'

type Form = Readonly<Record<string, string>>

const ORIGIN = 'https://auth.example.com'
const EXCHANGE = {
  grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
  subject_token_type: 'urn:ietf:params:oauth:token-type:jwt',
}

/** An answer, with its token if it has one. */
export interface Answer extends HttpAnswer {
  readonly token: string | undefined
}

/** The requests that clients and attackers send. */
export class Requests {
  /** How many requests the server has answered. */
  sent = 0
  /** Is called for each request of a client that goes through the proxy. */
  onProxied: ((request: HttpRequest) => void) | undefined
  readonly #app: Express
  readonly #timeline: Timeline

  constructor(app: Express, timeline: Timeline) {
    this.#app = app
    this.#timeline = timeline
  }

  /** Asks for a key, as an authenticated client. */
  ask(actor: Actor, form: Form = {}): Promise<Answer> {
    return this.form(actor, '/oauth/token', { grant_type: 'client_credentials', ...form })
  }

  /** Redeems a key for an access token. */
  redeem(actor: Actor, key: string, form: Form = {}): Promise<Answer> {
    const body = formBody({ ...EXCHANGE, subject_token: key, ...form })
    return this.send(actor, { method: 'POST', path: '/oauth/token', body, proves: actor.dpop && '' })
  }

  /** Sends a form with the credentials of the client. */
  form(actor: Actor, path: string, form: Form): Promise<Answer> {
    const { clientId, secret } = actor
    const authorization = `Basic ${Buffer.from(`${clientId}:${secret}`).toString('base64')}`
    return this.send(actor, {
      method: 'POST',
      path,
      body: formBody(form),
      authorization,
      proves: actor.dpop && '',
    })
  }

  /** Sends a token to an endpoint that takes one. */
  present(
    actor: Actor,
    token: string,
    { method = 'GET', path = '/devices', json = '' } = {},
  ): Promise<Answer> {
    const authorization = `${actor.dpop === undefined ? 'Bearer' : 'DPoP'} ${token}`
    return this.send(actor, { method, path, json, authorization, proves: actor.dpop && token })
  }

  /** Registers a client with a key. */
  register(actor: Actor, key: string): Promise<Answer> {
    const json = JSON.stringify({ client_name: 'Device' })
    return this.present(actor, key, { method: 'POST', path: '/oauth/register', json })
  }

  async send(actor: Actor, given: Sent): Promise<Answer> {
    const request = this.#requestOf(actor, given)
    const answer = await this.repeat(request)
    this.onProxied?.(request)
    return answer
  }

  /** Sends the same bytes, and waits until the rules have seen the events. */
  async repeat(request: HttpRequest): Promise<Answer> {
    this.sent += 1
    const answer = await exchange(this.#app, request)
    await settled()
    const { access_token: token } = answer.body
    return { ...answer, token: typeof token === 'string' ? token : undefined }
  }

  #requestOf(
    actor: Actor,
    { method, path, body, json, authorization, proves, headers, isCleartext }: Sent,
  ): HttpRequest {
    const { address, userAgent, dpop, skewSeconds = 0 } = actor
    const now = Math.floor(this.#timeline.now / 1_000 + skewSeconds)
    const text = body ?? json ?? ''
    const plan = { method, url: `${ORIGIN}${path}`, now, token: proves || undefined }
    const proof = proves !== undefined && dpop && makeProof(dpop, plan)
    const type = body === undefined ? 'application/json' : 'application/x-www-form-urlencoded'
    return {
      method,
      path,
      address,
      body: text,
      isCleartext: isCleartext === true,
      headers: {
        'user-agent': userAgent,
        ...(text !== '' && { 'content-type': type }),
        ...(authorization !== undefined && { authorization }),
        ...(proof && { dpop: proof }),
        ...headers,
      },
    }
  }
}

/** The parts of a request that differ. */
export interface Sent {
  readonly method: string
  readonly path: string
  readonly body?: string
  readonly json?: string
  readonly authorization?: string
  /** Adds a DPoP proof: for this token, or for none if it is empty. */
  readonly proves?: string | undefined
  readonly headers?: Form
  readonly isCleartext?: boolean
}

export function formBody(form: Form): string {
  return new URLSearchParams(form).toString()
}
