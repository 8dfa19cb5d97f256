import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { Certificate } from './servers.js'

const run = promisify(execFile)

/** The program that makes the certificate is missing, or too old. */
export class NoCertificateError extends Error {
  constructor(cause: unknown) {
    super('cannot make a certificate: the program openssl is missing, or older than 1.1.1', { cause })
  }
}

/**
 * Makes a certificate for `localhost`, which is its own authority. It is valid for one day.
 *
 * @throws NoCertificateError
 */
export async function makeCertificate(): Promise<Certificate> {
  const folder = await mkdtemp(join(tmpdir(), 'check-client-'))
  const [key, cert] = [join(folder, 'key.pem'), join(folder, 'cert.pem')]
  const kind = ['-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '1']
  const names = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1']
  try {
    await run('openssl', ['req', ...kind, ...names, '-keyout', key, '-out', cert])
    return { key: await readFile(key, 'utf8'), cert: await readFile(cert, 'utf8') }
  } catch (error) {
    throw new NoCertificateError(error)
  } finally {
    await rm(folder, { recursive: true })
  }
}
