import { generateKeyPairSync } from 'node:crypto'
import type { Test } from 'supertest'
import type { Reason } from '../../../lib/base/errors.js'
import type { ProvisioningOptions } from '../../../lib/index.js'
import { type Forgery, forgeKey } from '../forge.js'
import { askForKey, EXCHANGE, JWT_TYPE, obtainKey, postForm, send } from '../requests.js'
import type { RunningServer, ServerPlan } from '../server.js'

/** The parts of an answer that a case checks. */
export interface Answered {
  readonly status: number
  readonly body: { readonly error?: string; readonly error_description?: string }
  readonly headers: Readonly<Record<string, string>>
}

/** One refusal: the request that causes it, and the answer. */
export interface Case {
  readonly title: string
  readonly reason: Reason
  readonly status: number
  /** `undefined`: the answer must not name an error. */
  readonly error?: string
  readonly options?: Partial<ProvisioningOptions>
  /** Routes that replace the usual ones. */
  readonly mount?: NonNullable<ServerPlan['mount']>
  readonly headers?: Readonly<Record<string, RegExp>>
  readonly description?: RegExp
  act(server: RunningServer): PromiseLike<Answered>
}

export const BEARER = { 'www-authenticate': /^Bearer realm="auth\.example\.com"/ }
export const READ = { scope: 'devices:read' }

/** Presents a key at a guarded route. */
export function present(server: RunningServer, key: string): Test {
  return send(server, 'get', '/devices').set('Authorization', `Bearer ${key}`)
}

/** A refusal of a key that differs from a genuine one. All get the same answer. */
export function forged(
  title: string,
  reason: Reason,
  forgery: Forgery,
  options?: Partial<ProvisioningOptions>,
): Case {
  return {
    title,
    reason,
    status: 401,
    error: 'invalid_token',
    headers: {
      'www-authenticate':
        /error="invalid_token".*resource_metadata="https:\/\/api\.example\.com\/\.well-known/,
    },
    description: /^The provisioning key is not accepted\.$/,
    ...(options && { options }),
    act: async (server) => present(server, forgeKey(await obtainKey(server, READ), forgery)),
  }
}

/** A refusal at the token endpoint, of a request by an authenticated client. */
export function tokenRequest(
  title: string,
  reason: Reason,
  error: string,
  form: Record<string, string>,
  rest: Partial<Case> = {},
): Case {
  return { title, reason, status: 400, error, act: (server) => askForKey(server, form), ...rest }
}

/** A refusal of a token exchange. */
export function exchangeRequest(
  title: string,
  reason: Reason,
  form: Record<string, string | undefined>,
  scope = 'provision:token devices:read',
): Case {
  const act = async (server: RunningServer) =>
    postForm(server, '/oauth/token', {
      grant_type: EXCHANGE,
      subject_token: await obtainKey(server, { scope }),
      subject_token_type: JWT_TYPE,
      ...form,
    })
  return { title, reason, status: 400, error: 'invalid_request', act }
}

export async function register(
  server: RunningServer,
  metadata: object,
  form: Record<string, string> = {},
): Promise<Answered> {
  const key = await obtainKey(server, { scope: 'provision:register devices:read', ...form })
  return send(server, 'post', '/oauth/register').set('Authorization', `Bearer ${key}`).send(metadata)
}

export async function bind(server: RunningServer, body: object): Promise<Answered> {
  const key = await obtainKey(server, { scope: 'provision:bind' })
  return send(server, 'post', '/oauth/bind').set('Authorization', `Bearer ${key}`).send(body)
}

export const publicJwk = generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey.export({
  format: 'jwk',
})
