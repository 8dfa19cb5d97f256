import { randomUUID } from 'node:crypto'

/** What the demo provisions. */
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

const MAXIMUM = 100

/** Devices in memory; beyond the cap the oldest is forgotten. */
export function devicesInMemory(): Devices {
  const devices: Device[] = []
  return {
    async create(owner, name) {
      const device = newDevice(owner, name)
      devices.push(device)
      if (devices.length > MAXIMUM) devices.shift()
      return device
    },
    ownedBy: async (owner) => devices.filter((device) => device.owner === owner),
  }
}

export function newDevice(owner: string, name: string): Device {
  return { id: randomUUID(), name, owner, created_at: new Date().toISOString() }
}

/** 1 to 64 characters, none of them a control character. */
export function isDeviceName(value: unknown): value is string {
  return typeof value === 'string' && /^\P{Cc}{1,64}$/u.test(value)
}
