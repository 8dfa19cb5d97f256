import express, { type Express, type RequestHandler } from 'express'
import type { Test } from 'supertest'
import {
  memoryStore,
  type ProvisioningKeys,
  type ProvisioningOptions,
  type ProvisioningStore,
  type RedemptionHandler,
} from '../../lib/index.js'
import type { KeyState } from '../../lib/testing/testing.js'
import { type ExactAnswer, exactly } from './exact.js'
import { decodeJwt } from './forge.js'
import { obtainKey, send } from './requests.js'
import { AUDIENCE, CLIENT, type RunningServer, startServer } from './server.js'

/** Whether the suite runs on Express 4, which ignores the rejection of a handler. */
export const IS_EXPRESS_4 = 'del' in express.application

/** A server with one redeeming route, `POST /act`, and its store. */
export interface RedeemingServer extends RunningServer {
  readonly store: ProvisioningStore
  /** A new key for `/act`. */
  key(): Promise<string>
  act(key: string): Test
  /** The same without supertest, which hides some details. */
  actExactly(key: string): Promise<ExactAnswer>
  stateOf(key: string): Promise<KeyState | undefined>
}

export interface RedeemingPlan {
  /** The handlers of the route, behind the guard. */
  readonly handlers?: readonly RequestHandler[]
  /** A handler that returns its answer, instead of `handlers`. */
  readonly returns?: RedemptionHandler
  /** The handlers before the guard. */
  readonly before?: readonly RequestHandler[]
  /** Verbs of the store that are replaced. */
  readonly verbs?: (store: ProvisioningStore) => Partial<ProvisioningStore>
  readonly options?: Partial<ProvisioningOptions>
}

export const REDEEM = { scope: 'devices:create', audience: AUDIENCE }

export async function startRedeeming(plan: RedeemingPlan): Promise<RedeemingServer> {
  const memory = memoryStore()
  const store = { ...memory, ...plan.verbs?.(memory) }
  const mount = (app: Express, keys: ProvisioningKeys) => {
    app.use(keys.router())
    const guard = plan.returns
      ? keys.redeemProvisioningKey(REDEEM, plan.returns)
      : keys.redeemProvisioningKey(REDEEM)
    app.all('/act', ...(plan.before ?? []), guard, ...(plan.handlers ?? []))
    app.use(keys.errorHandler())
  }
  const server = await startServer({ options: { store, ...plan.options }, mount })
  return {
    ...server,
    store: memory,
    key: () => obtainKey(server, { scope: 'devices:create devices:read' }),
    act: (key) => send(server, 'post', '/act').set('Authorization', `Bearer ${key}`),
    actExactly: (key) => exactly(server, { path: '/act', headers: { Authorization: `Bearer ${key}` } }),
    stateOf: async (key) => (await memory.find(refOf(key)))?.state,
  }
}

/** Runs a test with such a server and closes it. */
export async function withRedeeming(
  plan: RedeemingPlan,
  test: (server: RedeemingServer) => Promise<void>,
): Promise<void> {
  const server = await startRedeeming(plan)
  try {
    await test(server)
  } finally {
    await server.close()
  }
}

/** The names of a key of the default client. */
export function refOf(key: string): { clientId: string; jti: string } {
  return { clientId: CLIENT, jti: String(decodeJwt(key).payload.jti) }
}

/** The names of a key as operators pass them. */
export function keyRefOf(key: string): { clientId: string; keyId: string } {
  const { clientId, jti: keyId } = refOf(key)
  return { clientId, keyId }
}

/** A promise and the function that fulfils it. */
export function gate(): { readonly opened: Promise<void>; readonly open: () => void } {
  let open = () => {}
  const opened = new Promise<void>((resolve) => {
    open = resolve
  })
  return { opened, open }
}

/** Waits until a condition holds, and fails after twenty seconds. */
export async function until(isSo: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = Date.now() + 20_000
  while (!(await isSo())) {
    if (Date.now() > deadline) throw new Error('it never became so')
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}

/** A store with the delays of a network. */
export function farAway(store: ProvisioningStore): Partial<ProvisioningStore> {
  const pause = () => new Promise((resolve) => setTimeout(resolve, 15))
  return {
    redeem: (...args) => pause().then(() => store.redeem(...args)),
    settle: (...args) => pause().then(() => store.settle(...args)),
    release: (...args) => pause().then(() => store.release(...args)),
  }
}
