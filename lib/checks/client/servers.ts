import { createServer, type RequestListener } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { AddressInfo } from 'node:net'

/** A certificate and its private key, as PEM. */
export interface Certificate {
  readonly cert: string
  readonly key: string
}

/** A server on a free port of this machine. */
export interface LoopbackServer {
  readonly origin: string
  readonly port: number
  /** Lets a function answer all requests. */
  serve(listener: RequestListener): void
  close(): Promise<void>
}

/** Starts a server that only this machine can reach. With a certificate, it speaks TLS. */
export async function startServer(certificate?: Certificate): Promise<LoopbackServer> {
  const server = certificate === undefined ? createServer() : createTlsServer({ ...certificate })
  // Otherwise the server could close an idle connection just when the client sends its next request.
  server.keepAliveTimeout = 0
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(0, '127.0.0.1', resolve)
  })
  const { port } = server.address() as AddressInfo
  return {
    origin: `${certificate === undefined ? 'http' : 'https'}://localhost:${port}`,
    port,
    serve: (listener) => void server.on('request', listener),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}
