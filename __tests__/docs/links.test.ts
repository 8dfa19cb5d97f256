import { existsSync, readdirSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { codeIn, DOCUMENTS, ROOT, readText } from './markdown'

/** The anchors of a document: those that GitHub makes from headings, and explicit ones. */
function anchors(document: string): string[] {
  const headings = [...readText(document).matchAll(/^#+ (.+)$/gm)].map(([, heading = '']) =>
    heading
      .toLowerCase()
      .replaceAll(/[^\w -]/g, '')
      .replaceAll(' ', '-'),
  )
  const ids = [...readText(document).matchAll(/<a id="([\w-]+)">/g)].map(([, id = '']) => id)
  return [...headings, ...ids]
}

function withoutCode(document: string): string {
  return readText(document).replaceAll(/^```[\s\S]*?^```/gm, '')
}

describe.each(DOCUMENTS)('%s', (document) => {
  it('links to files and headings that are there', () => {
    const links = [...withoutCode(document).matchAll(/\]\((?!https:)([^)#]*)(?:#([^)]+))?\)/g)]
    const lost = links.filter(([, path = '', anchor]) => {
      const target = path === '' ? document : join(dirname(document), path)
      return !existsSync(join(ROOT, target)) || (anchor !== undefined && !anchors(target).includes(anchor))
    })
    expect(lost.map(([link]) => link)).toEqual([])
  })

  it('has comments on lines of their own, because Markdown formats no other text on these lines', () => {
    expect(withoutCode(document).match(/^<!--.*-->.+$/gm) ?? []).toEqual([])
  })

  it('names files that are there', () => {
    const paths = codeIn(withoutCode(document)).filter((code) =>
      /^(lib|__tests__|demo-app|docs|scripts|\.ci)\//.test(code),
    )
    expect(paths.filter((path) => !existsSync(join(ROOT, path)))).toEqual([])
  })

  it('names commands that package.json has', () => {
    const { scripts } = JSON.parse(readText('package.json'))
    const commands = [...readText(document).matchAll(/npm (?:run )?(test|(?<=run )[\w:-]+)/g)]
    expect(commands.filter(([, name = '']) => scripts[name] === undefined).map(([text]) => text)).toEqual([])
  })
})

describe('docs/architecture.md', () => {
  const page = readText('docs/architecture.md')
  const drawing = (/^```\n([\s\S]*?)^```/m.exec(page)?.[1] ?? '').split(/[\s,]+/)

  it('has at most 200 lines', () => {
    expect(page.trimEnd().split('\n').length).toBeLessThanOrEqual(200)
  })

  it('draws every folder of lib', () => {
    const names = readdirSync(join(ROOT, 'lib'), { withFileTypes: true }).map((entry) =>
      entry.isDirectory() ? `${entry.name}/` : entry.name,
    )
    expect(names.filter((name) => !drawing.includes(name))).toEqual([])
  })

  it('names only files and folders that exist', () => {
    const within = (folder: string) =>
      readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' }).map(
        (path) => `/${folder}/${path}`,
      )
    const paths = [...readdirSync(ROOT).map((name) => `/${name}`), ...within('lib'), ...within('__tests__')]
    const named = [...drawing, ...codeIn(withoutCode('docs/architecture.md'))]
    const places = named.filter((name) => /^[\w./-]+(\/|\.ts)$/.test(name))
    const lost = places.filter(
      (place) => !paths.some((path) => path.endsWith(`/${place.replace(/\/$/, '')}`)),
    )
    expect(lost).toEqual([])
  })
})
