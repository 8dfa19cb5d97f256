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

/** Clients in a file, so that they survive a restart of the demo. */
export interface ClientDatabase {
  readonly registry: ClientRegistry
  close(): Promise<void>
}

/**
 * @param lock serializes the changes of several processes. Default: one process has the file for itself.
 * @throws EnvironmentError if the file cannot be opened, or another program has it open
 */
export function openDatabase(path: string, lock?: Pick<ProvisioningStore, 'useOnce'>): ClientDatabase {
  const release = lock === undefined ? lockDatabase(path) : async () => undefined
  return namingFile(path, () => {
    makePrivate(path)
    const store = new KeyvSqliteFile(path, { alone: lock === undefined })
    const registry = keyvClientRegistry(new Keyv({ store, throwOnErrors: true }), { lock: lock ?? 'process' })
    return { registry, close: () => store.disconnect().then(release) }
  })
}

/**
 * Reserves the database for one demo until it calls the returned function or its process ends. The workers of that demo
 * share the file, so none of them can lock it. This locks a second file next to it instead.
 *
 * @throws EnvironmentError if the file cannot be opened, or another demo uses it
 */
export function lockDatabase(path: string): () => Promise<void> {
  return namingFile(path, () => {
    makePrivate(path)
    const lockFile = `${realpathSync(path)}.lock`
    makePrivate(lockFile)
    const lock = new KeyvSqliteFile(lockFile, { alone: true })
    return () => lock.disconnect()
  })
}

function namingFile<T>(path: string, open: () => T): T {
  try {
    return open()
  } catch (error) {
    const { code = 'unknown', message } = error as NodeJS.ErrnoException
    throw new EnvironmentError(`DEMO_DATABASE: cannot use ${quote(path)}: ${PROBLEMS[code] ?? message}`)
  }
}

/** Lets only this user read the file. SQLite gives its journal files the same mode. */
function makePrivate(path: string): void {
  const file = openSync(path, 'a+', 0o600)
  try {
    const start = Buffer.alloc(SQLITE.length)
    const length = readSync(file, start, 0, start.length, 0)
    // Never change a file of another kind.
    if (length > 0 && !start.equals(SQLITE)) throw Object.assign(new Error(), { code: 'SQLITE_NOTADB' })
    fchmodSync(file, 0o600)
  } finally {
    closeSync(file)
  }
}

/** The first bytes of every SQLite database. */
const SQLITE = Buffer.from('SQLite format 3\0')

const PROBLEMS: Readonly<Record<string, string>> = {
  ENOENT: 'its folder does not exist',
  ENOTDIR: 'its parent is not a folder',
  EISDIR: 'it is a folder',
  EACCES: 'you have no permission to write it',
  EPERM: 'another user owns it',
  EROFS: 'its file system is read-only',
  SQLITE_READONLY: 'it is read-only',
  SQLITE_BUSY: 'another demo or program has it open',
  SQLITE_NOTADB: 'it is not an SQLite database',
}

/** Stores the configured client. A client that is already there keeps its bindings. */
export async function saveConfiguredClient(
  registry: ClientRegistry,
  clientId: string,
  clientSecret: string,
): Promise<void> {
  const stored = await registry.find(clientId)
  const { bindings, boundMethods = [] } = stored?.deletedAt === undefined ? (stored ?? {}) : {}
  const client: Client = {
    clientId,
    revision: (stored?.revision ?? 0) + 1,
    secretHash: hashSecret(clientSecret),
    authenticationMethods: ['client_secret_basic', 'client_secret_post', ...boundMethods],
    policy: CLIENT_POLICY,
    ...(bindings && { bindings, boundMethods }),
  }
  await registry.save(client)
}
