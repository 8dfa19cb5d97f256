import { runInThisContext } from 'node:vm'

type Dispatcher = new (options: object) => object

/** Node's `fetch`, which also trusts the certificate of a test server. */
export async function trustingFetch(cert: string): Promise<typeof fetch> {
  // The class with which fetch connects is visible only after the first fetch.
  await fetch('https://127.0.0.1:1').catch(() => undefined)
  // Node 26 has it under a new name, and another value under the old name.
  const Agent: Dispatcher = runInThisContext(
    "(globalThis[Symbol.for('undici.globalDispatcher.2')] ?? globalThis[Symbol.for('undici.globalDispatcher.1')]).constructor",
  )
  const dispatcher = new Agent({ connect: { ca: cert }, pipelining: 0 })
  return (url, init) => fetch(url, { ...init, dispatcher } as RequestInit)
}
