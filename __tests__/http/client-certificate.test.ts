import { X509Certificate } from 'node:crypto'
import { Socket } from 'node:net'
import type { Request } from 'express'
import { newFaults } from '../../lib/base/faults.js'
import { certificateReader } from '../../lib/http/client-certificate.js'
import { trustedProxies } from '../../lib/http/trusted-proxies.js'
import { headerFields } from '../../lib/http/wire.js'
import { readMtls } from '../../lib/options/mtls.js'
import { makeCertificate } from '../support/certificates.js'

const CERTIFICATE = makeCertificate()

/** The TLS properties of a connection in Node. */
interface TlsState {
  readonly authorized?: boolean
  readonly authorizationError?: unknown
  readonly certificate?: Buffer | undefined
}

function read(state: TlsState): { trusted: boolean; thumbprint: string } | undefined {
  const { certificate, ...rest } = state
  const getPeerX509Certificate = () =>
    certificate === undefined ? undefined : new X509Certificate(certificate)
  const socket = Object.assign(new Socket(), { ...rest, getPeerX509Certificate })
  const parts = { advise: () => undefined, proxies: trustedProxies() }
  const reader = certificateReader(readMtls({}, 'mtls', newFaults()), parts)
  return reader({ socket } as unknown as Request, headerFields([])).certificate
}

describe('the certificate of a connection', () => {
  it('is trusted when Node found it to be', () => {
    const certificate = CERTIFICATE.der
    expect(read({ authorized: true, authorizationError: null, certificate })).toMatchObject({
      trusted: true,
      thumbprint: CERTIFICATE.thumbprint,
    })
    expect(read({ authorized: false, authorizationError: 'CERT_HAS_EXPIRED', certificate })).toMatchObject({
      trusted: false,
    })
    expect(read({ certificate })).toMatchObject({ trusted: false })
  })

  // Observed with a client that starts with a certificate of the authority and renegotiates with a self-signed one.
  it('is not trusted for the one before, when it came by a renegotiation that leaves authorized as it was', () => {
    const state = { authorized: true, authorizationError: 'DEPTH_ZERO_SELF_SIGNED_CERT' }
    expect(read({ ...state, certificate: CERTIFICATE.der })).toMatchObject({ trusted: false })
  })

  it('is not there when Node says authorized of a session without one', () => {
    expect(read({ authorized: true, authorizationError: null, certificate: undefined })).toBeUndefined()
  })
})
