import crypto from 'node:crypto'
import { hashSecret } from '../../../lib/base/secret.js'
import { authenticateClient } from '../../../lib/clients/authentication/authenticate.js'
import type { ClientOptions } from '../../../lib/options/client.js'
import { type IssuedCertificate, makeCertificate, TYPES } from '../../support/certificates.js'
import { deployed, parameters, reasonOf, request, SECRET, START } from '../../support/deployed.js'
import { pinnedJwk } from '../../support/mutual-tls.js'

const inTime = { notBefore: new Date((START - 60) * 1000), notAfter: new Date((START + 60) * 1000) }
const OWN = Array.from({ length: 8 }, () => makeCertificate(inTime))
const STRANGER = makeCertificate({ ...inTime, subject: [[TYPES.CN, 'mallory']] })

/** As many attributes as the decoy has, because it takes longer to read more of them. */
const DN = [TYPES.C, TYPES.O, TYPES.OU, TYPES.CN].map((type) => [[type, 'XY']] as const)
const NAMED = makeCertificate({ ...inTime, subject: DN })
const metadata = { tls_client_auth_subject_dn: 'CN=XY,OU=XY,O=XY,C=XY' }
const jwks = { keys: OWN.map(pinnedJwk) }
const thumbprints = OWN.map((one) => ({ ...pinnedJwk(one), x5c: undefined, 'x5t#S256': one.thumbprint }))

const CLIENTS: ClientOptions[] = [
  { clientId: 'pinned', authenticationMethods: ['self_signed_tls_client_auth'], jwks },
  { clientId: 'named', authenticationMethods: ['tls_client_auth'], metadata },
  {
    clientId: 'both',
    authenticationMethods: ['tls_client_auth', 'self_signed_tls_client_auth'],
    metadata: { ...metadata, jwks },
  },
  {
    clientId: 'thumbprints',
    authenticationMethods: ['self_signed_tls_client_auth'],
    jwks: { keys: thumbprints },
  },
  {
    clientId: 'host',
    authenticationMethods: ['tls_client_auth'],
    metadata: { tls_client_auth_san_dns: 'a.example.com' },
  },
  { clientId: 'secretive', secretHash: hashSecret(SECRET) },
]

const LOOKUP = (id: string) => CLIENTS.find(({ clientId }) => clientId === id)

function authenticator(clients: ClientOptions[] | typeof LOOKUP) {
  const { deployment } = deployed({ clients, policy: { scopes: ['read'] } })
  return ({ der, thumbprint }: IssuedCertificate, trusted: boolean, client_id: string) =>
    authenticateClient(
      deployment,
      request({ certificate: { der, thumbprint, trusted } }),
      parameters({ client_id }),
    )
}

describe.each([
  ['a list', CLIENTS],
  ['a lookup function', LOOKUP],
])('authentication by a certificate, with clients of %s,', (_, clients) => {
  const show = authenticator(clients)

  it.each(['pinned', 'both', 'thumbprints'])('lets in %s by each certificate of its own', async (id) => {
    for (const own of OWN)
      expect(await show(own, false, id)).toMatchObject({ method: 'self_signed_tls_client_auth' })
  })

  it.each(['named', 'both'])('lets in %s by its name', async (id) => {
    expect(await show(NAMED, true, id)).toMatchObject({ method: 'tls_client_auth' })
  })

  it('refuses everybody else, for the reason that the method gives', async () => {
    const reasons = (trusted: boolean) =>
      Promise.all(
        ['nobody', ...CLIENTS.map(({ clientId }) => clientId)].map((id) =>
          reasonOf(() => show(STRANGER, trusted, id)),
        ),
      )
    const [wrong, untrusted] = ['client_certificate_wrong', 'client_certificate_untrusted']
    const none = 'client_method_refused'
    expect(await reasons(true)).toEqual(['client_unknown', wrong, wrong, wrong, wrong, wrong, none])
    expect(await reasons(false)).toEqual([
      'client_unknown',
      wrong,
      untrusted,
      untrusted,
      wrong,
      untrusted,
      none,
    ])
  })

  it.each([true, false])('does the same work for every client, if trusted is %s', async (trusted) => {
    const work = async (id: string) => {
      const spies = [
        jest.spyOn(crypto, 'createHash'),
        jest.spyOn(Buffer, 'from'),
        jest.spyOn(Buffer.prototype, 'toString'),
        jest.spyOn(String.prototype, 'matchAll'),
      ]
      await reasonOf(() => show(STRANGER, trusted, id))
      const calls = spies.map((spy) => spy.mock.calls.length)
      for (const spy of spies) spy.mockRestore()
      return calls
    }
    const unknown = await work('nobody')
    for (const { clientId } of CLIENTS) expect([clientId, await work(clientId)]).toEqual([clientId, unknown])
  })
})
