/** A process, a folder or whatever else must not be left behind. */
export interface Resource {
  close(): Promise<unknown>
  /** At once, for when there is no time to wait. */
  drop?(): void
}

/** What a run has started, so that it is gone in the end, however that comes. */
export interface Resources {
  keep<T extends Resource>(resource: T): T
  /** The last first; a second call finds nothing to do. */
  close(): Promise<void>
}

export function resources(): Resources {
  const kept: Resource[] = []
  const dropAll = () => {
    for (const { drop } of kept.splice(0).reverse()) drop?.()
  }
  process.on('exit', dropAll)
  return {
    keep(resource) {
      kept.push(resource)
      return resource
    },
    async close() {
      for (;;) {
        const last = kept.pop()
        if (last === undefined) break
        await last.close()
      }
      process.off('exit', dropAll)
    },
  }
}
