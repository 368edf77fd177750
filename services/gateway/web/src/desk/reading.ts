/** Lists that are longer than a page, and the time that goes on. */
import { onUnmounted, ref, type Ref } from 'vue'

export const MOST = 200

interface Page<T> {
  items: T[]
  next?: string | null
}

/** Page after page; `each` is told as they come. */
export async function everyPage<T>(get: (cursor?: string) => Promise<Page<T>>, each: (items: T[]) => void): Promise<void> {
  let cursor: string | undefined
  do {
    const page = await get(cursor)
    each(page.items)
    cursor = page.next ?? undefined
  } while (cursor)
}

/** Milliseconds since 1970, every second. */
export function useNow(): Ref<number> {
  const now = ref(Date.now())
  const timer = setInterval(() => (now.value = Date.now()), 1_000)
  onUnmounted(() => clearInterval(timer))
  return now
}

/** The day in this place, as `2026-11-30`. */
export function dayOf(at: Date | number | string): string {
  const date = new Date(at)
  const two = (number: number): string => String(number).padStart(2, '0')
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`
}

/** 1:05:10 or 12:03, whatever the sign. */
export function span(ms: number): string {
  const seconds = Math.floor(Math.abs(ms) / 1000)
  const [h, m, s] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60]
  const two = (number: number): string => String(number).padStart(2, '0')
  return h ? `${h}:${two(m)}:${two(s)}` : `${m}:${two(s)}`
}
