const CODES = { bold: 1, dim: 2, red: 31, green: 32, yellow: 33, cyan: 36 } as const

type Colour = keyof typeof CODES

/** Colours text for a stream. */
export type Paint = (colour: Colour, text: string) => string

/** Uses colours only on a terminal, and not if `NO_COLOR` is set (https://no-color.org). */
export function painter(stream: { readonly isTTY?: boolean }, env: NodeJS.ProcessEnv): Paint {
  const isColoured = stream.isTTY === true && !env.NO_COLOR && env.TERM !== 'dumb'
  return (colour, text) => (isColoured ? `\x1b[${CODES[colour]}m${text}\x1b[0m` : text)
}
