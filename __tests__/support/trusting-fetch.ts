import { runInThisContext } from 'node:vm'

type Dispatcher = new (options: object) => object

/** Node's own `fetch`, which trusts the certificate of a test server besides. */
export async function trustingFetch(cert: string): Promise<typeof fetch> {
  // Node shows the class that its fetch connects with only once it has fetched something.
  await fetch('https://127.0.0.1:1').catch(() => undefined)
  // Node 26 keeps it under a new name, and something else under the old one.
  const Agent: Dispatcher = runInThisContext(
    "(globalThis[Symbol.for('undici.globalDispatcher.2')] ?? globalThis[Symbol.for('undici.globalDispatcher.1')]).constructor",
  )
  const dispatcher = new Agent({ connect: { ca: cert }, pipelining: 0 })
  return (url, init) => fetch(url, { ...init, dispatcher } as RequestInit)
}
