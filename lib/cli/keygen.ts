import { randomBytes } from 'node:crypto'
import { closest } from '../base/faults.js'
import { hashSecret } from '../base/secret.js'
import { type JwkSet, type KeyAlgorithm, publicJwk, thumbprint } from '../jose/jwk.js'
import { generateSigningKey } from '../options/generated-keys.js'
import { SIGNING_ALGORITHMS } from '../options/signing-keys.js'
import { type Given, type OptionTable, readChoice, UsageError } from './arguments.js'
import { type Command, EXIT, printResult } from './command.js'
import { type NewFile, writeNewFiles } from './new-files.js'
import { isSameFile } from './same-file.js'

const OPTIONS: OptionTable = {
  alg: { value: 'ALG', about: 'ES256 (default), ES384, ES512, RS256, PS256 or HS256' },
  format: { value: 'FORMAT', about: 'jwk (default) or pem' },
  output: {
    value: 'FILE',
    about: 'Write the secret to FILE (mode 0600). With -, print it',
    isDashAllowed: true,
  },
  jwks: { value: 'FILE', about: 'Also write the public key to FILE, as a JWK Set' },
}

const NOTES = `signing-key    A private key for the option signingKeys. A JWK contains
               its algorithm, its kid and its age. A PEM does not.
               Default of --output: signing-key.json or signing-key.pem.
client-secret  256 random bits in hexadecimal digits for a client, and their
               hash for the option secretHash.
               Default of --output: client-secret.

The command overwrites nothing. It prints the file, and the kid or the hash: as
sentences on a terminal, and as one JSON object in a pipe. Only --output -
prints the secret itself.

Exit codes: 0 done; 2 wrong usage, or the file exists; 75 the file cannot be
written.`

const MATERIALS = ['signing-key', 'client-secret'] as const
type Material = (typeof MATERIALS)[number]

/** Generated material: the secret for its file, and the facts that are not secret. */
interface Generated {
  readonly file: string
  readonly secret: string
  /** The secret with its facts, as `--output -` prints it. */
  readonly printed: string
  readonly facts: Readonly<Record<string, string>>
  /** The same for people, after the secret is in this file. */
  readonly sentences: (file: string) => readonly string[]
  readonly others: readonly NewFile[]
}

/** Generates a signing key or the secret of a client. */
export const KEYGEN: Command = {
  operand: 'signing-key|client-secret',
  options: OPTIONS,
  notes: NOTES,
  async run({ options, operand }, surroundings) {
    const material = materialOf(operand)
    const generated = material === 'signing-key' ? await signingKey(options) : clientSecret(options)
    const { output: path = generated.file } = options
    const { secret, others, facts, sentences, printed } = generated
    if (others.some((file) => isSameFile(path, file.path)))
      throw new UsageError('--jwks: expected another file than that of --output, got the same')
    if (path === '-') {
      await writeNewFiles(others)
      await surroundings.print(printed)
    } else {
      await writeNewFiles([{ path, text: secret, isSecret: true }, ...others])
      await printResult(sentences(path), { file: path, ...facts }, surroundings)
    }
    return EXIT.done
  },
}

function materialOf(name = ''): Material {
  const material = MATERIALS.find((one) => one === name)
  if (material !== undefined) return material
  const near = closest(name, MATERIALS)
  throw new UsageError(
    near === undefined
      ? `expected ${MATERIALS.join(' or ')}, got another text`
      : `expected ${MATERIALS.join(' or ')}; did you mean ${near}?`,
  )
}

/** Generates a signing key as the options say. */
export async function signingKey({
  alg: given,
  format: wanted = 'jwk',
  jwks,
}: Given['options']): Promise<Generated> {
  const alg = algorithmOf(given)
  const format = readChoice('format', wanted, ['jwk', 'pem'])
  if (alg === 'HS256' && format === 'pem')
    throw new UsageError('--format: expected jwk for HS256, because a PEM cannot contain a shared secret')
  if (alg === 'HS256' && jwks !== undefined)
    throw new UsageError('--jwks: expected an algorithm with a public key, got HS256')
  const { key } = await generateSigningKey(alg)
  const labels = { kid: thumbprint(key), alg }
  const jwk = { ...key.export({ format: 'jwk' }), ...labels, use: 'sig', iat: Math.floor(Date.now() / 1000) }
  const pem = () => String(key.export({ type: 'pkcs8', format: 'pem' }))
  const secret = format === 'pem' ? pem() : `${JSON.stringify(jwk, undefined, 2)}\n`
  const set = (): JwkSet => ({ keys: [{ ...publicJwk(key), ...labels, use: 'sig' }] })
  const others = jwks === undefined ? [] : [{ path: jwks, text: `${JSON.stringify(set(), undefined, 2)}\n` }]
  return {
    file: `signing-key.${format === 'pem' ? 'pem' : 'json'}`,
    secret,
    printed: secret,
    facts: { ...labels, ...(jwks !== undefined && { jwks }) },
    sentences: (file) => [
      `Wrote a private key for the option signingKeys to ${file}. Keep this file secret.`,
      `The algorithm is ${alg}, and the kid is ${labels.kid}.`,
      ...(jwks === undefined ? [] : [`Wrote the public key for verifiers to ${jwks}.`]),
    ],
    others,
  }
}

function algorithmOf(given = 'ES256'): KeyAlgorithm {
  const alg = SIGNING_ALGORITHMS.find((one) => one === given)
  if (alg !== undefined) return alg
  throw new UsageError(`--alg: expected one of ${SIGNING_ALGORITHMS.join(', ')}; got another text`)
}

/** Generates a client secret with its hash. */
export function clientSecret({ alg, format, jwks }: Given['options']): Generated {
  for (const [name, value] of Object.entries({ alg, format, jwks }))
    if (value !== undefined)
      throw new UsageError(`--${name}: expected it with signing-key, got client-secret`)
  const secret = randomBytes(32).toString('hex')
  const secretHash = hashSecret(secret)
  return {
    file: 'client-secret',
    secret: `${secret}\n`,
    printed: `${JSON.stringify({ clientSecret: secret, secretHash })}\n`,
    facts: { secretHash },
    sentences: (file) => [
      `Wrote a client secret to ${file}. Give this file only to the client.`,
      'The server needs only the hash. Set the option secretHash of the client to:',
      secretHash,
    ],
    others: [],
  }
}
