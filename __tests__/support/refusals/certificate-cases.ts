import type { Reason } from '../../../lib/base/errors.js'
import type { ProvisioningOptions } from '../../../lib/index.js'
import { type IssuedCertificate, makeCertificate } from '../certificates.js'
import {
  askWith,
  certificateClients,
  clientCert,
  PINNED,
  SENSOR,
  sendMutual,
  sensorCertificate,
} from '../mutual-tls.js'
import { askForKey } from '../requests.js'
import { AUDIENCE, type RunningServer, SECRET } from '../server.js'
import type { Case } from './case.js'

const UNIFORM = /^The client could not be authenticated\.$/
const PROXIED: Partial<ProvisioningOptions> = {
  audience: AUDIENCE,
  clients: certificateClients(),
  mtls: { proxies: ['127.0.0.1'], proxyVerifies: true },
}

/** A request whose certificate comes from a proxy. */
function ask(server: RunningServer, certificate: IssuedCertificate, clientId = SENSOR) {
  const headers = ['Client-Cert', clientCert(certificate)]
  return askWith(server, undefined, { client_id: clientId }, { headers })
}

function refused(title: string, reason: Reason, act: Case['act'], rest: Partial<Case> = {}): Case {
  const told = { status: 401, error: 'invalid_client', description: UNIFORM, options: PROXIED }
  return { title, reason, act, ...told, ...rest }
}

function malformedHeader(title: string, headers: readonly string[]): Case {
  return refused(
    title,
    'certificate_header_malformed',
    (server) => sendMutual(server, { form: { grant_type: 'client_credentials' }, headers }),
    { status: 400, error: 'invalid_request', description: /^The Client-Cert header / },
  )
}

const GOOD = clientCert(makeCertificate())

export const CERTIFICATE_CASES: Case[] = [
  refused('a certificate with another name', 'client_certificate_wrong', (server) =>
    ask(server, sensorCertificate({ names: [['dns', 'sensor-8.example.com']] })),
  ),
  refused('a certificate that is not the registered one', 'client_certificate_wrong', (server) =>
    ask(server, makeCertificate(), PINNED),
  ),
  refused(
    'a certificate that nobody has verified',
    'client_certificate_untrusted',
    (server) => ask(server, sensorCertificate()),
    { options: { ...PROXIED, mtls: { proxies: ['127.0.0.1'] } } },
  ),
  refused('a certificate that has expired', 'client_certificate_expired', (server) =>
    ask(server, sensorCertificate({ notAfter: new Date(Date.now() - 60_000) })),
  ),
  refused('a certificate that is not valid yet', 'client_certificate_expired', (server) =>
    ask(server, sensorCertificate({ notBefore: new Date(Date.now() + 60_000) })),
  ),
  refused('a certificate for a client with a secret', 'client_method_refused', (server) =>
    ask(server, sensorCertificate(), 'secretive'),
  ),
  refused('a certificate for a client that is none', 'client_unknown', (server) =>
    ask(server, sensorCertificate(), 'nobody'),
  ),
  refused(
    'a client that must have a certificate and has none',
    'certificate_missing',
    (server) => askForKey(server, { scope: 'devices:read' }, { id: 'mtls-only', secret: SECRET }),
    { status: 400, error: 'invalid_request', description: /certificate/ },
  ),
  malformedHeader('two certificates', ['Client-Cert', GOOD, 'Client-Cert', GOOD]),
  malformedHeader('two certificates in one header', ['Client-Cert', `${GOOD}, ${GOOD}`]),
  malformedHeader('a certificate in PEM', ['Client-Cert', '-----BEGIN CERTIFICATE-----']),
  malformedHeader('a certificate in PEM that is URL-encoded', [
    'Client-Cert',
    '-----BEGIN%20CERTIFICATE-----',
  ]),
  malformedHeader('base64 without colons', ['Client-Cert', GOOD.slice(1, -1)]),
  malformedHeader('base64url', ['Client-Cert', ':_-_-:']),
  malformedHeader('base64 with spare bits', ['Client-Cert', ':MIIB/x==:']),
  malformedHeader('a header of nothing', ['Client-Cert', '']),
  malformedHeader('a certificate of nothing', ['Client-Cert', '::']),
  malformedHeader('a certificate with something after it', ['Client-Cert', GOOD.replace(/=*:$/, 'AAAA:')]),
  malformedHeader('bytes that are no certificate', ['Client-Cert', ':MAA=:']),
  malformedHeader('a certificate with parameters', ['Client-Cert', `${GOOD};a=1`]),
]
