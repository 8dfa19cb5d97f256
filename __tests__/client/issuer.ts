import express from 'express'
import {
  type ProvisionError,
  type ProvisionOptions,
  type ProvisionProgress,
  provision,
  type StateStorage,
} from '../../lib/client/client.js'
import type { PolicyOptions, ProvisioningOptions } from '../../lib/index.js'
import { fetchTrusting } from '../support/foreign-fetch.js'
import { type RunningServer, SECRET, startServer } from '../support/server.js'

/** An HTTPS issuer with an API, for devices. */
export interface TestIssuer extends RunningServer {
  /** Sends requests to it, and trusts its certificate. */
  readonly fetch: typeof fetch
  /** The requests that reached it, such as `POST /oauth/bind`. */
  readonly requests: string[]
  /** A provisioning key for a device, that is not bound to a DPoP key. */
  keyFor(subject: string, scope: string): Promise<string>
}

const SCOPES = ['provision:token', 'provision:bind', 'provision:register', 'telemetry:write']

export interface IssuerPlan {
  readonly policy?: Partial<PolicyOptions>
  readonly options?: Partial<ProvisioningOptions>
  /** Runs before everything else. */
  readonly before?: express.RequestHandler
}

export async function startIssuer({ policy, options, before }: IssuerPlan = {}): Promise<TestIssuer> {
  const requests: string[] = []
  const fleet = { subjects: ['device:*'], ...policy }
  const server = await startServer({
    optionsAt: (origin) => ({
      issuer: origin,
      audience: origin,
      policy: { scopes: SCOPES, ...(policy?.rebinding && { rebinding: policy.rebinding }) },
      clients: [{ clientId: 'fleet', clientSecret: SECRET, policy: fleet }],
      ...options,
    }),
    mount(app, keys) {
      app.use((req, _res, next) => {
        requests.push(`${req.method} ${req.path}`)
        next()
      })
      if (before !== undefined) app.use(before)
      app.use(keys.router())
      const guard = keys.requireAccessToken({ scope: 'telemetry:write' })
      app.post('/telemetry', guard, express.text({ type: '*/*' }), (req, res) => {
        res.json({ from: req.accessToken?.clientId, sent: req.body })
      })
      app.use(keys.errorHandler())
    },
  })
  const trusting = fetchTrusting(server.cert) as unknown as typeof fetch
  return {
    ...server,
    requests,
    fetch: trusting,
    async keyFor(subject, scope) {
      const response = await trusting(`${server.origin}/oauth/token`, {
        method: 'POST',
        headers: { Authorization: `Basic ${btoa(`fleet:${SECRET}`)}` },
        body: new URLSearchParams({
          grant_type: 'client_credentials',
          requested_subject: subject,
          scope,
        }),
      })
      return ((await response.json()) as { access_token: string }).access_token
    },
  }
}

/** A state in memory, whose text tests can read. */
export function memoryOf(text?: string): StateStorage & { text: string | undefined; saves: number } {
  return {
    text,
    saves: 0,
    load() {
      return this.text
    },
    save(next) {
      this.text = next
      this.saves += 1
    },
    clear() {
      this.text = undefined
    },
  }
}

/** The options of a device that the client `fleet` provisions, with its progress. */
export function deviceOf(
  issuer: TestIssuer,
  overrides: Partial<ProvisionOptions> = {},
): ProvisionOptions & { readonly progress: ProvisionProgress[] } {
  const progress: ProvisionProgress[] = []
  const options: ProvisionOptions = {
    issuer: issuer.origin,
    action: 'bind',
    client: { id: 'fleet', secret: SECRET },
    subject: 'device:7',
    scope: 'telemetry:write',
    state: memoryOf(),
    fetch: issuer.fetch,
    deadlineSeconds: 10,
    onProgress: (step) => progress.push(step),
    ...overrides,
  }
  // `progress` is for the test alone, and provision() rejects unknown options.
  return Object.defineProperty(options, 'progress', { value: progress }) as never
}

/** The error that a device gets. */
export async function failureOf(options: ProvisionOptions): Promise<ProvisionError> {
  return provision(options).then(
    ({ clientId }) => {
      throw new Error(`expected an error, but ${clientId} was provisioned`)
    },
    (error) => error,
  )
}
