import { systemCode } from '../base/system-code.js'
import { oneLine, ProvisionError } from './failure.js'

/** The codes that Node and OpenSSL have for a certificate that cannot be trusted. */
const UNTRUSTED =
  /^(CERT_|UNABLE_TO_|SELF_SIGNED_|DEPTH_ZERO_|ERR_TLS_CERT_|HOSTNAME_MISMATCH|INVALID_(CA|PURPOSE))/

/** The error of a request that got no answer. */
export function networkFailure(error: unknown, url: string): ProvisionError {
  if (error instanceof ProvisionError) return error
  const { host } = new URL(url)
  const code = systemCode(error)
  const details = { cause: error }
  if (code === 'CERT_NOT_YET_VALID' || code === 'CERT_HAS_EXPIRED') {
    const message = `The certificate of ${host} is not valid now (${code}), or the clock of this machine is wrong.`
    return new ProvisionError('issuer_untrusted', message, details)
  }
  if (code !== undefined && UNTRUSTED.test(code))
    return new ProvisionError(
      'issuer_untrusted',
      `The certificate of ${host} cannot be trusted (${code}).`,
      details,
    )
  return new ProvisionError(
    'issuer_unreachable',
    `No answer from ${host}: ${code ?? oneLine(error)}.`,
    details,
  )
}
