/** A part of a page that is read by itself: it may fail, or be nothing for this role, and the rest is there. */
import { ref, shallowRef, type Ref, type ShallowRef } from 'vue'
import { Refused } from '../../shared/session'

export interface Part<T> {
  value: ShallowRef<T | null>
  error: Ref<unknown>
  /** Not shown to this role. */
  hidden: Ref<boolean>
  read: () => Promise<void>
}

export function part<T>(get: () => Promise<T>): Part<T> {
  const value = shallowRef<T | null>(null)
  const error = ref<unknown>(null)
  const hidden = ref(false)
  async function read(): Promise<void> {
    try {
      value.value = await get()
      error.value = null
    } catch (failed) {
      hidden.value = failed instanceof Refused && failed.status === 403
      if (!hidden.value) error.value = failed
    }
  }
  return { value, error, hidden, read }
}
