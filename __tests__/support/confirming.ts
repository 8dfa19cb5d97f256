import { hashSecret } from '../../lib/base/secret.js'
import type {
  ClientRegistry,
  PolicyOptions,
  ProvisioningEvent,
  ProvisioningOptions,
} from '../../lib/index.js'
import { memoryClientRegistry } from '../../lib/stores/memory/memory-clients.js'
import { ASSERTION_TYPE, type ClientKey, clientKey, signAssertion } from './client-assertion.js'
import { signProof } from './proof.js'
import { obtainKey, postForm, send } from './requests.js'
import { CLIENT, ISSUER, type RunningServer, SECRET, startServer, workingOptions } from './server.js'

/** The client that asks for the keys of the devices. */
export const FLEET = {
  clientId: CLIENT,
  revision: 1,
  secretHash: hashSecret(SECRET),
  authenticationMethods: ['client_secret_basic' as const],
  policy: { subjects: ['device:*'] },
}

export const CONFIRM_SECONDS = 60

/** A server with `confirmWithinSeconds`, whose clock a test can set forward. */
export interface ConfirmingSite {
  readonly server: RunningServer
  readonly registry: ClientRegistry
  readonly clock: { ahead: number }
  /** NumericDate of the server. */
  now(): number
  /** Lets the deadlines of everything that is not confirmed pass. */
  passDeadline(): void
  /** Binds the key to a new device, or to the given one. */
  bind(key?: ClientKey, subject?: string): Promise<BoundDevice>
  /** The events about one client. */
  eventsOf(clientId: string): readonly string[]
}

export interface BoundDevice {
  readonly clientId: string
  readonly key: ClientKey
  /** The provisioning key. */
  readonly token: string
  readonly status: number
  readonly body: Record<string, unknown>
  /** Sends the same request again. */
  repeat(): Promise<{ readonly status: number; readonly body: Record<string, unknown> }>
  /** Lists the bindings of the device as an authenticated client. */
  use(): Promise<{ readonly status: number; readonly body: Record<string, unknown> }>
}

let devices = 0

export async function startConfirmingSite(
  policy: PolicyOptions = {},
  { clients, ...options }: Partial<ProvisioningOptions> = {},
): Promise<ConfirmingSite> {
  const registry = (clients as ClientRegistry | undefined) ?? memoryClientRegistry([FLEET])
  const clock = { ahead: 0 }
  const now = () => Date.now() + clock.ahead * 1000
  const seconds = () => Math.floor(now() / 1000)
  // The keys outlive the deadline.
  const own = { confirmWithinSeconds: CONFIRM_SECONDS, lifetimeSeconds: 900 }
  const all = { ...workingOptions().policy, ...own, ...policy }
  const server = await startServer({ options: { policy: all, now, clients: registry, ...options } })

  async function bind(key = clientKey(), subject = newDeviceId()): Promise<BoundDevice> {
    const scope = 'provision:bind devices:read'
    const token = await obtainKey(server, { requested_subject: subject, scope })
    const repeat = () => {
      const target = { method: 'POST', url: `${ISSUER}/oauth/bind` }
      const proof = signProof(key, target, { token, now: now() / 1000 })
      return send(server, 'post', '/oauth/bind').set({ Authorization: `Bearer ${token}`, DPoP: proof })
    }
    const { status, body } = await repeat()
    const use = () => useAs(server, { clientId: subject, key, now: seconds() })
    return { clientId: subject, key, token, status, body, repeat, use }
  }

  return {
    server,
    registry,
    clock,
    now: seconds,
    passDeadline() {
      clock.ahead += CONFIRM_SECONDS + 1
    },
    bind,
    eventsOf: (clientId) => server.events.filter(isAbout(clientId)).map(({ type }) => type),
  }
}

export function newDeviceId(): string {
  devices += 1
  return `device:${devices}`
}

/** Lists the bindings of a client that authenticates with a private key. */
export function useAs(
  server: RunningServer,
  { clientId, key, now }: { readonly clientId: string; readonly key: ClientKey; readonly now: number },
  path = '/oauth/bindings',
  form: Record<string, string> = {},
) {
  const assertion = signAssertion(key, { clientId, audience: ISSUER, now })
  return postForm(server, path, {
    client_assertion: assertion,
    client_assertion_type: ASSERTION_TYPE,
    ...form,
  })
}

/** The events about a confirmation or an undo. */
function isAbout(clientId: string) {
  return (event: ProvisioningEvent) =>
    /^(binding|registration)\.(confirmed|undone)$|^client\.unbound$/.test(event.type) &&
    'clientId' in event &&
    event.clientId === clientId
}
