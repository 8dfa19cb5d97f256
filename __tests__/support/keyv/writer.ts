/** A process that changes a client repeatedly and prints each change: `writer.ts FILE REDIS_URL NAME TIMES`. */
import type { Client } from 'express-provisioning-keys'
import { keyvClientRegistry } from 'express-provisioning-keys/keyv'
import { redisStore } from 'express-provisioning-keys/redis'
import { Keyv } from 'keyv'
import { createClient } from 'redis'
import { KeyvSqliteFile } from '../../../demo-app/sqlite'

async function main([path = '', url = '', name = '', times = '']: readonly string[]): Promise<void> {
  const redis = await createClient({ url }).connect()
  const lock = redisStore({ sendCommand: (command) => redis.sendCommand(command), accept: ['unchecked'] })
  const keyv = new Keyv({ store: new KeyvSqliteFile(path), throwOnErrors: true })
  const registry = keyvClientRegistry(keyv, { lock })
  for (let i = 0; i < Number(times); i++) {
    let isSaved = false
    while (!isSaved) {
      const kept = await registry.find('lamp')
      const by = [...((kept?.metadata?.by ?? []) as string[]), `${name}-${i}`]
      const revision = (kept?.revision ?? 0) + 1
      const signed: Client = { clientId: 'lamp', revision, authenticationMethods: [], metadata: { by } }
      isSaved = await registry.save(signed)
    }
    process.stdout.write(`${name}-${i}\n`)
  }
  redis.destroy()
}

main(process.argv.slice(2)).catch((error) => {
  process.exitCode = 1
  process.stderr.write(`${error}\n`)
})
