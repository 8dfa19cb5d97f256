export { fileState } from './node/file-state.js'
export { type PinnedFetchOptions, pinnedFetch } from './node/pinned-fetch.js'
export { secretFromEnvironment, secretFromFile, secretFromStdin } from './node/secrets.js'
