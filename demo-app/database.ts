import { closeSync, fchmodSync, openSync, readSync, realpathSync } from 'node:fs'
import {
  type Client,
  type ClientRegistry,
  hashSecret,
  type ProvisioningStore,
} from 'express-provisioning-keys'
import { keyvClientRegistry } from 'express-provisioning-keys/keyv'
import { Keyv } from 'keyv'
import { CLIENT_POLICY } from './app'
import { EnvironmentError, quote } from './environment'
import { KeyvSqliteFile } from './sqlite'

/** The clients of the demo in a file, which outlives it. */
export interface ClientDatabase {
  readonly registry: ClientRegistry
  close(): Promise<void>
}

/**
 * @param lock what keeps the changes of several processes apart; default: there is one, and nobody else may open the file
 * @throws EnvironmentError when there can be no such file, or another program has it open
 */
export function openDatabase(path: string, lock?: Pick<ProvisioningStore, 'useOnce'>): ClientDatabase {
  const release = lock === undefined ? claimDatabase(path) : async () => undefined
  return explained(path, () => {
    closeToOthers(path)
    const store = new KeyvSqliteFile(path, { alone: lock === undefined })
    const registry = keyvClientRegistry(new Keyv({ store, throwOnErrors: true }), { lock: lock ?? 'process' })
    return { registry, close: () => store.disconnect().then(release) }
  })
}

/**
 * Has the database for one demo alone, of however many processes, until the answer is called or this process ends. A
 * file beside it is locked for that: what several processes have open together, none of them can lock.
 *
 * @throws EnvironmentError when there can be no such file, or it is another demo's
 */
export function claimDatabase(path: string): () => Promise<void> {
  return explained(path, () => {
    closeToOthers(path)
    const beside = `${realpathSync(path)}.lock`
    closeToOthers(beside)
    const claim = new KeyvSqliteFile(beside, { alone: true })
    return () => claim.disconnect()
  })
}

function explained<T>(path: string, open: () => T): T {
  try {
    return open()
  } catch (error) {
    const { code = 'unknown', message } = error as NodeJS.ErrnoException
    throw new EnvironmentError(
      `DEMO_DATABASE: expected a file for the clients, got ${quote(path)}, ${FAULTS[code] ?? message}`,
    )
  }
}

/** Nobody else on this machine is to read who the clients are. What SQLite puts beside the file has the same mode. */
function closeToOthers(path: string): void {
  const file = openSync(path, 'a+', 0o600)
  try {
    const begin = Buffer.alloc(SQLITE.length)
    const length = readSync(file, begin, 0, begin.length, 0)
    // Any other file is not ours to change.
    if (length > 0 && !begin.equals(SQLITE)) throw Object.assign(new Error(), { code: 'SQLITE_NOTADB' })
    fchmodSync(file, 0o600)
  } finally {
    closeSync(file)
  }
}

/** What every SQLite database begins with. */
const SQLITE = Buffer.from('SQLite format 3\0')

const FAULTS: Readonly<Record<string, string>> = {
  ENOENT: 'whose folder does not exist',
  ENOTDIR: 'whose folder is no folder',
  EISDIR: 'which is a folder',
  EACCES: 'which this user may not write',
  EPERM: 'which is not of this user',
  EROFS: 'which cannot be written',
  SQLITE_READONLY: 'which cannot be written',
  SQLITE_BUSY: 'which another demo or program has open',
  SQLITE_NOTADB: 'which is no SQLite database',
}

/** Keeps a client of the configuration as it is configured now, with what it has bound since it was configured first. */
export async function enrol(registry: ClientRegistry, clientId: string, clientSecret: string): Promise<void> {
  const kept = await registry.find(clientId)
  const { bindings, boundMethods = [] } = kept?.deletedAt === undefined ? (kept ?? {}) : {}
  const client: Client = {
    clientId,
    revision: (kept?.revision ?? 0) + 1,
    secretHash: hashSecret(clientSecret),
    authenticationMethods: ['client_secret_basic', 'client_secret_post', ...boundMethods],
    policy: CLIENT_POLICY,
    ...(bindings && { bindings, boundMethods }),
  }
  await registry.save(client)
}
