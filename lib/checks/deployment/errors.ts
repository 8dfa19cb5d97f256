import { type Check, type CheckDescription, type Finding, inGroup, PASSED } from '../check.js'
import type { DeploymentUnderTest } from './deployment-under-test.js'
import type { Exchange, Outgoing } from './exchange.js'

/** A line of a stack trace of Node, Java, Python, .NET or PHP, or a path of a source file. */
const STACK =
  /\n\s+at \S|at [\w.<>$]+ \(?[\w./:\\-]+:\d+|node_modules|Traceback \(most recent|\.(js|ts|py|java|php|cs):\d+|node:internal/
const MARKER = 'check-marker-4f1d'
const FOREIGN_ORIGIN = 'https://check.invalid'

/** Broken requests, whose answers are searched too. */
const BROKEN: readonly Omit<Outgoing, 'url'>[] = [
  { method: 'POST', headers: { 'Content-Type': 'application/json' }, text: `{"grant_type": "${MARKER}` },
  {
    method: 'POST',
    headers: { 'Content-Type': 'application/x-www-form-urlencoded' },
    text: `a=%E0%A4%A&b=${MARKER}`,
  },
  { method: 'POST', headers: { 'Content-Type': 'text/xml' }, text: `<a>${MARKER}</a>` },
  { method: 'POST', form: [['grant_type', `${MARKER}<script>`]] },
  {
    method: 'POST',
    form: [
      ['grant_type', 'client_credentials'],
      ['__proto__[a]', MARKER],
      ['scope[]', MARKER],
    ],
  },
  { method: 'POST', form: [['grant_type', 'a'.repeat(100_000)]] },
  { method: 'PUT', text: MARKER },
]

/** Do answers give something away? These checks search all answers of the run. */
export const ERROR_CHECKS = inGroup<Check<DeploymentUnderTest>>({ group: 'Errors' }, [
  {
    id: 'errors-form',
    title: 'the token endpoint refuses requests with OAuth errors in JSON',
    clause: 'RFC 6749 5.2',
    fix: 'Mount keys.errorHandler() after all routes, and let the proxy forward the answers without a change.',
    needs: ['discovery-metadata'],
    async run(deployment, signal) {
      for (const broken of BROKEN) {
        const url = deployment.endpoint('token_endpoint')
        const exchange = await deployment.send({ ...broken, url }, signal)
        const { status, json } = exchange
        const isForm = status >= 400 && status < 500 && typeof json['error'] === 'string'
        if (!isForm && broken.method === 'POST')
          return deployment.failed(exchange, 'status 400 with an error in JSON')
      }
      return PASSED
    },
  },
  search('errors-server', {
    title: 'the server answers all requests without a server error',
    clause: 'RFC 9110 15.6',
    fix: 'Look for the error in the log of the server.',
    faultOf: ({ status }) => (status >= 500 ? `status ${status}` : undefined),
    expected: 'no status from 500',
  }),
  search('errors-secrets', {
    title: 'error answers do not repeat keys or secrets',
    clause: 'RFC 6749 10.3',
    fix: 'Mount keys.errorHandler(), and write no part of the request into answers.',
    faultOf(exchange, deployment) {
      if (exchange.status < 400) return undefined
      const texts = [exchange.text, ...[...exchange.headers].map(([, value]) => value)]
      const isLeaked = deployment.secrets.some((secret) => texts.some((text) => text.includes(secret)))
      return isLeaked ? 'the answer contains a key or a secret of its request' : undefined
    },
    expected: 'no part of the request',
  }),
  search('errors-stack', {
    title: 'answers do not contain stack traces or paths',
    clause: 'CWE-209',
    fix: 'Mount keys.errorHandler() after all routes, and set NODE_ENV to production.',
    faultOf: ({ text }) => (STACK.test(text) ? 'a stack trace in the body' : undefined),
    expected: 'an error without details of the server',
  }),
  search('errors-markup', {
    title: 'answers are not HTML, and do not repeat HTML of the request',
    clause: 'RFC 6749 5.2',
    fix: 'Answer with the Content-Type application/json and with X-Content-Type-Options: nosniff.',
    faultOf: (exchange, deployment) => {
      const { headers, text } = exchange
      const isHtml = /html/i.test(headers.get('Content-Type') ?? '') && !isOfProxy(exchange, deployment)
      return isHtml || text.includes('<script>') ? 'HTML in an answer' : undefined
    },
    expected: 'JSON',
  }),
  search('headers-banner', {
    title: 'headers do not name the software of the server',
    clause: 'RFC 9110 10.2.4',
    fix: "Call app.disable('x-powered-by'), and hide the version in the header Server of the proxy.",
    faultOf({ headers }) {
      const powered = headers.get('X-Powered-By')
      const server = headers.get('Server')
      if (powered !== null) return `X-Powered-By: ${powered}`
      return server !== null && /\d/.test(server) ? `Server: ${server}` : undefined
    },
    expected: 'no X-Powered-By, and no version in Server',
  }),
  {
    id: 'headers-sniffing',
    title: 'browsers do not guess the type of an answer',
    fix: 'Let the proxy forward the header X-Content-Type-Options: nosniff.',
    needs: ['issuance-key'],
    async run(deployment, signal) {
      const { exchange } = await deployment.sample(signal)
      if (/^nosniff$/i.test(exchange.headers.get('X-Content-Type-Options') ?? '')) return PASSED
      return deployment.warning(exchange, 'X-Content-Type-Options: nosniff', 'no X-Content-Type-Options')
    },
  },
  {
    id: 'headers-cors',
    title: 'other websites cannot use the cookies of a visitor to read answers',
    fix: 'List the allowed origins in your CORS middleware. Do not copy the Origin of each request into Access-Control-Allow-Origin.',
    needs: ['discovery-metadata'],
    async run(deployment, signal) {
      const exchange = await deployment.post('token_endpoint', {}, signal, { Origin: FOREIGN_ORIGIN })
      const { headers } = exchange
      const isAllowed = headers.get('Access-Control-Allow-Origin') === FOREIGN_ORIGIN
      const hasCookies = headers.get('Access-Control-Allow-Credentials') === 'true'
      const [expected, actual] = [
        'no Access-Control-Allow-Credentials',
        'it allows every origin, with cookies',
      ]
      return deployment.expect(exchange, !isAllowed || !hasCookies, expected, actual)
    },
  },
])

interface Search extends Omit<CheckDescription, 'id'> {
  readonly expected: string
  faultOf(exchange: Exchange, deployment: DeploymentUnderTest): string | undefined
}

/** Whether a proxy such as nginx has refused the request itself, so that the deployment did not get it. */
function isOfProxy({ request, status }: Exchange, { isLocal }: DeploymentUnderTest): boolean {
  const isRepeated = Object.values(request.headers ?? {}).some(Array.isArray)
  const isCleartext = !isLocal && request.url.startsWith('http:')
  return (isRepeated && status === 400) || (isCleartext && status >= 300)
}

/** A check of all answers so far. */
function search(
  id: string,
  { faultOf, expected, ...texts }: Search,
): Omit<Check<DeploymentUnderTest>, 'group'> {
  return {
    id,
    ...texts,
    needs: ['reachable'],
    run(deployment): Finding {
      for (const exchange of deployment.exchanges) {
        const fault = faultOf(exchange, deployment)
        if (fault !== undefined) return deployment.failed(exchange, expected, fault)
      }
      return PASSED
    },
  }
}
