import { withoutUndefined } from '../base/object.js'
import type { Client, ClientMetadata } from '../ports/client.js'

/** The answer about a registration (RFC 7591 3.2.1, RFC 7592 3). `http/` adds the `registration_client_uri`. */
export interface ClientInformation extends ClientMetadata {
  readonly client_id: string
  /** Only a new secret: the registry stores its hash, so it cannot be shown again. */
  readonly client_secret?: string
  /** NumericDate; 0: it does not expire. Absent if the client has no secret. */
  readonly client_secret_expires_at?: number
  /** NumericDate. */
  readonly client_id_issued_at: number
  readonly registration_access_token: string
  /** NumericDate, if the registration waits for its first use. */
  readonly confirm_by?: number
}

export function informationOf(
  { clientId, metadata, secretHash, secretExpiresAt = 0, registration }: Client,
  { token, secret }: { readonly token: string; readonly secret?: string | undefined },
): ClientInformation {
  return withoutUndefined({
    ...metadata,
    client_id: clientId,
    client_id_issued_at: registration?.issuedAt ?? 0,
    client_secret: secret,
    client_secret_expires_at: secretHash === undefined ? undefined : secretExpiresAt,
    registration_access_token: token,
    confirm_by: registration?.confirmBy,
  })
}
