import { execFileSync } from 'node:child_process'
import { createPrivateKey } from 'node:crypto'
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parse } from '../../lib/base/schema.js'
import { Secret, secretMatches } from '../../lib/base/secret.js'
import { readJwkSet } from '../../lib/jose/jwk-set.js'
import { readSigningKeys, SIGNING_ALGORITHMS } from '../../lib/options/signing-keys.js'
import { run, runHere } from './command-line.js'

let folder: string
const path = (name: string) => join(folder, name)
const keygen = (...arguments_: string[]) => runHere(['keygen', ...arguments_])

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'keygen-'))
})

afterEach(() => rmSync(folder, { recursive: true }))

/** Reads the option `signingKeys`, and answers the `kid` of the key that signs. */
function kidOf(signingKeys: unknown): string {
  return parse(readSigningKeys, signingKeys, 'signingKeys').active.kid
}

describe('keygen signing-key', () => {
  it.each(SIGNING_ALGORITHMS)('writes a %s key that the library signs with', async (alg) => {
    const file = path('key.json')
    const { ending, stdout, stderr } = await keygen('signing-key', '--alg', alg, '--output', file)
    expect([ending, stderr]).toEqual([0, ''])
    const jwk = JSON.parse(readFileSync(file, 'utf8'))
    expect(JSON.parse(stdout)).toEqual({ file, kid: jwk.kid, alg })
    expect([jwk.alg, jwk.use, typeof jwk.iat]).toEqual([alg, 'sig', 'number'])
    expect(statSync(file).mode & 0o777).toBe(0o600)
    expect(kidOf(jwk)).toBe(jwk.kid)
  })

  it('writes a PEM that the library signs with, under the same kid', async () => {
    const file = path('key.pem')
    const { stdout } = await keygen('signing-key', '--format', 'pem', '--output', file)
    const pem = readFileSync(file, 'utf8')
    expect(createPrivateKey(pem).asymmetricKeyType).toBe('ec')
    expect(kidOf(pem)).toBe(JSON.parse(stdout).kid)
  })

  it('writes the public key as a JWK Set for verifiers, without the private part', async () => {
    const jwks = path('jwks.json')
    const { stdout } = await keygen('signing-key', '--output', path('key.json'), '--jwks', jwks)
    const set = JSON.parse(readFileSync(jwks, 'utf8'))
    const keys = readJwkSet(set)
    expect([...(keys as ReadonlyMap<string, unknown>).keys()]).toEqual([JSON.parse(stdout).kid])
    expect(JSON.stringify(set)).not.toContain('"d"')
  })

  it('prints no part of the private key, unless the output is -', async () => {
    const { stdout } = await keygen('signing-key', '--output', path('key.json'))
    const { d } = JSON.parse(readFileSync(path('key.json'), 'utf8'))
    expect(stdout).not.toContain(d)
    expect(JSON.parse((await keygen('signing-key', '--output', '-')).stdout).d).toMatch(/^[\w-]{43}$/)
  })

  it('writes signing-key.json into the current folder by default', () => {
    const main = join(__dirname, '../../dist/cli/main.js')
    const stdout = execFileSync(process.execPath, [main, 'keygen', 'signing-key'], { cwd: folder })
    expect(JSON.parse(String(stdout)).file).toBe('signing-key.json')
    expect(statSync(path('signing-key.json')).mode & 0o777).toBe(0o600)
  })
})

describe('keygen client-secret', () => {
  it('writes a secret, and prints the hash that the option secretHash takes', async () => {
    const file = path('secret')
    const { stdout } = await keygen('client-secret', '--output', file)
    const secret = readFileSync(file, 'utf8').trim()
    const { secretHash } = JSON.parse(stdout)
    expect(secret).toMatch(/^[0-9a-f]{64}$/)
    expect(stdout).not.toContain(secret)
    expect(statSync(file).mode & 0o777).toBe(0o600)
    expect(secretMatches(new Secret(secret), secretHash)).toBe(true)
  })

  it('prints the secret and its hash if the output is -', async () => {
    const { stdout } = await keygen('client-secret', '--output', '-')
    expect(JSON.parse(stdout)).toEqual({
      clientSecret: expect.stringMatching(/^[0-9a-f]{64}$/),
      secretHash: expect.stringMatching(/^hmac-sha256:/),
    })
  })
})

