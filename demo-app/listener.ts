import type { Server } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { EnvironmentError } from './environment'

/** A listener on a loopback port. */
export interface Listener {
  readonly port: number
  /** Stops accepting, and closes all connections: idle ones now, the others after the grace period at the latest. */
  close(graceMilliseconds?: number): Promise<void>
}

export interface ListenOptions {
  /** The environment variable of the port, for error messages. */
  readonly variable: 'PORT' | 'HTTP_PORT'
  readonly port: number
  readonly createServer: () => Server
}

/** How long requests may continue after the demo begins to stop. */
const GRACE_MILLISECONDS = 1000

/**
 * Listens on both loopback addresses, so that other machines cannot reach the demo. `localhost` can mean either of
 * them, and another program could listen on the one that the demo leaves out.
 *
 * @throws EnvironmentError if the port is not available
 */
export async function listen({ variable, port, createServer }: ListenOptions): Promise<Listener> {
  const closers: Listener['close'][] = []
  const close = (grace?: number) =>
    Promise.all(closers.map((closeOne) => closeOne(grace))).then(() => undefined)

  /** Resolves with the port, which the system has chosen if `wanted` is 0. */
  async function open(host: string, wanted: number): Promise<number> {
    const server = createServer()
    await bind(server, host, wanted)
    closers.push(closer(server))
    return (server.address() as AddressInfo).port
  }

  try {
    const actual = await open('127.0.0.1', port)
    await open('::1', actual).catch((error) => {
      if (!NO_IPV6.has(error.code)) throw error
    })
    return { port: actual, close }
  } catch (error) {
    await close()
    throw new EnvironmentError(
      `${variable}: ${describeError(error as NodeJS.ErrnoException, variable, port)}`,
    )
  }
}

/** The error codes of a machine without IPv6. */
const NO_IPV6 = new Set(['EADDRNOTAVAIL', 'EAFNOSUPPORT'])

function bind(server: Server, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject).listen(port, host, () => {
      server.off('error', reject)
      resolve()
    })
  })
}

function describeError({ code, message }: NodeJS.ErrnoException, variable: string, port: number): string {
  if (code === 'EADDRINUSE') {
    const user = 'another program, perhaps another demo'
    return `port ${port} is in use by ${user}; choose another port, or set ${variable}=0 to use any free port`
  }
  if (code === 'EACCES') return `you may not listen on port ${port}; choose a port above 1023`
  return `cannot listen on port ${port} (${code ?? message})`
}

/**
 * Makes the function that closes a server. It tracks all sockets, because a server does not close those that have not
 * finished their TLS handshake.
 */
function closer(server: Server): Listener['close'] {
  const sockets = new Set<Socket>()
  let isClosing = false
  server.on('connection', (socket: Socket) => {
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
  })
  // A kept-alive connection becomes idle after its answer, and would delay the close.
  server.on('request', (_req, res) => {
    res.once('close', () => isClosing && setImmediate(() => server.closeIdleConnections()))
  })
  return (graceMilliseconds = GRACE_MILLISECONDS) =>
    new Promise((resolve) => {
      isClosing = true
      const timer = setTimeout(() => {
        for (const socket of sockets) socket.destroy()
      }, graceMilliseconds)
      server.close(() => {
        clearTimeout(timer)
        resolve()
      })
      server.closeIdleConnections()
    })
}
