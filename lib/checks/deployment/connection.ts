import { type ConnectionOptions, connect, type TLSSocket } from 'node:tls'
import { type Check, type Finding, failed, inGroup, PASSED, skipped, warning } from '../check.js'
import type { DeploymentUnderTest } from './deployment-under-test.js'
import type { Exchange, Outgoing } from './exchange.js'

const LOCAL = 'the issuer is local, without TLS'
const LEAST_DAYS = 14
const LEAST_HSTS_SECONDS = 15_552_000
const DAY = 86_400_000
const REFUSED = 'status 403, or no connection'

/** Is the deployment there, and can nobody read its traffic? */
export const CONNECTION_CHECKS = inGroup<Check<DeploymentUnderTest>>({ group: 'Connection' }, [
  {
    id: 'reachable',
    title: 'the deployment answers over a trusted connection',
    fix: 'Correct the URL, or start the server. If the certificate has expired or has another name, replace it. If the certificate of the server comes from a public certificate authority, let the server also send the intermediate certificates. If it comes from your own authority, name this authority with --ca-file or --ca-sha256.',
    async run(deployment, signal) {
      await deployment.getMetadata(signal)
      return PASSED
    },
  },
  {
    id: 'tls-certificate',
    title: `the certificate is valid for more than ${LEAST_DAYS} days`,
    fix: 'Renew the certificate, and automate its renewal.',
    needs: ['reachable'],
    async run(deployment, signal) {
      if (deployment.isLocal) return skipped(LOCAL)
      const socket = await handshake(deployment, signal)
      const until = Date.parse(socket.getPeerCertificate().valid_to)
      socket.destroy()
      const days = Math.floor((until - Date.now()) / DAY)
      if (days > LEAST_DAYS) return PASSED
      return warning({ actual: `it expires in ${days} days`, expected: `more than ${LEAST_DAYS} days` })
    },
  },
  {
    id: 'tls-version',
    title: 'the server refuses TLS 1.0 and TLS 1.1',
    clause: 'RFC 8996 4, RFC 8996 5',
    fix: 'Set the lowest TLS version of the server or proxy to 1.2.',
    needs: ['reachable'],
    async run(deployment, signal) {
      if (deployment.isLocal) return skipped(LOCAL)
      const old = { minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' } as const
      const accepted = await handshake(deployment, signal, old).then(
        (socket) => {
          const protocol = socket.getProtocol()
          socket.destroy()
          return protocol
        },
        () => undefined,
      )
      if (accepted === undefined) return PASSED
      return failed({ actual: `it accepts ${accepted}`, expected: 'TLS 1.2 or newer only' })
    },
  },
  {
    id: 'hsts',
    title: 'browsers and clients learn to use only HTTPS (HSTS)',
    clause: 'RFC 6797 7.1',
    fix: 'Let the server or proxy send Strict-Transport-Security with a max-age of a year.',
    needs: ['reachable'],
    async run(deployment, signal) {
      if (deployment.isLocal) return skipped(LOCAL)
      const exchange = await deployment.getMetadata(signal)
      const header = exchange.headers.get('Strict-Transport-Security')
      const seconds = Number(/max-age="?(\d+)/i.exec(header ?? '')?.[1] ?? 0)
      if (seconds >= LEAST_HSTS_SECONDS) return PASSED
      const actual = header === null ? 'no Strict-Transport-Security' : `Strict-Transport-Security: ${header}`
      const expected = 'a max-age of at least 180 days'
      return deployment[seconds === 0 ? 'failed' : 'warning'](exchange, expected, actual)
    },
  },
  {
    id: 'cleartext',
    title: 'the port for plain HTTP is closed, or refuses all requests',
    clause: 'RFC 6749 3.2, RFC 9700 2.6',
    fix: 'Close the port for plain HTTP, or let it refuse all requests. A redirect does not help, because the client has already sent its key in cleartext.',
    needs: ['reachable'],
    run: checkCleartext,
  },
])

async function checkCleartext(deployment: DeploymentUnderTest, signal: AbortSignal): Promise<Finding> {
  if (deployment.isLocal) return skipped(LOCAL)
  const { json } = await deployment.getMetadata(signal)
  const endpoint = json['token_endpoint']
  if (typeof endpoint !== 'string' || !URL.canParse(endpoint))
    return skipped('the metadata have no token_endpoint')
  const [url, other] = [endpoint, deployment.metadataUrl].map((one) => cleartextUrl(deployment, one))
  if (url === undefined || other === undefined)
    return skipped('the issuer has a port of its own; name the other one with --http-port')
  // The credentials are invented: everybody on the way can read them.
  const form = [['grant_type', 'client_credentials']] as const
  const headers = { Authorization: 'Basic bm9ib2R5Om5vdGhpbmc=' }
  const exchange = await sendInClear(deployment, { method: 'POST', url, headers, form }, signal)
  if (exchange === undefined) return PASSED
  const { status, headers: received, json: answer } = exchange
  if (status >= 300 && status < 400)
    return deployment.warning(
      exchange,
      'a refusal, because the key is already exposed when the redirect arrives',
      `status ${status} to ${received.get('Location')}`,
    )
  if (status < 300 || answer['error'] === 'invalid_client' || status === 401)
    return deployment.failed(exchange, REFUSED)
  // A proxy may serve the endpoints with another path there.
  const described = await sendInClear(deployment, { method: 'GET', url: other }, signal)
  return described !== undefined && described.status < 300 ? deployment.failed(described, REFUSED) : PASSED
}

/** Sends a request over plain HTTP. `undefined` if no server accepts it there. */
export async function sendInClear(
  deployment: DeploymentUnderTest,
  outgoing: Outgoing,
  signal: AbortSignal,
): Promise<Exchange | undefined> {
  return deployment.sendOnce(outgoing, signal).catch(() => {
    signal.throwIfAborted()
    return undefined
  })
}

/** The URL for plain HTTP of an endpoint. `undefined` if its port is not known. */
export function cleartextUrl({ settings }: DeploymentUnderTest, endpoint: string): string | undefined {
  const { hostname, port: own, pathname } = new URL(endpoint)
  const port = settings.cleartextPort ?? (own === '' ? 80 : undefined)
  return port === undefined ? undefined : `http://${hostname}:${port}${pathname}`
}

/** Makes a TLS connection. Nothing is sent over it. */
async function handshake(
  deployment: DeploymentUnderTest,
  signal: AbortSignal,
  versions: Pick<ConnectionOptions, 'minVersion' | 'maxVersion' | 'ciphers'> = {},
): Promise<TLSSocket> {
  const { hostname, port } = new URL(deployment.settings.issuer)
  const ca = await deployment.trusted(signal)
  const host = hostname.replace(/^\[|\]$/g, '')
  const name = /^[\d.]+$|:/.test(host) ? {} : { servername: host }
  const trust = ca === undefined ? {} : { ca: [...ca], allowPartialTrustChain: true }
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port: Number(port || 443), ...name, ...trust, ...versions })
    const stop = () => socket.destroy(new Error('the handshake took too long'))
    socket.setTimeout(10_000, stop)
    signal.addEventListener('abort', stop, { once: true })
    socket.once('error', reject)
    socket.once('secureConnect', () => {
      socket.on('error', () => undefined)
      resolve(socket)
    })
  })
}
