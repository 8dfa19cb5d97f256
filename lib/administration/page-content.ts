import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

/** The chart library of the page: the names of its files there, and where they are in its package. */
const UPLOT = { 'uplot.js': 'uPlot.iife.min.js', 'uplot.css': 'uPlot.min.css' }

/**
 * Reads the text of each file of the page, by its name. The build replaces this module by one that contains the texts: so
 * the page also works in a bundle of an app, where no file is beside the code.
 */
export function readPageContent(): Readonly<Record<string, string>> {
  const folder = join(__dirname, 'page')
  const own = readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => /\.(css|html|mjs|svg)$/.test(name))
    .map((name) => [name.replaceAll('\\', '/'), join(folder, name)])
  const charts = Object.entries(UPLOT).map(([name, file]) => [name, require.resolve(`uplot/dist/${file}`)])
  return Object.fromEntries(
    [...own, ...charts].map(([name = '', path = '']) => [name, readFileSync(path, 'utf8')]),
  )
}
