import { createServer as createHttpServer, type RequestListener, type Server } from 'node:http'
import { createServer as createHttpsServer } from 'node:https'
import type { Certificate } from '../certificate'
import { type Listener, listen } from '../listener'
import { ADDRESSES } from './actors'
import type { NetworkName } from './scene'

/** The ports of a network. */
export interface Gate {
  readonly https: number
  readonly http: number
}

/** The ports through which the requests of the story reach the server. */
export interface Gates {
  readonly of: (network: NetworkName) => Gate
  close(): Promise<void>
}

/**
 * Opens two ports for each network of the story. Each works like a reverse proxy: it writes the address of its network
 * into `X-Forwarded-For`, whatever the sender has written there. The app at these ports trusts this header; the app at
 * the other ports does not. Only this machine can reach them.
 */
export async function openGates(app: RequestListener, certificate: Certificate): Promise<Gates> {
  const opened: Listener[] = []
  const ports = new Map<NetworkName, Gate>()

  async function open(createServer: (answer: RequestListener) => Server, address: string): Promise<number> {
    const answer = behindProxy(app, address)
    const listener = await listen({ variable: 'PORT', port: 0, createServer: () => createServer(answer) })
    opened.push(listener)
    return listener.port
  }

  const close = () => Promise.all(opened.map((listener) => listener.close())).then(() => undefined)
  try {
    for (const network of Object.keys(ADDRESSES) as NetworkName[]) {
      const address = ADDRESSES[network]
      const https = await open((answer) => createHttpsServer(certificate, answer), address)
      ports.set(network, { https, http: await open(createHttpServer, address) })
    }
  } catch (error) {
    await close()
    throw error
  }
  return { of: (network) => ports.get(network) as Gate, close }
}

/** Headers that a proxy must set or remove, so that no client can choose them. */
const PROXY_HEADER = /^(forwarded$|x-forwarded-)/

function behindProxy(app: RequestListener, address: string): RequestListener {
  return (req, res) => {
    for (const name of Object.keys(req.headers)) if (PROXY_HEADER.test(name)) delete req.headers[name]
    req.headers['x-forwarded-for'] = address
    app(req, res)
  }
}
