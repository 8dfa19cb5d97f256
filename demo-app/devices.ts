import { randomUUID } from 'node:crypto'

/** A device that the demo provisions. */
export interface Device {
  readonly id: string
  readonly name: string
  readonly owner: string
  readonly created_at: string
}

export interface Devices {
  create(owner: string, name: string): Promise<Device>
  ownedBy(owner: string): Promise<readonly Device[]>
}

const MAX_DEVICES = 100

/** Keeps the newest 100 devices in memory. */
export function devicesInMemory(): Devices {
  const devices: Device[] = []
  return {
    async create(owner, name) {
      const device = newDevice(owner, name)
      devices.push(device)
      if (devices.length > MAX_DEVICES) devices.shift()
      return device
    },
    ownedBy: async (owner) => devices.filter((device) => device.owner === owner),
  }
}

export function newDevice(owner: string, name: string): Device {
  return { id: randomUUID(), name, owner, created_at: new Date().toISOString() }
}

/** Accepts 1 to 64 characters without control characters. */
export function isDeviceName(value: unknown): value is string {
  return typeof value === 'string' && /^\P{Cc}{1,64}$/u.test(value)
}
