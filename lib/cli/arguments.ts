import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { closest } from '../base/faults.js'
import { systemCode } from '../base/system-code.js'

/** An option: what its value is, if it has one, and what it is for. */
export interface OptionSpec {
  readonly value?: string
  readonly about: string
  /** Whether `-` is a value: the standard output. Default `false`. */
  readonly isDashAllowed?: boolean
}

export type OptionTable = Readonly<Record<string, OptionSpec>>

/** The arguments of a command, by the names of their options. A flag has an empty value. */
export interface Given {
  readonly options: Readonly<Record<string, string | undefined>>
  /** The value without an option. */
  readonly operand?: string
  /** The program to run, and its arguments. */
  readonly program?: readonly string[]
}

/** The form of the arguments of a command. */
export interface ArgumentForm {
  readonly options: OptionTable
  /** The value without an option, such as `ISSUER`. The command needs it, unless it is in brackets, as in `[FILE]`. */
  readonly operand?: string
  /** What stands before the program to run, after all options. */
  readonly programAfter?: '--exec' | '--'
}

/** The command line is wrong. The message contains no value that could be a secret. */
export class UsageError extends Error {
  override readonly name = 'UsageError'
}

/** Reads the file that an option names. @throws UsageError */
export function readFileOf(option: string, file: string): string {
  try {
    return readFileSync(resolve(file), 'utf8')
  } catch (error) {
    throw new UsageError(`${option}: cannot read ${file} (${systemCode(error) ?? 'unknown error'})`)
  }
}

/** Reads the value of an option that has only a few values. @throws UsageError */
export function readChoice<T extends string>(option: string, text: string, known: readonly T[]): T {
  const found = known.find((one) => one === text)
  if (found !== undefined) return found
  throw new UsageError(`--${option}: expected ${known.join(' or ')}, got another text`)
}

/** Reads a whole number of seconds from 1 on. @throws UsageError */
export function readSeconds(option: string, text: string, most: number): number {
  const seconds = /^\d{1,4}$/.test(text) ? Number(text) : 0
  if (seconds >= 1 && seconds <= most) return seconds
  throw new UsageError(`--${option}: expected a number of seconds from 1 to ${most}, got another text`)
}

/** The beginning of a JWT, such as a provisioning key or an access token. Even its first part alone may be a secret. */
const TOKEN = /eyJ[\w-]{8,}(\.[\w-]*){0,2}/

/**
 * Reads the arguments of a command. Everything after `--exec` or `--` is the program to run.
 *
 * @throws UsageError
 */
export function readArguments(form: ArgumentForm, arguments_: readonly string[]): Given {
  refuseTokens(arguments_)
  const { programAfter } = form
  const own = ownArguments(form, arguments_)
  const given = readOwn(form, own)
  if (programAfter === undefined || own.length === arguments_.length) return given
  const program = arguments_.slice(own.length + 1)
  // A variable of a shell that is not set gives an empty text.
  if (!program[0]) throw new UsageError(`${programAfter}: expected a command after it, got nothing`)
  return { ...given, program }
}

/** The arguments that are not those of the program to run. */
export function ownArguments(
  { programAfter }: ArgumentForm,
  arguments_: readonly string[],
): readonly string[] {
  const end = programAfter === undefined ? -1 : arguments_.indexOf(programAfter)
  return end === -1 ? arguments_ : arguments_.slice(0, end)
}

/** Replaces all tokens in a text. */
export function withoutTokens(text: string): string {
  return text.replace(new RegExp(TOKEN, 'g'), '(a token)')
}

/** Other users of the machine see the arguments of each process. */
function refuseTokens(arguments_: readonly string[]): void {
  const index = arguments_.findIndex((argument) => TOKEN.test(argument))
  if (index === -1) return
  const remedy = 'All users of this machine can see arguments: pass a file or an environment variable instead'
  throw new UsageError(`argument ${index + 1} contains a token. ${remedy}`)
}

function readOwn(form: ArgumentForm, arguments_: readonly string[]): Given {
  const { options: table, operand: wanted } = form
  const known = Object.fromEntries(
    Object.entries(table).map(([name, { value }]) => [
      name,
      { type: value === undefined ? 'boolean' : 'string' } as const,
    ]),
  )
  // The messages of a strict parser quote arguments, which can be secrets.
  const { tokens } = parseArgs({ args: [...arguments_], options: known, strict: false, tokens: true })
  const options: Record<string, string> = {}
  let operand: string | undefined
  for (const token of tokens) {
    if (token.kind === 'option') {
      const { name, value, inlineValue } = token
      const spec = Object.hasOwn(table, name) ? table[name] : undefined
      if (spec === undefined || !token.rawName.startsWith('--')) throw unknownOption(token.rawName, table)
      if (Object.hasOwn(options, name)) throw new UsageError(`--${name}: expected it once, got it twice`)
      options[name] = readValue(name, spec, { value, isInline: inlineValue })
    } else if (token.kind === 'positional' && wanted !== undefined && operand === undefined)
      operand = token.value
    else throw unexpectedText(token.index, form)
  }
  const isNeeded = wanted !== undefined && !wanted.startsWith('[')
  if (isNeeded && operand === undefined) throw new UsageError(`expected ${wanted}, got nothing`)
  return { options, ...(operand !== undefined && { operand }) }
}

function unexpectedText(index: number, { programAfter }: ArgumentForm): UsageError {
  const expected = programAfter === '--' ? 'an option, or -- and then the command of the client' : 'an option'
  return new UsageError(`argument ${index + 1}: expected ${expected}, got another text`)
}

function readValue(
  name: string,
  { value: expected, isDashAllowed = false }: OptionSpec,
  { value, isInline }: { readonly value: string | undefined; readonly isInline: boolean | undefined },
): string {
  if (expected === undefined) {
    if (value !== undefined) throw new UsageError(`--${name}: expected no value, got one`)
    return ''
  }
  const isMissing =
    value === undefined ||
    value === '' ||
    (!isInline && value.startsWith('-') && !(isDashAllowed && value === '-'))
  if (isMissing) throw new UsageError(`--${name}: expected ${expected}, got nothing`)
  return value
}

function unknownOption(rawName: string, table: OptionTable): UsageError {
  if (!/^--?[a-z][a-z0-9-]{0,30}$/.test(rawName)) return new UsageError('unknown option; see --help')
  const name = rawName.replace(/^-+/, '')
  const known = Object.keys(table)
  const longer = known.filter((one) => name.length > 1 && one.startsWith(`${name}-`))
  const near = longer.length > 0 ? longer : [closest(name, known)].filter((one) => one !== undefined)
  const hint = near.length > 0 ? `did you mean ${near.map((one) => `--${one}`).join(' or ')}?` : 'see --help'
  return new UsageError(`unknown option ${rawName}; ${hint}`)
}
