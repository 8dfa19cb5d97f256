import { AccessTokens } from './access-tokens.js'
import { authenticatedFetch } from './authenticated-fetch.js'
import { type Device, Enrollment } from './enrollment.js'
import { Issuer } from './issuer.js'
import { type ProvisionOptions, parseOptions, type Settings } from './options.js'
import { Patience } from './patience.js'
import type { OnProgress } from './progress.js'
import { ServerClock } from './server-clock.js'
import { memoryState, type ProvisionAction } from './state.js'

/**
 * A device that has redeemed its key.
 *
 * @example
 * async function report(device: Provisioned): Promise<number> {
 *   const body = JSON.stringify({ celsius: 21.5 })
 *   return (await device.fetch('https://api.example.com/telemetry', { method: 'POST', body })).status
 * }
 */
export interface Provisioned {
  readonly action: ProvisionAction
  /** The client id of the device. For `token`, the identity that the key was for. */
  readonly clientId: string
  /** The answer of the issuer. It contains secrets, unless the action is `bind`. */
  readonly answer: Readonly<Record<string, unknown>>
  /** The thumbprint of the key pair that the device has at the end of the call (RFC 7638). */
  readonly thumbprint: string
  /**
   * Why the key pair is older than `renewAfterSeconds`: the renewal has failed, and the device keeps its key pair. Usually
   * a `ProvisionError`.
   */
  readonly renewalError?: unknown
  /**
   * Sends a request with an access token and a DPoP proof. It gets a new token when the last one has ended or is refused. It
   * does not follow redirects. It sends the request again only if the API answered 401 and the body is no stream.
   *
   * @throws ProvisionError if it cannot get a token; else what `fetch` throws
   */
  readonly fetch: typeof fetch
}

/**
 * Gets a provisioning key and redeems it, once in the life of a device. You can call it at each start: if the state has a
 * result, it reads no key and sends no request.
 *
 * @throws ConfigurationError if options are wrong; `ProvisionError` if the device cannot be provisioned; the reason of
 *   `signal` if it is aborted
 * @example
 * const device = await provision({
 *   issuer: 'https://auth.example.com',
 *   action: 'bind',
 *   key: secretFromFile('/run/credentials/agent/provisioning-key'),
 *   scope: 'telemetry:write',
 *   state: fileState('/var/lib/agent/identity.json'),
 * })
 * await device.fetch('https://api.example.com/telemetry', { method: 'POST', body: '{"celsius":21.5}' })
 */
export async function provision(options: ProvisionOptions): Promise<Provisioned> {
  const settings = parseOptions(options)
  const { action, deadlineSeconds, signal } = settings
  signal?.throwIfAborted()
  const device = newDevice(settings)
  const patience = new Patience({ deadlineSeconds, signal, notify: device.connection.notify })
  const enrollment = new Enrollment(device, patience)
  const result = await enrollment.result()
  const { renewalError } = enrollment
  return {
    action,
    clientId: result.clientId,
    answer: JSON.parse(result.answer),
    thumbprint: result.thumbprint,
    ...(renewalError !== undefined && { renewalError }),
    fetch: authenticatedFetch(device.connection, new AccessTokens(device, result)),
  }
}

function newDevice(settings: Settings): Device {
  const connection = {
    // The global fetch is looked up for each request, so that a tool can still replace it.
    fetch: settings.fetch ?? ((input, init) => fetch(input, init)),
    clock: new ServerClock(),
    nonces: new Map<string, string>(),
    notify: quietly(settings.onProgress),
  } satisfies Device['connection']
  let found: Promise<Issuer> | undefined
  return {
    settings,
    connection,
    storage: settings.state ?? memoryState(),
    issuer(patience) {
      found ??= Issuer.discover(connection, settings.issuer, patience).catch((error) => {
        found = undefined
        throw error
      })
      return found
    },
  }
}

/** An observer must not keep a device from its work. */
function quietly(onProgress: OnProgress | undefined): OnProgress {
  return (progress) => {
    try {
      onProgress?.(progress)
    } catch {}
  }
}
