/**
 * Whether this process is a worker of `node:cluster`. Only a process with a channel to its parent can be one. Others do
 * not load the module, which takes 5 ms.
 */
export function isClusterWorker(): boolean {
  if (process.send === undefined) return false
  const cluster: typeof import('node:cluster').default = require('node:cluster')
  return cluster.isWorker
}
