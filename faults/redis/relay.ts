import { type AddressInfo, connect, createServer, type Socket } from 'node:net'

/** A piece of network between two servers, that can be cut. */
export interface Relay {
  readonly port: number
  /** From now on nothing comes through, and nobody is told. */
  cut(): void
  close(): Promise<void>
  drop(): void
}

export async function startRelay(target: number): Promise<Relay> {
  const sockets = new Set<Socket>()
  let isCut = false
  const keep = (socket: Socket) => {
    sockets.add(socket)
    socket.on('error', () => undefined).once('close', () => sockets.delete(socket))
  }
  const server = createServer((near) => {
    const far = connect(target, '127.0.0.1')
    keep(near)
    keep(far)
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      from.on('data', (data) => {
        if (!isCut) to.write(data)
      })
      from.once('close', () => {
        if (!isCut) to.destroy()
      })
    }
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const drop = () => {
    server.close()
    for (const socket of sockets) socket.destroy()
  }
  return {
    port: (server.address() as AddressInfo).port,
    cut() {
      isCut = true
    },
    close: async () => drop(),
    drop,
  }
}
