import type { Import } from './imports'

/** Which files a file imports, or which folders a folder imports. */
type Graph = ReadonlyMap<string, ReadonlySet<string>>

interface Importer {
  readonly path: string
  readonly imports: readonly Import[]
}

/** The top folder of a file, which is its subject; '' for files outside of a folder. */
export function folderOf(path: string): string {
  return path.includes('/') ? path.slice(0, path.indexOf('/')) : ''
}

/** The groups of files that import each other, also through other files. Imports of types count. */
export function circlesOfFiles(sources: readonly Importer[]): string[][] {
  return circles(graphOf(sources, (path) => path))
}

/** The same for the folders at the top of the tree. */
export function circlesOfFolders(sources: readonly Importer[]): string[][] {
  return circles(graphOf(sources, (path) => folderOf(path) || path))
}

/** The files of a longest path of imports, the importer first. The imports must form no circle. */
export function longestChain(sources: readonly Importer[]): string[] {
  const graph = graphOf(sources, (path) => path)
  const known = new Map<string, string[]>()
  const chainFrom = (path: string): string[] => {
    const found = known.get(path)
    if (found !== undefined) return found
    // A circle must not cause an endless loop. Another check reports it.
    known.set(path, [path])
    const chain = [path, ...longest([...(graph.get(path) ?? [])].map(chainFrom))]
    known.set(path, chain)
    return chain
  }
  return longest([...graph.keys()].map(chainFrom))
}

/**
 * Keeps the imports that Node loads together with the file. Imports of types are erased. `import()` begins a new chain,
 * because nobody has to read what is behind it to understand the file.
 */
export function atRuntime(sources: readonly Importer[]): Importer[] {
  return sources.map(({ path, imports }) => ({
    path,
    imports: imports.filter(({ isRuntime, isDeferred = false }) => isRuntime && !isDeferred),
  }))
}

function longest(chains: readonly string[][]): string[] {
  return chains.reduce((best, chain) => (chain.length > best.length ? chain : best), [])
}

function graphOf(sources: readonly Importer[], nodeOf: (path: string) => string): Graph {
  const paths = new Set(sources.map(({ path }) => path))
  const graph = new Map<string, Set<string>>()
  for (const { path, imports } of sources) {
    const node = nodeOf(path)
    const imported = graph.get(node) ?? new Set()
    graph.set(node, imported)
    for (const { file } of imports)
      if (file !== undefined && paths.has(file) && nodeOf(file) !== node) imported.add(nodeOf(file))
  }
  return graph
}

function circles(graph: Graph): string[][] {
  const reached = new Map([...graph.keys()].map((node) => [node, reachedFrom(graph, node)]))
  const groups = [...reached].map(([node, others]) =>
    [...others].filter((other) => reached.get(other)?.has(node)).sort(),
  )
  const texts = new Map(groups.map((group) => [group.join(), group]))
  return [...texts.values()].filter((group) => group.length > 0)
}

/** The nodes at the end of a path of one step or more. */
function reachedFrom(graph: Graph, start: string): Set<string> {
  const reached = new Set<string>()
  const pending = [start]
  for (let node = pending.pop(); node !== undefined; node = pending.pop())
    for (const next of graph.get(node) ?? [])
      if (!reached.has(next)) {
        reached.add(next)
        pending.push(next)
      }
  return reached
}
