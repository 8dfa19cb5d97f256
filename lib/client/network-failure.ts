import { isObject } from '../base/object.js'
import { systemCode } from '../base/system-code.js'
import { oneLine, ProvisionError } from './failure.js'

/** The codes that Node and OpenSSL have for a certificate that cannot be trusted, and what each of them means. */
const UNTRUSTED: readonly (readonly [RegExp, (now: Date) => string])[] = [
  [
    /^CERT_(NOT_YET_VALID|HAS_EXPIRED)$/,
    (now) => `is not valid now. If this machine has a wrong clock (${now.toISOString()}), set the clock`,
  ],
  [
    /^(ERR_TLS_CERT_ALTNAME_INVALID|HOSTNAME_MISMATCH)$/,
    () => 'is for another name. If the URL is wrong, correct it',
  ],
  [
    /^(UNABLE_TO_(GET_ISSUER|VERIFY_LEAF)|SELF_SIGNED_|DEPTH_ZERO_)/,
    () =>
      'is from an unknown authority. If this is a private authority or your proxy, set NODE_EXTRA_CA_CERTS to its certificate',
  ],
  [/^(CERT_|UNABLE_TO_|ERR_TLS_CERT_|INVALID_(CA|PURPOSE))/, () => 'cannot be trusted'],
]

/** OpenSSL cannot read the first bytes of the server. */
const WITHOUT_TLS = /^ERR_SSL_(WRONG_VERSION_NUMBER|PACKET_LENGTH_TOO_LONG|HTTP_REQUEST)$/

/** The error of a request that got no answer. */
export function networkFailure(error: unknown, url: string): ProvisionError {
  if (error instanceof ProvisionError) return error
  const { host } = new URL(url)
  const code = systemCode(error)
  const details = { cause: error }
  const [, explain] = UNTRUSTED.find(([codes]) => codes.test(code ?? '')) ?? []
  if (explain !== undefined) {
    const message = `The certificate of ${host} ${explain(new Date())} (${code}).`
    return new ProvisionError('issuer_untrusted', message, details)
  }
  if (WITHOUT_TLS.test(code ?? '')) {
    const remedy =
      'If the port in the URL is wrong, correct it. If the server speaks plain HTTP, put TLS in front of it'
    return new ProvisionError('issuer_invalid', `${host} speaks no TLS (${code}). ${remedy}.`, details)
  }
  const root = rootOf(error)
  const why = code === undefined ? oneLine(root) : `${code}${peerOf(root, host)}`
  return new ProvisionError('issuer_unreachable', `No answer from ${host}: ${why}.`, details)
}

/** The first cause. `fetch` says only that it has failed, and puts the answer of a proxy two causes deeper. */
function rootOf(error: unknown): unknown {
  const cause = isObject(error) ? error['cause'] : undefined
  return cause instanceof Error ? rootOf(cause) : error
}

/** The address that refused the connection, or the name that is unknown, such as that of a proxy. */
function peerOf(root: unknown, host: string): string {
  const { address, port, hostname } = isObject(root) ? root : {}
  const peer = address === undefined ? hostname : `${address}:${port}`
  return typeof peer !== 'string' || host.startsWith(peer) ? '' : ` (${peer})`
}
