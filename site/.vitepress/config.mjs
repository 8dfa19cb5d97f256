import { readdirSync, readFileSync } from 'node:fs'
import { posix } from 'node:path'
import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitepress'

/** The pages stay where GitHub shows them. Their README files are the indexes of their folders. */
const ROOT = fileURLToPath(new URL('../..', import.meta.url))

const OVERVIEW = readFileSync(`${ROOT}/docs/README.md`, 'utf8')

/** The sections of the sidebar, in the order in which a newcomer needs them. */
const SECTIONS = [
  ['Guides', 'docs/guides'],
  ['Concepts', 'docs/concepts'],
  ['Reference', 'docs/reference'],
  ['Operations', 'docs/operations'],
]

const ALONE = [
  'docs/performance.md',
  'docs/troubleshooting.md',
  'docs/security.md',
  'docs/architecture.md',
  'CHANGELOG.md',
]

export default defineConfig({
  title: 'express-provisioning-keys',
  description: 'Express middleware for OAuth 2.0 provisioning keys.',
  // Without an icon, browsers ask for one that is not there.
  head: [['link', { rel: 'icon', href: 'data:,' }]],
  srcDir: '..',
  srcExclude: ['**/node_modules/**', 'site/**', '__tests__/**', 'LICENSE'],
  rewrites: { 'README.md': 'index.md', ':folder(.*)/README.md': ':folder/index.md' },
  // Pages also link to source files, which only the repository has.
  ignoreDeadLinks: [
    /^http:\/\/localhost/,
    /\/(lib|__tests__|faults|bench|examples|demo-app|scripts)\//,
    /\/LICENSE$/,
  ],
  // The pages are above this package, so its modules are not on their path.
  vite: {
    resolve: { alias: { vue: fileURLToPath(new URL('../node_modules/vue', import.meta.url)) } },
  },
  themeConfig: {
    search: { provider: 'local' },
    nav: [
      { text: 'Documentation', link: '/docs/' },
      { text: 'Changelog', link: '/CHANGELOG' },
    ],
    sidebar: [
      {
        text: 'Start',
        items: [
          { text: 'Quick start', link: '/' },
          { text: 'All pages', link: '/docs/' },
        ],
      },
      ...SECTIONS.map(([text, folder]) => ({ text, items: pagesIn(folder).map(item) })),
      { text: 'More', items: ALONE.map(item) },
    ],
    outline: [2, 3],
  },
  markdown: {
    anchor: { slugify: githubAnchor },
    config: (md) => {
      md.core.ruler.push('readme-links', linkIndexes)
      md.core.ruler.push('table-columns', nameColumns)
      md.core.ruler.push('short-code', keepShortCode)
    },
  },
})

function pagesIn(folder) {
  const overview = `${folder}.md`
  const inside = readdirSync(`${ROOT}/${folder}`)
    .filter((name) => name.endsWith('.md'))
    .map((name) => posix.join(folder, name))
    .sort((one, other) => placeOf(one) - placeOf(other))
  return isPage(overview) ? [overview, ...inside] : inside
}

/** The place of a page in the overview, which has the order in which a newcomer needs the pages. */
function placeOf(path) {
  return OVERVIEW.indexOf(`](${posix.relative('docs', path)})`)
}

function isPage(path) {
  return readdirSync(`${ROOT}/${posix.dirname(path)}`).includes(posix.basename(path))
}

function item(path) {
  return { text: titleOf(path), link: `/${path.replace(/\.md$/, '')}` }
}

function titleOf(path) {
  const [, title = path] = /^# (.+)$/m.exec(readFileSync(`${ROOT}/${path}`, 'utf8')) ?? []
  return title.replaceAll('`', '')
}

/** The anchor that GitHub gives a heading, so that a link such as `#key_expired` works in both places. */
function githubAnchor(heading) {
  return heading
    .toLowerCase()
    .replaceAll(/[^\w -]/g, '')
    .replaceAll(' ', '-')
}

/** Links to a README lead to the index that it becomes. A file that is no page is not on the site, so it is no link here. */
function linkIndexes({ tokens }) {
  const links = tokens.flatMap(({ children }) => children ?? []).filter(({ type }) => type === 'link_open')
  for (const link of links) {
    const href = link.attrGet('href')
    if (href === null || /^\w+:/.test(href)) continue
    if (isSourceFile(href)) link.attrs = [['title', 'This file is in the package or in the repository']]
    else link.attrSet('href', href.replace(/README(\.md|\.html)?(?=#|$)/, 'index$1'))
  }
}

/** Marks short code, so that no line ends after the hyphens of `--help`. */
function keepShortCode({ tokens }) {
  const code = tokens.flatMap(({ children }) => children ?? []).filter(({ type }) => type === 'code_inline')
  for (const token of code) if (token.content.length <= 30) token.attrJoin('class', 'short')
}

/** Tells each cell the name of its column, which a phone shows beside the cell. */
function nameColumns({ tokens }) {
  let names = []
  let column = 0
  for (const [index, token] of tokens.entries()) {
    if (token.type === 'table_open') names = []
    if (token.type === 'tr_open') column = 0
    if (token.type === 'th_open') names.push(tokens[index + 1].content.replaceAll(/[`*]/g, ''))
    if (token.type === 'td_open') token.attrSet('data-column', names[column++])
  }
}

function isSourceFile(href) {
  return /(^|\/)LICENSE(\.html)?$|\.(sh|py|go|c|ts|js|mjs|json|ya?ml)(\.html)?$/.test(href)
}
