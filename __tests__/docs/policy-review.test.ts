import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { run } from '../cli/command-line.js'
import { ROOT, section } from './markdown'

const PAGE = 'docs/guides/policy-review.md'
let folder: string

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'policy-review-'))
  mkdirSync(join(folder, 'node_modules'))
  symlinkSync(ROOT, join(folder, 'node_modules/express-provisioning-keys'))
  writeFileSync(join(folder, 'keys.mjs'), block('Review an app', 'js'))
  writeFileSync(join(folder, 'policy.json'), block('Write a policy', 'json'))
})

afterAll(() => rmSync(folder, { recursive: true }))

/** The code of a language in a section. */
function block(heading: string, language: string): string {
  const [, code = ''] =
    new RegExp(`\`\`\`${language}\\n([\\s\\S]*?)\`\`\``).exec(section(PAGE, heading)) ?? []
  return code
}

/** Runs a command of the page in the folder. */
function review(heading: string, ...more: readonly string[]) {
  const [command = ''] = /^npx .*$/m.exec(block(heading, 'sh')) ?? []
  const [, , , ...arguments_] = command.split(' ')
  const here = arguments_.map((one) => (/^[\w-]+\.\w+$/.test(one) ? join(folder, one) : one))
  return run(['review', ...here, ...more], { env: { INSTALLER_SECRET: 's'.repeat(32) } })
}

describe(PAGE, () => {
  it('shows what the command prints', async () => {
    const { code, stdout, stderr } = await review('Review an app')
    expect([code, stderr]).toEqual([1, ''])
    const installed = stdout.replaceAll(
      'docs/reference',
      'node_modules/express-provisioning-keys/docs/reference',
    )
    expect(installed).toBe(block('Review an app', 'text'))
  })

  it('has a policy that the command accepts', async () => {
    const { code, stdout } = await review('Write a policy', '--json')
    const failed = JSON.parse(stdout).checks.filter(
      ({ outcome }: { outcome: string }) => outcome === 'failed',
    )
    const ids = failed.map(({ id }: { id: string }) => id)
    expect([code, ids]).toEqual([1, ['signing-key-age', 'key-lifetime', 'sender-constraint', 'networks']])
  })
})