describe('keygen on a terminal', () => {
  const keygenForPeople = (...arguments_: string[]) =>
    runHere(['keygen', ...arguments_], { hasResultOnTerminal: true })

  it('says where the signing key is, and names its kid', async () => {
    const [file, jwks] = [path('key.json'), path('jwks.json')]
    const { stdout } = await keygenForPeople('signing-key', '--output', file, '--jwks', jwks)
    const { kid, d } = JSON.parse(readFileSync(file, 'utf8'))
    expect(stdout.split('\n')).toEqual([
      `Wrote a private key for the option signingKeys to ${file}. Keep this file secret.`,
      `The algorithm is ES256, and the kid is ${kid}.`,
      `Wrote the public key for verifiers to ${jwks}.`,
      '',
    ])
    expect(stdout).not.toContain(d)
  })

  it('says where the secret of a client is, and has the hash on a line of its own', async () => {
    const file = path('secret')
    const { stdout } = await keygenForPeople('client-secret', '--output', file)
    const [first, , secretHash = ''] = stdout.split('\n')
    const secret = readFileSync(file, 'utf8').trim()
    expect(first).toBe(`Wrote a client secret to ${file}. Give this file only to the client.`)
    expect(secretMatches(new Secret(secret), secretHash)).toBe(true)
    expect(stdout).not.toContain(secret)
  })
})

describe('keygen', () => {
  it('overwrites no file, and leaves no second file behind', async () => {
    writeFileSync(path('jwks.json'), 'mine')
    const { ending, stdout, stderr } = await keygen(
      'signing-key',
      '--output',
      path('key.json'),
      '--jwks',
      path('jwks.json'),
    )
    const message = `${path('jwks.json')} exists already, and this command overwrites nothing; name another file`
    expect({ ending, stdout, stderr }).toEqual({ ending: 2, stdout: '', stderr: `error: ${message}\n` })
    expect(readFileSync(path('jwks.json'), 'utf8')).toBe('mine')
    expect(existsSync(path('key.json'))).toBe(false)
  })

  it('follows no symbolic link', async () => {
    symlinkSync(path('target'), path('link'))
    expect((await keygen('client-secret', '--output', path('link'))).ending).toBe(2)
    expect(existsSync(path('target'))).toBe(false)
  })

  it('removes a file that it cannot fill, and says that another call can succeed', async () => {
    const file = path('secret')
    const { code, stdout, stderr } = await run(['keygen', 'client-secret', '--output', file], {
      limit: 'ulimit -f 0',
    })
    expect([code, stdout, existsSync(file)]).toEqual([75, '', false])
    expect(JSON.parse(stderr).code).toBe('output_not_written')
  })

  it.each([
    ['no material', [], 'expected signing-key|client-secret, got nothing; see keygen --help'],
    ['a near miss', ['signing-keys'], 'expected signing-key or client-secret; did you mean signing-key?'],
    ['another text', ['anything'], 'expected signing-key or client-secret, got another text'],
    [
      'an algorithm of proofs',
      ['signing-key', '--alg', 'EdDSA'],
      '--alg: expected one of ES256, ES384, ES512, RS256, PS256, HS256; got another text',
    ],
    ['another format', ['signing-key', '--format', 'der'], '--format: expected jwk or pem, got another text'],
    [
      'a PEM with a shared secret',
      ['signing-key', '--alg', 'HS256', '--format', 'pem'],
      '--format: expected jwk for HS256, because a PEM cannot contain a shared secret',
    ],
    [
      'a public key of a shared secret',
      ['signing-key', '--alg', 'HS256', '--jwks', 'a'],
      '--jwks: expected an algorithm with a public key, got HS256',
    ],
    [
      'an algorithm for a secret',
      ['client-secret', '--alg', 'ES256'],
      '--alg: expected it with signing-key, got client-secret',
    ],
  ])('refuses %s in one line', async (_, arguments_, message) => {
    expect(await keygen(...arguments_)).toEqual({ ending: 2, stdout: '', stderr: `error: ${message}\n` })
  })

  it('says in one line that the folder does not exist', async () => {
    const { ending, stderr } = await keygen('client-secret', '--output', path('no/secret'))
    expect([ending, stderr]).toEqual([
      75,
      `error: cannot write ${path('no/secret')} (ENOENT). Correct this, and then run the command again.\n`,
    ])
  })
})
