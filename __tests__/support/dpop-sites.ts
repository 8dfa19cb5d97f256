import { randomUUID } from 'node:crypto'
import { Agent } from 'node:https'
import type { Test } from 'supertest'
import { memoryStore, type ProvisioningOptions, type ProvisioningStore } from '../../lib/index.js'
import type { ClientKey } from './client-assertion.js'
import { type ProofParts, type ProofTarget, signProof } from './proof.js'
import { refOf } from './redeeming.js'
import { askForKey, EXCHANGE, JWT_TYPE, postForm, send } from './requests.js'
import { AUDIENCE, ISSUER, type RunningServer, startServer } from './server.js'

export const TOKEN_TARGET: ProofTarget = { method: 'POST', url: `${ISSUER}/oauth/token` }

/** A place that accepts DPoP proofs, and its answers. */
export interface Site {
  readonly name: string
  readonly target: ProofTarget
  /** The status for a refused proof: 400 at the token endpoint, 401 at a resource (RFC 9449 5, 7.1). */
  readonly refusal: 400 | 401
  readonly success: 200 | 201
  /** The form that gets a key for this place; `undefined` at issuance, where no key is presented. */
  readonly form: (() => Record<string, string>) | undefined
  /** Whether the key is in the `Authorization` header. Then a proof must name it (RFC 9449 7). */
  readonly namesKey: boolean
  readonly presented: (server: RunningServer, key: string) => Test
}

function authorized(request: Test, key: string): Test {
  return request.set('Authorization', `DPoP ${key}`)
}

export const SITES: readonly Site[] = [
  {
    name: 'issuance',
    target: TOKEN_TARGET,
    refusal: 400,
    success: 200,
    form: undefined,
    namesKey: false,
    presented: (server) => askForKey(server, { scope: 'devices:read' }),
  },
  {
    name: 'token exchange',
    target: TOKEN_TARGET,
    refusal: 400,
    success: 200,
    form: () => ({ scope: 'provision:token devices:read' }),
    namesKey: false,
    presented: (server, key) =>
      postForm(server, '/oauth/token', {
        grant_type: EXCHANGE,
        subject_token: key,
        subject_token_type: JWT_TYPE,
      }),
  },
  {
    name: 'bind',
    target: { method: 'POST', url: `${ISSUER}/oauth/bind` },
    refusal: 401,
    success: 201,
    form: () => ({ scope: 'provision:bind', requested_subject: `device:${randomUUID()}` }),
    namesKey: true,
    presented: (server, key) => authorized(send(server, 'post', '/oauth/bind').send({}), key),
  },
  {
    name: 'register',
    target: { method: 'POST', url: `${ISSUER}/oauth/register` },
    refusal: 401,
    success: 201,
    form: () => ({ scope: 'provision:register devices:read' }),
    namesKey: true,
    presented: (server, key) =>
      authorized(send(server, 'post', '/oauth/register').send({ scope: 'devices:read' }), key),
  },
  {
    name: 'requireProvisioningKey()',
    target: { method: 'GET', url: `${AUDIENCE}/devices` },
    refusal: 401,
    success: 200,
    form: () => ({ scope: 'devices:read' }),
    namesKey: true,
    presented: (server, key) => authorized(send(server, 'get', '/devices'), key),
  },
  {
    name: 'redeemProvisioningKey()',
    target: { method: 'POST', url: `${AUDIENCE}/devices` },
    refusal: 401,
    success: 201,
    form: () => ({ scope: 'devices:create' }),
    namesKey: true,
    presented: (server, key) => authorized(send(server, 'post', '/devices'), key),
  },
]

/** A server with its store, and a list of the writes to this store. */
export interface WatchedServer extends RunningServer {
  readonly store: ProvisioningStore
  /** The verbs that have changed something in the store so far. */
  readonly writes: string[]
}

export async function startWatched(options: Partial<ProvisioningOptions> = {}): Promise<WatchedServer> {
  const store = memoryStore(options.now === undefined ? {} : { now: options.now })
  const writes: string[] = []
  const noting =
    <A extends unknown[], R>(verb: string, ask: (...args: A) => Promise<R>) =>
    async (...args: A): Promise<R> => {
      const answer = await ask(...args)
      if (/^(recorded|claimed|resumed|settled|released|revoked|first)$/.test(String(answer)))
        writes.push(verb)
      return answer
    }
  const watched: ProvisioningStore = {
    ...store,
    record: noting('record', store.record),
    redeem: noting('redeem', store.redeem),
    settle: noting('settle', store.settle),
    release: noting('release', store.release),
    revoke: noting('revoke', store.revoke),
    revokeFamily: noting('revokeFamily', store.revokeFamily),
    revokeIssuedBefore: noting('revokeIssuedBefore', store.revokeIssuedBefore),
    useOnce: noting('useOnce', store.useOnce),
  }
  const server = await startServer({ options: { store: watched, ...options } })
  return { ...server, store, writes }
}

/** A key for a site, bound to `holder`; an empty text at issuance. */
export async function boundKey(
  server: RunningServer,
  { form }: Site,
  holder: ClientKey,
  parts: ProofParts & { now?: number } = {},
): Promise<string> {
  if (form === undefined) return ''
  const proof = signProof(holder, TOKEN_TARGET, parts)
  const { status, body } = await askForKey(server, form()).agent(CONNECTION).set('DPoP', proof)
  if (status !== 200 || body.token_type !== 'DPoP') throw new Error(`no bound key: ${JSON.stringify(body)}`)
  return body.access_token
}

/** A proof that a site accepts, except for `parts`. */
export function proofAt(
  { target, namesKey }: Site,
  holder: ClientKey,
  key: string,
  parts: ProofParts & { now?: number } = {},
): string {
  return signProof(holder, target, { ...(namesKey && { token: key }), ...parts })
}

/** Requests share one connection, because each connection costs a handshake. */
const CONNECTION = new Agent({ keepAlive: true })

/** Presents a key with any number of proofs. */
export function presentAt(server: RunningServer, site: Site, key: string, ...proofs: string[]): Test {
  const request = site.presented(server, key).agent(CONNECTION)
  // Each element of a list becomes a separate header field.
  return proofs.length === 0 ? request : request.set('DPoP', proofs as unknown as string)
}

/** The state of a key. After a refusal it must still be `issued`. */
export async function stateOf(server: WatchedServer, key: string): Promise<string | undefined> {
  return key === '' ? 'issued' : (await server.store.find(refOf(key)))?.state
}
