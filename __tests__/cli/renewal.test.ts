import { readFileSync, statSync, writeFileSync } from 'node:fs'
import { itInAll } from '../support/scale.js'
import { SECRET } from '../support/server.js'
import { linesOf, openWorkplace, type RunOptions, run, type Workplace } from './command-line.js'

/** The option `--renew-after`, as a timer calls it. */

const SCOPES = ['provision:token', 'provision:bind', 'devices:create', 'devices:read']
const MONTH = ['--renew-after', '2592000']

let work: Workplace
let strict: Workplace

beforeAll(async () => {
  const policy = { scopes: SCOPES, rebinding: 'replace' as const }
  const fleet = { clientId: 'fleet', clientSecret: SECRET, policy: { ...policy, subjects: ['device:*'] } }
  work = await openWorkplace({ clients: [fleet], policy })
  strict = await openWorkplace()
})

afterAll(() => Promise.all([work.close(), strict.close()]))

/** Binds a device, and makes its key pair older than a month. Returns its files and the way to call the command. */
async function oldDevice(subject: string, place = work) {
  const [state, output] = [place.path(`${subject}.json`), place.path(`${subject}-result.json`)]
  const bind = ['provision', '--issuer', place.issuer.origin, '--action', 'bind', '--state', state]
  const asFleet = ['--client-id', 'fleet', '--secret-env', 'FLEET_SECRET', '--subject', subject]
  const first = await run([...bind, ...asFleet, '--output', output], { env: { FLEET_SECRET: SECRET } })
  const { thumbprint } = JSON.parse(first.stdout)
  const old = readFileSync(state, 'utf8').replace(/"completedAt": \d+/, '"completedAt": 1000')
  writeFileSync(state, old)
  const renew = (more: readonly string[] = [], options: RunOptions = {}) =>
    run([...bind, '--key-file', place.path('missing'), ...MONTH, '--output', output, ...more], options)
  const boundKeys = async () =>
    (await place.issuer.keys.listBindings(subject)).map(({ confirmation }) => confirmation.jkt)
  return { state, output, thumbprint, renew, boundKeys }
}

describe('--renew-after', () => {
  it('binds another key pair without the first key, and then waits until it is old', async () => {
    const { state, output, thumbprint, renew, boundKeys } = await oldDevice('device:1')
    const renewed = await renew()
    expect(renewed.code).toBe(0)
    expect(linesOf(renewed.stderr).at(-1)).toEqual({ type: 'binding.renewed', clientId: 'device:1' })
    const result = JSON.parse(renewed.stdout)
    expect(result.thumbprint).not.toBe(thumbprint)
    expect(await boundKeys()).toEqual([result.thumbprint])
    const written = JSON.parse(readFileSync(output, 'utf8'))
    const saved = JSON.parse(readFileSync(state, 'utf8'))
    expect(written).toMatchObject({ thumbprint: result.thumbprint, privateKey: saved.result.privateKey })
    expect(saved).not.toHaveProperty('attempt')
    const events = work.issuer.events.length
    const again = await renew()
    expect([again.code, again.stdout]).toEqual([0, renewed.stdout])
    expect(work.issuer.events).toHaveLength(events)
  })

  itInAll('writes the file of the result only if the result is another one', async () => {
    const { output, renew } = await oldDevice('device:2')
    const before = statSync(output).ino
    await renew()
    const after = statSync(output).ino
    expect(after).not.toBe(before)
    await renew()
    expect(statSync(output).ino).toBe(after)
  })

  itInAll(
    'keeps the old key pair if the issuer does not answer, prints the result and ends with 75',
    async () => {
      const { state, output, thumbprint } = await oldDevice('device:3')
      const nowhere = 'https://127.0.0.1:1'
      writeFileSync(state, readFileSync(state, 'utf8').replaceAll(work.issuer.origin, nowhere))
      const bind = ['--issuer', nowhere, '--action', 'bind', '--state', state, '--deadline', '1']
      const ended = await run(['provision', ...bind, '--key-file', 'missing', ...MONTH, '--output', output])
      expect([ended.code, JSON.parse(ended.stdout).thumbprint]).toEqual([75, thumbprint])
      const [failed, error] = linesOf(ended.stderr).slice(-2)
      expect(failed).toMatchObject({ type: 'renewal.failed' })
      expect(error).toMatchObject({ type: 'error', code: 'issuer_unreachable', isTransient: true })
    },
  )

  it('ends with 1 if the policy refuses another key pair, and names the option', async () => {
    const { thumbprint, renew, boundKeys } = await oldDevice('device:5', strict)
    const ended = await renew()
    expect([ended.code, JSON.parse(ended.stdout).thumbprint]).toEqual([1, thumbprint])
    const message = expect.stringContaining("set policy.rebinding to 'replace'")
    expect(linesOf(ended.stderr).at(-1)).toMatchObject({ code: 'refused', blame: 'you', message })
    expect(await boundKeys()).toEqual([thumbprint])
  })

  itInAll('runs the program with the old key pair if the renewal fails', async () => {
    const { thumbprint, renew } = await oldDevice('device:6', strict)
    const show = 'console.log(process.env.PROVISION_THUMBPRINT); process.exit(42)'
    const ended = await renew(['--exec', process.execPath, '-e', show])
    expect([ended.code, ended.stdout]).toEqual([42, `${thumbprint}\n`])
    expect(linesOf(ended.stderr).at(-1)).toMatchObject({ type: 'renewal.failed' })
  })

  it('lets two timers with one state renew it once', async () => {
    const { renew, boundKeys } = await oldDevice('device:7')
    const [one, other] = await Promise.all([renew(), renew()])
    expect([one.code, other.code]).toEqual([0, 0])
    expect(one.stdout).toBe(other.stdout)
    expect(await boundKeys()).toEqual([JSON.parse(one.stdout).thumbprint])
  })

  it.each([
    ['30d', 'bind', 'expected a number of seconds from 1 to 9007199254740991, got NaN'],
    ['60', 'register', 'expected the action bind, got register'],
  ])('refuses %s for the action %s', async (value, action, message) => {
    const files = ['--state', work.path('none.json'), '--key-file', 'missing']
    const issuer = ['--issuer', work.issuer.origin, '--action', action]
    const ended = await run(['provision', ...issuer, ...files, '--renew-after', value])
    expect([ended.code, linesOf(ended.stderr)]).toEqual([
      2,
      [{ type: 'error', code: 'usage', message: `--renew-after: ${message}` }],
    ])
  })
})
