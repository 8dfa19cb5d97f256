import { codeBlocks, readText } from './markdown'
import { javaScript } from './run-code'
import { commentsIn, freePort, inShell, printing } from './shell'

/** A folder in which a reader follows a page. The package is installed there. */
interface Place {
  readonly folder: string
  write(name: string, text: string): void
}

/** Does what a page says: saves its files and pastes its commands. Expects what the page promises. */
export async function follow(page: string, { folder, write }: Place): Promise<void> {
  const port = await freePort()
  const withPort = (text: string) => text.replaceAll('3000', `${port}`)
  for (const [name, code] of Object.entries(filesOf(page))) write(name, javaScript(withPort(code), 'es6'))
  const commands = commandsOf(page)
  const { stdout } = await inShell(folder, startedOn(withPort(commands)))
  expect(stdout).toMatch(printing(promisesOf(page)))
}

/** The files that a page tells its reader to save, by their names. */
function filesOf(page: string): Record<string, string> {
  const saved = readText(page).matchAll(/as\s+`([\w.]+)`:\n\n```(?:js|ts)\n([\s\S]*?)^```$/gm)
  return Object.fromEntries([...saved].map(([, name = '', code = '']) => [name, code]))
}

/** The commands of a page, without those that install something. */
function commandsOf(page: string): string {
  const blocks = codeBlocks(page).filter(({ language }) => language === 'sh')
  return blocks
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
