import { freePort } from '../support/free-port'
import { type CodeBlock, codeBlocks, readText } from './markdown'
import { javaScript } from './run-code'
import { commentsIn, inShell, printing } from './shell'

/** A folder in which a reader follows a page. The package is installed there. */
interface Place {
  readonly folder: string
  write(name: string, text: string): void
}

/** Does what a page says: saves its files and pastes its commands. Expects what the page promises. */
export async function follow(page: string, place: Place): Promise<void> {
  const port = await freePort()
  saveFiles(page, place, port)
  const commands = commandsOf(codeBlocks(page))
  const { stdout } = await inShell(place.folder, startedOn(onPort(port, commands)))
  expect(stdout).toMatch(printing(promisesOf(page)))
}

/** Does what one section of a page says, and answers everything that it prints. Commands may fail. */
export async function tryOut(
  page: string,
  { heading, place, port }: { readonly heading: string; readonly place: Place; readonly port: number },
): Promise<string> {
  saveFiles(page, place, port)
  const commands = commandsOf(codeBlocks(page).filter((block) => block.heading === heading))
  const { stdout } = await inShell(place.folder, `set +e; {\n${onPort(port, commands)}\n} 2>&1; true`)
  return stdout
}

function onPort(port: number, text: string): string {
  return text.replaceAll('3000', `${port}`)
}

function saveFiles(page: string, { write }: Place, port: number): void {
  for (const [name, code] of Object.entries(filesOf(page))) write(name, javaScript(onPort(port, code), 'es6'))
}

/** The files that a page tells its reader to save, by their names. */
function filesOf(page: string): Record<string, string> {
  const saved = readText(page).matchAll(/as\s+`([\w.]+)`:\n\n```(?:js|ts)\n([\s\S]*?)^```$/gm)
  return Object.fromEntries([...saved].map(([, name = '', code = '']) => [name, code]))
}

/** The commands among some blocks, without those that install something. */
function commandsOf(blocks: readonly CodeBlock[]): string {
  return blocks
    .filter(({ language }) => language === 'sh')
    .map(({ code }) => code)
    .filter((code) => !/\bnpm /.test(code))
    .join('')
}

/** What the commands of a page print: the comments after commands, and the blocks of text. */
function promisesOf(page: string): string[] {
  return codeBlocks(page).flatMap(({ language, code }) => {
    if (language === 'text') return code.trim().split('\n')
    return language === 'sh' ? commentsIn(code) : []
  })
}

/** Stops the app at the end. */
function startedOn(commands: string): string {
  return commands.replace(/^node app\.mjs .*&$/m, '$& trap "kill $!" EXIT')
}
