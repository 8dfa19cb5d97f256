/** Where the commands go. */
export interface CommandSite {
  readonly origin: string
  readonly cleartextOrigin: string
  /** The arguments by which curl authenticates the client. */
  readonly asClient: string
}

/** Something to try: what it shows, and the lines to paste. */
export interface Trial {
  readonly title: string
  readonly lines: string
}

/** The arguments by which curl authenticates the client that two shell variables name. */
export function clientArguments(clientId: string, clientSecret: string): string {
  // curl does not form-encode for Basic, as RFC 6749 2.3.1 wants it: what needs encoding goes into the form.
  const isPlain = [clientId, clientSecret].every((text) => /^[\w.~-]+$/.test(text))
  if (isPlain) return '-u "$DEMO_CLIENT_ID:$DEMO_CLIENT_SECRET"'
  return [
    '--data-urlencode "client_id=$DEMO_CLIENT_ID" \\',
    '  --data-urlencode "client_secret=$DEMO_CLIENT_SECRET"',
  ].join('\n')
}

const CURL = "curl -ksSw '\\n%{http_code}\\n'"
const SUBJECT_TOKEN_TYPE = 'urn:ietf:params:oauth:token-type:jwt'
const EXCHANGE = 'urn:ietf:params:oauth:grant-type:token-exchange'

/** The whole life of a key, in order. */
export function flow(site: CommandSite): readonly Trial[] {
  return [...keyTrials(site), ...redemptionTrials(site)]
}

function keyTrials({ origin, asClient }: CommandSite): readonly Trial[] {
  return [
    {
      title: 'Get a provisioning key: the access_token in the answer. It lives for 5 minutes.',
      lines: `${CURL} ${origin}/oauth/token \\
  ${asClient} \\
  -d grant_type=client_credentials --data-urlencode scope=devices:create`,
    },
    {
      title: 'The same as a shell function, to have keys in variables. Nothing is printed.',
      lines: `newkey() {
  curl -ks ${origin}/oauth/token \\
    ${asClient.replace('\n', '\n  ')} \\
    -d grant_type=client_credentials "$@" | sed -n 's/.*"access_token":"\\([^"]*\\)".*/\\1/p'
}
KEY=$(newkey --data-urlencode scope=devices:create)`,
    },
    {
      title: 'Look at it: the server says that it is active, and what it is for.',
      lines: `${CURL} ${origin}/oauth/introspect \\
  ${asClient} \\
  --data-urlencode "token=$KEY"`,
    },
    {
      title: 'Use it on a guarded route: 200, with the identity behind it. The key stays good.',
      lines: `${CURL} ${origin}/whoami -H "Authorization: Bearer $KEY"`,
    },
  ]
}

function redemptionTrials({ origin, asClient }: CommandSite): readonly Trial[] {
  return [
    {
      title: "Redeem it on the demo's own route: 201, and a device is there.",
      lines: postDevice(origin),
    },
    {
      title: 'Exchange another key for the initial access token (RFC 8693): it opens an API.',
      lines: `KEY2=$(newkey --data-urlencode "scope=provision:token config:read")
TOKEN=$(curl -ks ${origin}/oauth/token \\
  -d grant_type=${EXCHANGE} \\
  -d subject_token_type=${SUBJECT_TOKEN_TYPE} \\
  --data-urlencode "subject_token=$KEY2" | sed -n 's/.*"access_token":"\\([^"]*\\)".*/\\1/p')
${callApi(origin)}
${introspectToken(origin, asClient)}`,
    },
    {
      title: 'Register a client with another (RFC 7591): 201, with an id and a secret of its own.',
      lines: `KEY3=$(newkey --data-urlencode "scope=provision:register provision:token")
${CURL} ${origin}/oauth/register \\
  -H "Authorization: Bearer $KEY3" -H "Content-Type: application/json" \\
  -d '{"client_name":"lamp","scope":"provision:token"}'`,
    },
    {
      title: 'Bind a public key with another, in the name of a device: 201. A signed JWT proves possession.',
      lines: bindDevice(origin),
    },
  ]
}

/** Three attacks, and what comes of them. */
export function attacks({ origin, cleartextOrigin, asClient }: CommandSite): readonly Trial[] {
  return [
    {
      title: 'Replay of the key that made the device: 401.',
      lines: postDevice(origin),
    },
    {
      title: 'Replay of the key that was exchanged: 400, and the access token it brought forth is dead.',
      lines: `${CURL} ${origin}/oauth/token \\
  -d grant_type=${EXCHANGE} \\
  -d subject_token_type=${SUBJECT_TOKEN_TYPE} \\
  --data-urlencode "subject_token=$KEY2"
${callApi(origin)}
${introspectToken(origin, asClient)}`,
    },
    {
      title: 'Cleartext: 403, whatever the key. It was exposed, so over HTTPS it is refused too now: 401.',
      lines: `KEY=$(newkey --data-urlencode scope=devices:create)
${CURL} ${cleartextOrigin}/whoami -H "Authorization: Bearer $KEY"
${CURL} ${origin}/whoami -H "Authorization: Bearer $KEY"`,
    },
    {
      title: 'Wrong audience: a key for the warehouse is good there, 200, and nowhere else: 401.',
      lines: `KEY=$(newkey --data-urlencode scope=devices:create \\
  --data-urlencode resource=${origin}/warehouse)
${CURL} ${origin}/warehouse/whoami \\
  -H "Authorization: Bearer $KEY"
${CURL} ${origin}/whoami -H "Authorization: Bearer $KEY"`,
    },
  ]
}

/** Where a client learns all of this by itself. */
export function metadata({ origin }: CommandSite): readonly Trial[] {
  return [
    {
      title: 'The metadata of the server (RFC 8414), those of the resource (RFC 9728), the public keys.',
      lines: [
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
