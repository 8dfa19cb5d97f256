import { EventEmitter } from 'node:events'
import Database from 'libsql'

/** A Keyv storage adapter for SQLite. It uses `libsql`, because the `sqlite3` of `@keyv/sqlite` cannot be installed everywhere. */
export class KeyvSqliteFile extends EventEmitter {
  namespace: string | undefined
  readonly opts = { dialect: 'sqlite', url: 'sqlite:' }
  readonly #database: Database.Database

  /** Opens or creates the file. With `alone`, no other connection can open it until `disconnect()`. */
  constructor(path: string, { alone = false } = {}) {
    super()
    this.#database = new Database(path, { timeout: alone ? 0 : 5_000 })
    // A power cut must not undo a change that was reported as saved.
    this.#database.exec(`PRAGMA synchronous = FULL; PRAGMA locking_mode = ${alone ? 'EXCLUSIVE' : 'NORMAL'}`)
    this.#database.exec('BEGIN EXCLUSIVE; COMMIT')
    this.#database.exec('CREATE TABLE IF NOT EXISTS keyv (key TEXT PRIMARY KEY, value TEXT NOT NULL)')
  }

  async get(key: string): Promise<string | undefined> {
    const row = this.#database.prepare('SELECT value FROM keyv WHERE key = ?').get(key)
    return (row as { value: string } | undefined)?.value
  }

  async set(key: string, value: string): Promise<boolean> {
    const upsert =
      'INSERT INTO keyv (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value'
    this.#database.prepare(upsert).run(key, value)
    return true
  }

  async delete(key: string): Promise<boolean> {
    return this.#database.prepare('DELETE FROM keyv WHERE key = ?').run(key).changes > 0
  }

  async clear(): Promise<void> {
    this.#database.exec('DELETE FROM keyv')
  }

  async disconnect(): Promise<void> {
    this.#database.close()
  }
}
