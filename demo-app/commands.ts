import { EXCHANGE, TOKEN_TYPE } from './requests/calls'

/** The server that the commands call. */
export interface CommandSite {
  readonly origin: string
  readonly cleartextOrigin: string
  /** The curl arguments that authenticate the client. */
  readonly asClient: string
}

/** Commands to paste, with a title that explains them. */
export interface Example {
  readonly title: string
  readonly commands: string
}

/** The curl arguments for the client in $DEMO_CLIENT_ID and $DEMO_CLIENT_SECRET. */
export function clientArguments(clientId: string, clientSecret: string): string {
  // RFC 6749 2.3.1: Basic credentials are form-encoded. curl does not encode them, so these go into the form.
  const needNoEncoding = [clientId, clientSecret].every((text) => /^[\w.~-]+$/.test(text))
  if (needNoEncoding) return '-u "$DEMO_CLIENT_ID:$DEMO_CLIENT_SECRET"'
  return [
    '--data-urlencode "client_id=$DEMO_CLIENT_ID" \\',
    '  --data-urlencode "client_secret=$DEMO_CLIENT_SECRET"',
  ].join('\n')
}

const CURL = "curl -ksSw '\\n%{http_code}\\n'"

/** The life of a key, in order. */
export function flow(site: CommandSite): readonly Example[] {
  return [...keyExamples(site), ...redemptionExamples(site)]
}

function keyExamples({ origin, asClient }: CommandSite): readonly Example[] {
  return [
    {
      title: 'Get a provisioning key: the access_token in the answer. It expires after 5 minutes.',
      commands: `${CURL} ${origin}/oauth/token \\
  ${asClient} \\
  -d grant_type=client_credentials --data-urlencode scope=devices:create`,
    },
    {
      title: 'Define a shell function that gets keys, and store a key in $KEY. This prints nothing.',
      commands: `newkey() {
  curl -ks ${origin}/oauth/token \\
    ${asClient.replace('\n', '\n  ')} \\
    -d grant_type=client_credentials "$@" | sed -n 's/.*"access_token":"\\([^"]*\\)".*/\\1/p'
}
KEY=$(newkey --data-urlencode scope=devices:create)`,
    },
    {
      title: 'Introspect the key: the server says that it is active, and what it allows.',
      commands: `${CURL} ${origin}/oauth/introspect \\
  ${asClient} \\
  --data-urlencode "token=$KEY"`,
    },
    {
      title: 'Use it on a guarded route: 200, with the client identity. The key stays valid.',
      commands: `${CURL} ${origin}/whoami -H "Authorization: Bearer $KEY"`,
    },
  ]
}

function redemptionExamples({ origin, asClient }: CommandSite): readonly Example[] {
  return [
    {
      title: 'Redeem it on a route of the demo: 201. The demo creates a device.',
      commands: postDevice(origin),
    },
    {
      title: 'Exchange a second key for an access token (RFC 8693), and call an API with the token.',
      commands: `KEY2=$(newkey --data-urlencode "scope=provision:token config:read")
TOKEN=$(curl -ks ${origin}/oauth/token \\
  -d grant_type=${EXCHANGE} \\
  -d subject_token_type=${TOKEN_TYPE} \\
  --data-urlencode "subject_token=$KEY2" | sed -n 's/.*"access_token":"\\([^"]*\\)".*/\\1/p')
${callApi(origin)}
${introspectToken(origin, asClient)}`,
    },
    {
      title: 'Register a client with a third key (RFC 7591): 201, with a client id and secret.',
      commands: `KEY3=$(newkey --data-urlencode "scope=provision:register provision:token config:read")
${CURL} ${origin}/oauth/register \\
  -H "Authorization: Bearer $KEY3" -H "Content-Type: application/json" \\
  -d '{"client_name":"lamp","scope":"provision:token config:read"}'`,
    },
    {
      title: 'Bind a public key to a device with a fourth key: 201. A signed JWT proves possession.',
      commands: bindDevice(origin),
    },
  ]
}

