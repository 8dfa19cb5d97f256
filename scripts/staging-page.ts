/**
 * Compares the outputs in docs/guides/staging.md with those of the command `check` against the demo:
 * `node scripts/run.mjs scripts/staging-page.ts`. With `--write`, it writes them into the page.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startDemo } from '../demo-app/server'
import { runCommand } from '../lib/cli/commands'
import { Report } from '../lib/cli/report'
import { withPart } from './page-part'

const PAGE = join(__dirname, '..', 'docs', 'guides', 'staging.md')
const SECRET = 'a-secret-for-the-demo-of-today'
const HOST = 'https://auth.example.com'

/** The outputs of the page by their names, and the arguments that print them. ORIGIN is that of the demo. */
const OUTPUTS: Readonly<Record<string, readonly string[]>> = {
  'output of a run': [
    '--only',
    'reachable,hsts,cleartext,issuance-lifetime,redemption,expiry',
    '--wait',
    '3',
  ],
  'output of a fault': ['--only', 'forgery-alg-none', '--protected-url', 'ORIGIN/'],
}

async function main(): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'staging-'))
  const settings = { port: 0, httpPort: 0, clientId: 'staging', clientSecret: SECRET, isSecretRandom: false }
  const demo = await startDemo(settings, { observer: () => undefined })
  try {
    const [ca, secret] = [join(folder, 'ca.pem'), join(folder, 'secret')]
    writeFileSync(ca, demo.certificate)
    writeFileSync(secret, SECRET)
    const httpPort = new URL(demo.cleartextOrigin).port
    const client = [
      '--client-id',
      'staging',
      '--secret-file',
      secret,
      '--ca-file',
      ca,
      '--http-port',
      httpPort,
    ]
    let page = readFileSync(PAGE, 'utf8')
    for (const [name, options] of Object.entries(OUTPUTS)) {
      const own = options.map((option) => option.replace('ORIGIN', demo.origin))
      const printed = await outputOf(['check', demo.origin, ...client, ...own])
      const text = printed.replace(anywhere(demo.origin), HOST).trimEnd()
      page = withPart(page, { name, text: `\`\`\`text\n${text}\n\`\`\`` })
    }
    finish(page)
  } finally {
    await demo.stop()
    rmSync(folder, { recursive: true })
  }
}

/** What the command prints into a pipe, in a project that has installed the package. */
async function outputOf(arguments_: readonly string[]): Promise<string> {
  let printed = ''
  await runCommand(arguments_, {
    report: new Report((line) => process.stderr.write(line), false),
    signal: new AbortController().signal,
    screen: { columns: 80, hasColours: false },
    isTerminal: false,
    print: async (text) => {
      printed += text
    },
  })
  return printed.replaceAll('docs/reference', 'node_modules/express-provisioning-keys/docs/reference')
}

/** Finds a text even if the report has broken it at the end of a line. */
function anywhere(text: string): RegExp {
  return new RegExp([...text].map((one) => one.replace(/\W/, '\\$&')).join('(?:\n {12})?'), 'g')
}

function finish(page: string): void {
  if (process.argv.includes('--write')) writeFileSync(PAGE, page)
  else if (page !== readFileSync(PAGE, 'utf8')) {
    console.error(`${PAGE} differs from the outputs: run this again with --write`)
    process.exitCode = 1
  }
}

void main()
