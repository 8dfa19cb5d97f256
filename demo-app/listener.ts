import type { Server } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { EnvironmentError } from './environment'

/** A port of this machine's own addresses, listened on. */
export interface Listener {
  readonly port: number
  /** Takes no more; resolves when no connection is left, at the latest after what requests at work are given. */
  close(graceMilliseconds?: number): Promise<void>
}

export interface Listening {
  /** The environment variable the port comes from, for messages. */
  readonly variable: 'PORT' | 'HTTP_PORT'
  readonly port: number
  readonly createServer: () => Server
}

/** How long a request that is at work may go on once the demo is told to stop. */
const GRACE_MILLISECONDS = 1000

/**
 * Listens on the loopback addresses alone: a demo is nobody else's to reach. Both are needed, where both exist,
 * because `localhost` is either of them and another program could sit on the one that is left out.
 *
 * @throws EnvironmentError when the port cannot be had
 */
export async function listen({ variable, port, createServer }: Listening): Promise<Listener> {
  const closers: Listener['close'][] = []
  const close = (grace?: number) =>
    Promise.all(closers.map((closeOne) => closeOne(grace))).then(() => undefined)

  async function open(host: string, wanted: number): Promise<number> {
    const server = createServer()
    await bind(server, host, wanted)
    closers.push(closer(server))
    return (server.address() as AddressInfo).port
  }

  try {
    const actual = await open('127.0.0.1', port)
    await open('::1', actual).catch((error) => {
      if (!NO_SUCH_ADDRESS.has(error.code)) throw error
    })
    return { port: actual, close }
  } catch (error) {
    await close()
    throw new EnvironmentError(
      `${variable}: ${describeFault(error as NodeJS.ErrnoException, variable, port)}`,
    )
  }
}

/** What a machine without IPv6 says. */
const NO_SUCH_ADDRESS = new Set(['EADDRNOTAVAIL', 'EAFNOSUPPORT'])

function bind(server: Server, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject).listen(port, host, () => {
      server.off('error', reject)
      resolve()
    })
  })
}

function describeFault({ code, message }: NodeJS.ErrnoException, variable: string, port: number): string {
  if (code === 'EADDRINUSE') {
    return `port ${port} is in use by another program; choose another, or ${variable}=0 for any that is free`
  }
  if (code === 'EACCES') return `port ${port} is not for this user to listen on; choose one above 1023`
  return `port ${port} cannot be listened on (${code ?? message})`
}

/** Sockets are counted here, because a server does not close those that have not finished their TLS handshake. */
function closer(server: Server): Listener['close'] {
  const sockets = new Set<Socket>()
  let isClosing = false
  server.on('connection', (socket: Socket) => {
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
  })
  // A connection that is kept alive becomes idle when its request is answered, and would be waited for then.
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
