import { readFileSync } from 'node:fs'
import { join } from 'node:path'

/** The choices of a new project. */
export interface ProjectOptions {
  readonly name: string
  readonly language: 'ts' | 'js'
  readonly store: 'memory' | 'redis'
  /** The version of this package. */
  readonly version: string
}

/** The files of a new project by their paths, without its secrets. */
export function projectFiles(options: ProjectOptions): Readonly<Record<string, string>> {
  const { language } = options
  return {
    'package.json': json(manifest(options)),
    '.gitignore': 'node_modules/\nsecrets/\n# Files of keygen\nclient-secret\nsigning-key.*\n',
    'README.md': filled('readme', options),
    'security-policy.json': json(POLICY),
    [`src/keys.${language}`]: filled('keys', options),
    [`src/app.${language}`]: filled('app', options),
    [`src/server.${language}`]: filled('server', options),
    [`test/app.test.${language}`]: filled('test', options),
    ...(language === 'ts' && { 'tsconfig.json': json(TSCONFIG) }),
  }
}

function json(value: object): string {
  return `${JSON.stringify(value, undefined, 2)}\n`
}

function manifest({ name, language, store, version }: ProjectOptions): object {
  const node = language === 'ts' ? 'node --import tsx' : 'node'
  return {
    name,
    version: '0.1.0',
    private: true,
    type: 'module',
    engines: { node: '>=20' },
    scripts: {
      start: `${node} src/server.${language}`,
      test: `${node} --test test/app.test.${language}`,
      review: `express-provisioning-keys review src/keys.${language} --policy security-policy.json`,
      ...(language === 'ts' && { types: 'tsc' }),
    },
    dependencies: {
      express: '^5.1.0',
      'express-provisioning-keys': `^${version}`,
      ...(store === 'redis' && { redis: '^5.0.0 || ^6.0.0' }),
    },
    devDependencies: {
      supertest: '^7.1.0',
      ...(language === 'ts' && {
        '@types/express': '^5.0.0',
        '@types/node': '^20.0.0',
        '@types/supertest': '^6.0.0 || ^7.0.0',
        tsx: '^4.20.0',
        typescript: '^5.9.0 || ^7.0.0',
      }),
    },
  }
}

const TSCONFIG = {
  compilerOptions: {
    target: 'es2023',
    module: 'nodenext',
    strict: true,
    noEmit: true,
    skipLibCheck: true,
    types: ['node'],
  },
  include: ['src', 'test'],
}

/** A first step on this machine is possible with warnings. The rules say what is missing for production. */
const POLICY = {
  $schema: './node_modules/express-provisioning-keys/dist/checks/policy/policy.schema.json',
  rules: {
    'https-only': 'warning',
    'key-lifetime': { maxSeconds: 300 },
    'signing-key-age': { mustBeKnown: true },
  },
  classes: [
    {
      name: 'installers',
      clients: ['installer'],
      rules: { 'allowed-scopes': { allowed: ['devices:create'] } },
    },
  ],
}

/**
 * Fills a template. A line that begins with `//redis`, `//memory` or `//ts` is only for that choice, and a type in a
 * comment is only for TypeScript.
 */
function filled(template: string, { name, language, store, version }: ProjectOptions): string {
  const text = readFileSync(join(__dirname, 'templates', `${template}.txt`), 'utf8')
  const lines = text.split('\n').flatMap((line) => {
    const [, indent = '', choice = '', rest = line] =
      /^(\s*)\/\/(redis|memory|ts|js)\b ?(.*)$/.exec(line) ?? []
    return choice === '' || choice === store || choice === language ? [`${indent}${rest}`] : []
  })
  return lines
    .join('\n')
    .replace(/\/\*(: \w+)\*\//g, language === 'ts' ? '$1' : '')
    .replaceAll('{{name}}', name)
    .replaceAll('{{version}}', version)
}