/** Attacks, and how the server answers. */
export function attacks({ origin, cleartextOrigin, asClient }: CommandSite): readonly Example[] {
  return [
    {
      title: 'Replay the key that created the device: 401.',
      commands: postDevice(origin),
    },
    {
      title: 'Replay the key that was exchanged: 400. Its access token is revoked too: 401, inactive.',
      commands: `${CURL} ${origin}/oauth/token \\
  -d grant_type=${EXCHANGE} \\
  -d subject_token_type=${TOKEN_TYPE} \\
  --data-urlencode "subject_token=$KEY2"
${callApi(origin)}
${introspectToken(origin, asClient)}`,
    },
    {
      title: 'Send a key over plain HTTP: 403. The server revokes it, so HTTPS answers 401 as well.',
      commands: `KEY=$(newkey --data-urlencode scope=devices:create)
${CURL} ${cleartextOrigin}/whoami -H "Authorization: Bearer $KEY"
${CURL} ${origin}/whoami -H "Authorization: Bearer $KEY"`,
    },
    {
      title: 'Use a key for the wrong audience: 200 at the warehouse, its audience; 401 elsewhere.',
      commands: `KEY=$(newkey --data-urlencode scope=devices:create \\
  --data-urlencode resource=${origin}/warehouse)
${CURL} ${origin}/warehouse/whoami \\
  -H "Authorization: Bearer $KEY"
${CURL} ${origin}/whoami -H "Authorization: Bearer $KEY"`,
    },
  ]
}

/** The documents from which a client can configure itself. */
export function metadata({ origin }: CommandSite): readonly Example[] {
  return [
    {
      title: 'Get the server metadata (RFC 8414), resource metadata (RFC 9728) and public keys.',
      commands: [
        '/.well-known/oauth-authorization-server',
        '/.well-known/oauth-protected-resource',
        '/oauth/jwks',
      ]
        .map((path) => `${CURL} ${origin}${path}`)
        .join('\n'),
    },
  ]
}

function postDevice(origin: string): string {
  return `${CURL} ${origin}/devices \\
  -H "Authorization: Bearer $KEY" -H "Content-Type: application/json" -d '{"name":"lamp"}'`
}

function callApi(origin: string): string {
  return `${CURL} ${origin}/api/device-config \\
  -H "Authorization: Bearer $TOKEN"`
}

function introspectToken(origin: string, asClient: string): string {
  return `${CURL} ${origin}/oauth/introspect \\
  ${asClient} \\
  --data-urlencode "token=$TOKEN"`
}

function bindDevice(origin: string): string {
  return `DEVICE=device:$RANDOM$RANDOM
KEY4=$(newkey --data-urlencode scope=provision:bind \\
  --data-urlencode "requested_subject=$DEVICE")
KEY4=$KEY4 node -e '
  const { generateKeyPairSync, sign } = require("node:crypto")
  const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" })
  const part = (json) => Buffer.from(JSON.stringify(json)).toString("base64url")
  const { jti } = JSON.parse(Buffer.from(process.env.KEY4.split(".")[1], "base64url"))
  const iat = Math.floor(Date.now() / 1000)
  const claims = { aud: "${origin}/oauth/bind", key_id: jti, iat }
  const text = part({ typ: "provisioning-binding+jwt", alg: "ES256" }) + "." + part(claims)
  const key = { key: privateKey, dsaEncoding: "ieee-p1363" }
  const proof = text + "." + sign("sha256", Buffer.from(text), key).toString("base64url")
  console.log(JSON.stringify({ jwk: publicKey.export({ format: "jwk" }), proof }))
' | ${CURL} ${origin}/oauth/bind \\
  -H "Authorization: Bearer $KEY4" -H "Content-Type: application/json" -d @-`
}
