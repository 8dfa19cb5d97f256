import type { Memory } from './step'

/** Remembers secrets by name, and writes the name wherever the secret would be printed. */
export interface Redaction extends Memory {
  redact(text: string): string
}

export function redaction(): Redaction {
  const secrets = new Map<string, string>()
  const notes = new Map<string, string>()
  return {
    keep(name, secret) {
      secrets.set(name, secret)
      return secret
    },
    note(name, text) {
      notes.set(name, text)
    },
    recall(name) {
      const kept = secrets.get(name) ?? notes.get(name)
      if (kept === undefined) throw new Error(`it needs <${name}>, which no step has brought`)
      return kept
    },
    redact(text) {
      const longestFirst = [...secrets].sort(([, a], [, b]) => b.length - a.length)
      const named = longestFirst.reduce((all, [name, secret]) => all.replaceAll(secret, `<${name}>`), text)
      // A JWT that nobody expected must not be printed either.
      return named.replace(/eyJ[\w-]*\.[\w-]+\.[\w-]*/g, '<unexpected JWT>')
    },
  }
}
