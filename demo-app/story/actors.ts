import type { Actor, NetworkName } from './scene'

/** The address that the server sees for each network. These networks exist in documents only (RFC 5737). */
export const ADDRESSES: Readonly<Record<NetworkName, string>> = {
  home: '192.0.2.20',
  elsewhere: '198.51.100.7',
  abroad: '203.0.113.9',
}

/** Gives keys to new devices. It is the demo's own client, and the only one with a secret. */
export const INSTALLER: Actor = {
  name: 'Installer',
  lane: 'device',
  userAgent: 'installer/1.0',
  network: 'home',
}

export const DEVICE: Actor = { name: 'Device', lane: 'device', userAgent: 'lamp/1.0', network: 'home' }

export const THIEF: Actor = { name: 'Thief', lane: 'thief', userAgent: 'curl/8.5.0', network: 'elsewhere' }

/** Somebody who finds the key where the thief has published it. */
export const SECOND_THIEF: Actor = {
  name: 'Second thief',
  lane: 'thief',
  userAgent: 'python-requests/2.32',
  network: 'abroad',
}
