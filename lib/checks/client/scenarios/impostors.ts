import { parseObject } from '../../../base/object.js'
import { inGroup } from '../../check.js'
import { makeCertificate } from '../certificate.js'
import type { Answer, ReceivedRequest } from '../exchange.js'
import { exchangesWith, mustEnroll, mustStop, type Observation } from '../observation.js'
import type { Scenario } from '../scenario.js'

/** Servers that are not the issuer, or that answer something else. */
export const IMPOSTORS = inGroup<Scenario>({ group: 'Impostors', needs: ['client-healthy'] }, [
  {
    id: 'client-other-issuer',
    title: 'the client refuses the metadata of another issuer',
    clause: 'RFC 8414 3.3',
    fix: 'Before you use the metadata, compare their member issuer with the variable ISSUER, character by character.',
    experiment: () => ({
      disturb: async (request, { genuine, strangerOrigin }) =>
        request.endpoint === 'metadata'
          ? withMembers(await genuine.answer(request), { issuer: strangerOrigin })
          : undefined,
    }),
    judge(seen) {
      if (exchangesWith(seen, 'metadata').length === 0)
        return { skipped: 'the client reads no metadata, so they cannot deceive it' }
      return [...mustNotTrust(seen), ...mustStop(seen)]
    },
  },
  {
    id: 'client-redirect',
    title: 'the client does not follow a redirect with its secret or key',
    clause: 'RFC 9700 4.12',
    fix: 'Switch off redirects for requests with credentials. Treat a status of 3xx as a final error.',
    experiment: () => ({
      disturb: (request, { strangerOrigin }) =>
        isCredentialed(request)
          ? { status: 307, headers: { Location: `${strangerOrigin}${request.url}` }, body: '' }
          : undefined,
    }),
    judge: (seen) => [
      ...(seen.strangerRequests > 0 ? ['it followed a redirect to the server of a stranger'] : []),
      ...mustStop(seen),
    ],
  },
  {
    id: 'client-html',
    title: 'the client stops with an error if the answer is HTML',
    fix: 'Accept only a JSON object with the expected members, even if the status is 200.',
    experiment: () => ({
      disturb: ({ endpoint }) => (endpoint === 'bind' ? PAGE : undefined),
    }),
    judge: mustStop,
  },
  {
    id: 'client-tls',
    title: 'the client trusts the certificates in CA_FILE',
    fix: 'Trust the certificates in the file that the environment variable CA_FILE names. SSL_CERT_FILE, NODE_EXTRA_CA_CERTS, CURL_CA_BUNDLE and REQUESTS_CA_BUNDLE name the same file.',
    async experiment() {
      const certificate = await makeCertificate()
      return { certificate, authority: certificate.cert }
    },
    judge: mustEnroll,
  },
  {
    id: 'client-certificate',
    title: 'the client does not send requests to a server with an untrusted certificate',
    clause: 'RFC 9110 4.3.4',
    fix: 'Never switch off the check of certificates. Treat a wrong certificate as a final error.',
    needs: ['client-healthy', 'client-tls'],
    async experiment() {
      const [certificate, trusted] = [await makeCertificate(), await makeCertificate()]
      return { certificate, authority: trusted.cert }
    },
    judge: (seen) => [
      ...(seen.exchanges.length > 0 ? ['it sent a request to a server that it must not trust'] : []),
      ...mustStop(seen),
    ],
  },
])

/** A page of a hotel or a proxy. */
const PAGE: Answer = {
  status: 200,
  headers: { 'Content-Type': 'text/html; charset=utf-8' },
  body: '<!doctype html><title>Welcome</title><p>Please accept our terms of use.</p>\n',
}

function isCredentialed({ endpoint }: ReceivedRequest): boolean {
  return endpoint === 'token' || endpoint === 'bind'
}

function withMembers(answer: Answer, members: Readonly<Record<string, string>>): Answer {
  return { ...answer, body: JSON.stringify({ ...parseObject(answer.body), ...members }) }
}

function mustNotTrust(seen: Observation) {
  const sent = exchangesWith(seen, 'token', 'bind').length
  return sent > 0 ? ['it sent its credentials, although the metadata are those of another issuer'] : []
}
