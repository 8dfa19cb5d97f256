import type { Test } from 'supertest'
import { obtainKey, send } from './requests.js'
import { ISSUER, type RunningServer } from './server.js'

/** The answer to a registration. */
export interface Registered {
  readonly client_id: string
  readonly client_secret: string
  readonly registration_access_token: string
  readonly registration_client_uri: string
  readonly [member: string]: unknown
}

/** The scope of a key for registration. The client can get the last two values. */
export const REGISTERING = 'provision:register provision:token devices:read'

/** Registers a client. If that fails, the test fails. */
export async function registerClient(
  server: RunningServer,
  metadata: object = { scope: 'devices:read' },
  form: Record<string, string> = {},
): Promise<Registered> {
  const key = await obtainKey(server, { scope: REGISTERING, ...form })
  const { status, body, text } = await send(server, 'post', '/oauth/register')
    .set('Authorization', `Bearer ${key}`)
    .send(metadata)
  if (status !== 201) throw new Error(`not registered: ${status} ${text}`)
  return body
}

/** The path at which a client manages its registration, from the answer to the registration. */
export function pathOf({
  registration_client_uri: uri,
}: Pick<Registered, 'registration_client_uri'>): string {
  return uri.replace(ISSUER, '')
}

/** A request with which a client manages its registration. */
export function manage(
  server: RunningServer,
  method: 'get' | 'put' | 'delete' | 'post' | 'head',
  client: Pick<Registered, 'registration_client_uri' | 'registration_access_token'>,
): Test {
  return send(server, method, pathOf(client)).set(
    'Authorization',
    `Bearer ${client.registration_access_token}`,
  )
}

/** An update of a client: the registered metadata with changes, without the members that only the server sets. */
export function update(
  server: RunningServer,
  client: Registered,
  changes: Record<string, unknown> = {},
): Test {
  const {
    registration_access_token: _,
    registration_client_uri: __,
    client_id_issued_at: ___,
    client_secret_expires_at: ____,
    ...kept
  } = client
  return manage(server, 'put', client).send({ ...kept, ...changes })
}
