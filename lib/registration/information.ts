import type { Client, ClientMetadata } from '../ports/client.js'

/** What a client is told of its registration (RFC 7591 3.2.1, RFC 7592 3), but for where it manages that. */
export interface ClientInformation extends ClientMetadata {
  readonly client_id: string
  /** Only when it is new: it is kept hashed, and cannot be told twice. */
  readonly client_secret?: string
  /** NumericDate; 0: it does not expire. Only where there is a secret. */
  readonly client_secret_expires_at?: number
  /** NumericDate. */
  readonly client_id_issued_at: number
  readonly registration_access_token: string
}

export function informationOf(
  { clientId, metadata, secretHash, secretExpiresAt = 0, registration }: Client,
  told: { readonly token: string; readonly secret?: string | undefined },
): ClientInformation {
  return {
    ...metadata,
    client_id: clientId,
    client_id_issued_at: registration?.issuedAt ?? 0,
    ...(told.secret !== undefined && { client_secret: told.secret }),
    ...(secretHash !== undefined && { client_secret_expires_at: secretExpiresAt }),
    registration_access_token: told.token,
  }
}
