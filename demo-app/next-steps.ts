import { SCOPES } from './app'
import { attacks, type CommandSite, clientArguments, flow, metadata, type Trial } from './commands'
import { type Environment, quote } from './environment'
import type { Paint } from './paint'
import type { Origins } from './server'

/** What is printed for a person once the demo runs: where it is, and what to try, ready to paste. */
export function nextSteps(
  demo: Origins,
  environment: Environment,
  paint: Paint,
  particulars: readonly Row[] = [],
): string {
  const { origin, cleartextOrigin } = demo
  const asClient = clientArguments(environment.clientId, environment.clientSecret)
  const site: CommandSite = { origin, cleartextOrigin, asClient }
  const numbered = numberer(paint)
  return [
    '',
    ...introduction(demo, environment, paint, particulars),
    '',
    `  ${paint('bold', 'Try it:')} paste what is indented, in this order, into another terminal (bash or zsh). The answers`,
    '  end with their status. curl gets -k because nobody vouches for a certificate made just now.',
    '',
    ...clientVariables(environment),
    '',
    heading('The flow', paint),
    ...flow(site).flatMap(numbered),
    heading('Attacks', paint),
    ...attacks(site).flatMap(numbered),
    heading('Metadata', paint),
    ...metadata(site).flatMap(numbered),
    '  All of it at once, DPoP, private_key_jwt and a lost answer besides, all explained:',
    `  ${tourCommand(demo)}`,
    '',
    '  Ctrl-C stops the demo. What happens to keys is told here as it happens, in events:',
    '',
  ].join('\n')
}

type Row = readonly [name: string, value: string, note?: string]

function introduction(
  demo: Origins,
  { clientId, database }: Environment,
  paint: Paint,
  particulars: readonly Row[],
): readonly string[] {
  const rows: readonly Row[] = [
    ['HTTPS', demo.origin, 'endpoints under /oauth, own routes listed at /'],
    ['cleartext', demo.cleartextOrigin, 'refuses everything, and revokes the keys it is shown'],
    ['client', clientId],
    ['may have', SCOPES.join(', ')],
    ...(database === undefined ? [] : [['clients', `kept in ${quote(database)}`] as const]),
    ...particulars,
  ]
  return [
    `  ${paint('bold', 'express-provisioning-keys: the demo is running')}`,
    '',
    ...rows.map(([name, value, note]) =>
      note === undefined
        ? `  ${name.padEnd(11)}${value}`
        : `  ${name.padEnd(11)}${paint('green', value.padEnd(24))} ${note}`,
    ),
  ]
}

function clientVariables({ clientId, clientSecret, isSecretRandom }: Environment): readonly string[] {
  const id = `export DEMO_CLIENT_ID=${shellQuote(clientId)}`
  if (isSecretRandom) return [command(id), command(`export DEMO_CLIENT_SECRET=${shellQuote(clientSecret)}`)]
  return [
    command(id),
    '',
    '  The commands read the secret from $DEMO_CLIENT_SECRET: export the one you started the demo with.',
  ]
}

/** The tour finds this demo by the same variables. */
function tourCommand({ origin, cleartextOrigin }: Origins): string {
  const isDefault = origin === 'https://localhost:8443' && cleartextOrigin === 'http://localhost:8080'
  if (isDefault) return 'npm run demo:tour'
  const port = new URL(origin).port || 443
  const httpPort = new URL(cleartextOrigin).port || 80
  return `PORT=${port} HTTP_PORT=${httpPort} npm run demo:tour`
}

function heading(text: string, paint: Paint): string {
  return `  ${paint('bold', text)}\n`
}

function numberer(paint: Paint): (trial: Trial) => string {
  let number = 0
  return ({ title, lines }) => {
    number += 1
    const shown = lines.split('\n').map(command)
    return `  ${paint('cyan', `${number}.`.padStart(3))} ${title}\n${shown.join('\n')}\n`
  }
}

/** Commands, and nothing else, are indented this far. */
function command(line: string): string {
  return `      ${line}`
}

function shellQuote(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`
}
