import type { Memory } from './step'

/** Remembers secrets by name, and replaces them by their names in printed text. */
export interface Redaction extends Memory {
  redact(text: string): string
}

export function redaction(): Redaction {
  const secrets = new Map<string, string>()
  const values = new Map<string, string>()
  return {
    keepSecret(name, secret) {
      secrets.set(name, secret)
      return secret
    },
    keepValue(name, value) {
      values.set(name, value)
    },
    recall(name) {
      const value = secrets.get(name) ?? values.get(name)
      if (value === undefined)
        throw new Error(`<${name}> is missing, because an earlier step did not receive it`)
      return value
    },
    redact(text) {
      const longestFirst = [...secrets].sort(([, a], [, b]) => b.length - a.length)
      const named = longestFirst.reduce((all, [name, secret]) => all.replaceAll(secret, `<${name}>`), text)
      // An unexpected JWT must not be printed either.
      return named.replace(/eyJ[\w-]*\.[\w-]+\.[\w-]*/g, '<unexpected JWT>')
    },
  }
}
