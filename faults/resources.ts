/** A process, a folder or another thing that must not be left behind. */
export interface Resource {
  close(): Promise<unknown>
  /** Ends the resource immediately, when the process exits. */
  drop?(): void
}

/** The resources of a run. They are also removed if the process exits early. */
export interface Resources {
  keep<T extends Resource>(resource: T): T
  /** Closes all resources, the latest first. A second call has no effect. */
  close(): Promise<void>
}

export function newResources(): Resources {
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
