import { once } from 'node:events'
import { createServer } from 'node:net'

/**
 * A port that is free now. The system takes the ports of its own choice from 32768 and above, so the servers of other
 * tests, which listen on port 0, cannot take this one before you use it. The port that is 10,000 higher, which a Redis
 * Cluster needs, is below 32768 too.
 */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = 10_000 + Math.floor(Math.random() * 12_000)
    if ((await isFree(port)) && (await isFree(port + 10_000))) return port
  }
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer().listen(port)
  try {
    await once(server, 'listening')
    return true
  } catch {
    return false
  } finally {
    server.close()
  }
}
