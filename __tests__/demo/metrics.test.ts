import { samplesIn } from '../support/telemetry.js'
import { type Demo, startDemo } from './child.js'
import { keyFor, request, SECRET } from './requests.js'

jest.setTimeout(30_000)

let demo: Demo

beforeAll(async () => {
  demo = await startDemo({ DEMO_CLIENT_SECRET: SECRET })
})

afterAll(async () => {
  demo.kill('SIGTERM')
  await demo.exited
})

describe('the metrics of the demo', () => {
  it('are named in its text', () => {
    expect(demo.stdout()).toContain(` https://localhost:${demo.port}/metrics `)
  })

  it('are in the text format of Prometheus, and count what the demo does', async () => {
    const key = await keyFor(demo, { scope: 'devices:create' })
    await request(demo, 'get', '/whoami').set('Authorization', `Bearer ${key}`).expect(200)
    const { text, headers } = await request(demo, 'get', '/metrics').expect(200)
    expect(headers['content-type']).toMatch(/^text\/plain/)
    const metric = (wanted: string) => samplesIn(text).find(({ name }) => name === wanted)?.value
    expect(metric('provisioning_key_issuances_total')).toBe(1)
    expect(metric('provisioning_key_verification_duration_count')).toBe(1)
    expect(metric('provisioning_key_outstanding')).toBe(1)
    expect(text).not.toContain(key)
  })

  it('are not served over plain HTTP', async () => {
    const answer = await fetch(`http://localhost:${demo.httpPort}/metrics`)
    expect(answer.status).toBe(403)
  })
})
