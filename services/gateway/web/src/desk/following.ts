/** What changes, told to whatever page is open: one stream for the whole desk. */
import { onMounted, onUnmounted, type Ref } from 'vue'
import { wasBehind } from '../shared/api'
import { useLive, type Change, type Line } from '../shared/live'

const listeners = new Set<(change: Change) => void>()
const readers = new Set<() => Promise<unknown>>()

/** Once, by the shell. */
export function followAll(): Ref<Line> {
  return useLive(
    (change) => listeners.forEach((tell) => tell(change)),
    () => Promise.all([...readers].map((read) => read())),
  )
}

/** `changed` for each change while the component is there; `again` reads anew what may have been missed. */
export function onChanges(changed: (change: Change) => void, again: () => Promise<unknown>): void {
  onMounted(() => {
    listeners.add(changed)
    readers.add(again)
  })
  onUnmounted(() => {
    listeners.delete(changed)
    readers.delete(again)
  })
}

const GATHER_MS = 120
/** A service that was behind what the stream had told is asked once more after this. */
const BEHIND_MS = 1_000

/**
 * Reads each thing that was named since, once: a burst of changes of one order is one reading.
 */
export function gathered(read: (id: string) => Promise<unknown>): (id: string) => void {
  const waiting = new Set<string>()
  let timer: ReturnType<typeof setTimeout> | undefined

  async function flush(): Promise<void> {
    timer = undefined
    const now = [...waiting]
    waiting.clear()
    const begun = Date.now()
    for (const id of now) await read(id).catch(() => undefined)
    if (wasBehind(begun)) setTimeout(() => now.forEach((id) => void read(id).catch(() => undefined)), BEHIND_MS)
  }

  return (id) => {
    waiting.add(id)
    timer ??= setTimeout(() => void flush(), GATHER_MS)
  }
}
