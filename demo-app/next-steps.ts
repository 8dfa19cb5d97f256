import { SCOPES } from './app'
import { attacks, type CommandSite, clientArguments, type Example, flow, metadata } from './commands'
import { type Environment, quote } from './environment'
import type { Paint } from './paint'
import type { Origins } from './server'
import { shellQuote } from './shell-quote'

/** The text that the demo prints when it has a story: the link to it. */
export function storyLink(url: string, paint: Paint): string {
  return [
    '',
    `  ${paint('bold', 'The demo is running. Open this link in a browser on this machine:')}`,
    '',
    `  ${paint('green', url)}`,
    '',
    '  The page shows each request as a curl command. Without a browser, stop the demo, and run this:',
    `  ${paint('cyan', 'npm run demo -- --commands')}`,
    '',
    '  Press Ctrl-C to stop the demo.',
    '',
  ].join('\n')
}

/**
 * The text that the demo prints when it shows no story: its addresses, and commands to paste.
 *
 * @param extraRows further facts about the demo, to print below its addresses
 */
export function nextSteps(
  demo: Origins,
  environment: Environment,
  paint: Paint,
  extraRows: readonly Row[] = [],
): string {
  const { origin, cleartextOrigin } = demo
  const asClient = clientArguments(environment.clientId, environment.clientSecret)
  const site: CommandSite = { origin, cleartextOrigin, asClient }
  const numbered = numberer(paint)
  return [
    '',
    ...introduction(demo, environment, paint, extraRows),
    '',
    `  ${paint('bold', 'Try it:')} open another terminal (bash or zsh) and paste the indented commands in this order. Each`,
    '  answer ends with its HTTP status. curl needs -k because the certificate is self-signed.',
    '',
    ...clientVariables(demo, environment),
    '',
    heading('The flow', paint),
    ...flow(site).flatMap(numbered),
    heading('Attacks', paint),
    ...attacks(site).flatMap(numbered),
    heading('Metadata', paint),
    ...metadata(site).flatMap(numbered),
    '  The tour sends these requests itself and explains each answer. It also shows DPoP,',
    '  private_key_jwt and a lost answer. Run it where you have pasted the exports:',
    `  ${tourCommand(demo)}`,
    '',
    '  Press Ctrl-C to stop the demo. It prints an event below for each thing that happens to a key:',
    '',
  ].join('\n')
}

/** A line of the introduction. */
type Row = readonly [name: string, value: string, note?: string]

function introduction(
  demo: Origins,
  { clientId, database }: Environment,
  paint: Paint,
  extraRows: readonly Row[],
): readonly string[] {
  const rows: readonly Row[] = [
    ['HTTPS', demo.origin, 'OAuth endpoints under /oauth; GET / lists the other routes'],
    ['HTTP', demo.cleartextOrigin, 'refuses each key that it receives, and revokes the key'],
    ['metrics', `${demo.origin}/metrics`, 'for Prometheus; see docs/operations/monitoring.md'],
    ['client', clientId],
    ['scopes', SCOPES.join(', ')],
    ...(database === undefined ? [] : [['clients', `stored in ${quote(database)}`] as const]),
    ...extraRows,
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

/** The variables of the commands, and the URL that the tour reads. */
function clientVariables(
  { origin }: Origins,
  { clientId, clientSecret, isSecretRandom }: Environment,
): readonly string[] {
  const names = [`export DEMO_URL=${origin}`, `export DEMO_CLIENT_ID=${shellQuote(clientId)}`].map(command)
  if (isSecretRandom) return [...names, command(`export DEMO_CLIENT_SECRET=${shellQuote(clientSecret)}`)]
  return [...names, '', '  First export the secret of this demo in that terminal, as DEMO_CLIENT_SECRET.']
}

/** The command that starts the tour, after the exports above. */
function tourCommand({ cleartextOrigin }: Origins): string {
  if (cleartextOrigin === 'http://localhost:8080') return 'npm run demo:tour'
  return `HTTP_PORT=${new URL(cleartextOrigin).port || 80} npm run demo:tour`
}

function heading(text: string, paint: Paint): string {
  return `  ${paint('bold', text)}\n`
}

/** Numbers the examples through all sections. */
function numberer(paint: Paint): (example: Example) => string {
  let number = 0
  return ({ title, commands }) => {
    number += 1
    const lines = commands.split('\n').map(command)
    return `  ${paint('cyan', `${number}.`.padStart(3))} ${title}\n${lines.join('\n')}\n`
  }
}

/** Indents a command. Nothing else is indented this far, so that a reader sees what to paste. */
function command(line: string): string {
  return `      ${line}`
}
