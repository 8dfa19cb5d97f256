import { Agent } from 'node:https'
import { type IssuedCertificate, makeCertificate } from '../../support/certificates.js'
import { cpuSecondsOf } from '../../support/cpu-time.js'
import { element, sequence, text } from '../../support/der.js'
import {
  askWith,
  clientCert,
  sendMutual,
  sensorCertificate,
  startMutualServer,
} from '../../support/mutual-tls.js'

/** An object identifier of one arc, with any length. */
function longIdentifier(octets: number): Buffer {
  const arc = Buffer.alloc(octets, 0xff)
  arc[octets - 1] = 0x7f
  return element(0x06, arc)
}

function withIdentifierOf(octets: number): IssuedCertificate {
  return makeCertificate({ extensions: [sequence(longIdentifier(octets), element(0x04, text('')))] })
}

/** The processor time, in milliseconds, of some requests over one connection, at both ends. */
async function timeOf(certificate: IssuedCertificate, times: number): Promise<number> {
  const server = await startMutualServer()
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  try {
    await askWith(server, certificate, {}, { agent })
    const seconds = await cpuSecondsOf(async () => {
      for (let i = 0; i < times; i++) {
        const { status } = await askWith(server, certificate, {}, { agent })
        expect(status).toBe(401)
      }
    })
    return seconds * 1000
  } finally {
    agent.destroy()
    await server.close()
  }
}

async function bestOfThree(certificate: IssuedCertificate): Promise<number> {
  const rounds: number[] = []
  for (let i = 0; i < 3; i++) rounds.push(await timeOf(certificate, 10))
  return Math.min(...rounds)
}

test.each([
  ['one object identifier', () => withIdentifierOf(60_000)],
  [
    'a multitude of names',
    () => makeCertificate({ names: Array.from({ length: 30_000 }, () => ['dns', ''] as const) }),
  ],
])("a stranger's certificate that is long by %s takes no longer than others of its size", async (_, make) => {
  // Without the limit it took 50 and 250 times as long. The best of three rounds contains no garbage collection.
  const other = makeCertificate({ names: [['dns', 'x'.repeat(60_000)]] })
  expect(await bestOfThree(make())).toBeLessThan(10 * (await bestOfThree(other)))
})

test('a long object identifier in a Client-Cert header is refused immediately', async () => {
  const server = await startMutualServer({ mtls: { proxies: ['127.0.0.1'] } })
  try {
    const headers = ['Client-Cert', clientCert(withIdentifierOf(11_000))]
    const { status } = await sendMutual(server, { form: {}, headers })
    expect(status).toBe(400)
  } finally {
    await server.close()
  }
})

test('a certificate that is long, but no longer than 16 KiB, is read', async () => {
  const server = await startMutualServer()
  try {
    const names = Array.from({ length: 500 }, (_, i) => ['dns', `n${i}.example.com`] as const)
    const certificate = sensorCertificate({ names: [...names, ['dns', 'sensor-7.example.com']] })
    expect((await askWith(server, certificate)).status).toBe(200)
  } finally {
    await server.close()
  }
})
