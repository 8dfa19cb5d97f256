import { createHash, randomBytes } from 'node:crypto'
import { parseObject } from '../../base/object.js'
import { clientFault } from '../../clients/client-record.js'
import type { Client } from '../../ports/client.js'

/** The database entry of a client; without a `client` if there is none. */
export interface StoredClient {
  readonly client?: Client
  /** A random name. Each change gives the record a new one, so that no two records can be confused. */
  readonly state: string
}

const MISSING: StoredClient = Object.freeze({ state: 'missing' })

/** The version of the record format. Other versions are rejected. */
const FORMAT = 1

/**
 * The database key of a client. It is a hash, because databases limit the length of keys, and some take `Lamp` and
 * `lamp`, or `lamp` and `lamp ` with a space, for the same key. It has no colon, because Keyv may take one for the end
 * of a namespace.
 */
export function keyOf(clientId: string): string {
  return `client-${createHash('sha256').update(clientId, 'utf8').digest('hex')}`
}

/**
 * The record of a client: JSON in ASCII, which every database gives back unchanged.
 *
 * @throws TypeError when JSON would change the client
 */
export function recordOf(client: Client): string {
  const fault = clientFault(client)
  if (fault !== undefined) throw new TypeError(`The client cannot be saved: ${fault}.`)
  const record = { format: FORMAT, state: randomBytes(16).toString('base64url'), client }
  return JSON.stringify(record).replace(/[\x7f-\uffff]/g, escaped)
}

function escaped(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`
}

/**
 * Reads the stored record of a client. A missing record costs as much work as a usual one, so that the time does not
 * show which clients exist.
 *
 * @throws Error when the record is damaged, of another client, or of a newer version
 */
export function readRecord(clientId: string, record: unknown): StoredClient {
  if (record === undefined || record === null) {
    parseRecord(clientId, DECOY)
    return MISSING
  }
  const read = parseRecord(clientId, record)
  if (read.client?.clientId !== clientId) throw damaged(clientId, 'it is the record of another client')
  return read
}

/** A usual record. It is read if a client is missing. */
const DECOY = recordOf({
  clientId: 'nobody',
  revision: 1,
  secretHash: `hmac-sha256:${'A'.repeat(22)}:${'A'.repeat(43)}`,
  authenticationMethods: ['client_secret_basic'],
  policy: {
    scopes: [],
    audiences: [],
    lifetimeSeconds: 300,
    maxLifetimeSeconds: 900,
    networks: [],
    subjects: [],
  },
})

/**
 * Reads a whole record. A record with unknown members is rejected, because a newer version may use them to lock a
 * client.
 *
 * @throws Error when the record is damaged, or of a newer version
 */
function parseRecord(clientId: string, record: unknown): StoredClient {
  const value = typeof record === 'string' ? parseObject(record) : undefined
  if (value === undefined) throw damaged(clientId, 'it is not a JSON object')
  const { format, state, client, ...others } = value
  if (format !== FORMAT) throw damaged(clientId, `its format is not ${FORMAT}`)
  if (Object.keys(others).length > 0) throw damaged(clientId, 'it has unknown members')
  if (typeof state !== 'string' || !/^[\w-]{22}$/.test(state))
    throw damaged(clientId, 'it has no valid state')
  const fault = clientFault(client)
  if (fault !== undefined) throw damaged(clientId, fault)
  return { client: client as Client, state }
}

function damaged(clientId: string, why: string): Error {
  return new Error(
    `The record of the client ${JSON.stringify(clientId)} is damaged, or of a newer version: ${why}.`,
  )
}
