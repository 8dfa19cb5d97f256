import { createHash, randomBytes } from 'node:crypto'
import { clientFault } from '../../clients/client-record.js'
import type { Client } from '../../ports/client.js'

/** What lies under the key of a client; without a `client`, nothing does. */
export interface StoredClient {
  readonly client?: Client
  /** Another one after every change, so that no two records are taken for each other. */
  readonly state: string
}

/** The state of a client that there is not. */
const NOBODY: StoredClient = Object.freeze({ state: 'nobody' })

/** A record that says another number is of another make, and is refused. */
const FORMAT = 1

/**
 * The key under which a client lies. A hash, since databases differ in how long a key may be, and in which they take
 * for equal: `Lamp` and `lamp`, or `lamp` and `lamp ` with a space. Without a colon, which Keyv may take for the end of
 * a namespace.
 */
export function keyOf(clientId: string): string {
  return `client-${createHash('sha256').update(clientId, 'utf8').digest('hex')}`
}

/**
 * What is kept of a client: ASCII, so that it is the same in every database.
 *
 * @throws TypeError when it would not be the same when it is read back
 */
export function recordOf(client: Client): string {
  const fault = clientFault(client)
  if (fault !== undefined) throw new TypeError(`The client cannot be kept: ${fault}.`)
  const record = { format: FORMAT, state: randomBytes(16).toString('base64url'), client }
  return JSON.stringify(record).replace(/[\x7f-\uffff]/g, escaped)
}

function escaped(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`
}

/**
 * Reads the stored record of a client. A missing record costs the work of a usual one, so that time does not tell which
 * clients exist.
 *
 * @throws Error when it is damaged, another's, or of a newer version
 */
export function readRecord(clientId: string, record: unknown): StoredClient {
  if (record === undefined || record === null) {
    parseRecord(clientId, DECOY)
    return NOBODY
  }
  const read = parseRecord(clientId, record)
  if (read.client?.clientId !== clientId) throw damaged(clientId, 'it is the record of another client')
  return read
}

/** Stands in for a missing client. */
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
 * Reads a record, all of it or none.
 *
 * @throws Error when it is damaged, or of a newer version, whose members may mean that it is to be refused
 */
function parseRecord(clientId: string, record: unknown): StoredClient {
  const value = typeof record === 'string' ? parsed(record) : undefined
  if (value === undefined) throw damaged(clientId, 'it is no JSON object')
  const { format, state, client, ...others } = value
  if (format !== FORMAT) throw damaged(clientId, `its format is not ${FORMAT}`)
  if (Object.keys(others).length > 0) throw damaged(clientId, 'it has more members than it should')
  if (typeof state !== 'string' || !/^[\w-]{22}$/.test(state)) throw damaged(clientId, 'it has no state')
  const fault = clientFault(client)
  if (fault !== undefined) throw damaged(clientId, fault)
  return { client: client as Client, state }
}

function parsed(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined
  } catch {
    return undefined
  }
}

function damaged(clientId: string, why: string): Error {
  return new Error(
    `The record of the client ${JSON.stringify(clientId)} is damaged, or of a newer version: ${why}.`,
  )
}
