/** What a button does: busy while it runs, and what went wrong, for ProblemNote. */
import { ref, type Ref } from 'vue'

export function useAct(): { busy: Ref<boolean>; error: Ref<unknown>; act: (what: () => Promise<unknown>) => Promise<void> } {
  const busy = ref(false)
  const error = ref<unknown>(null)
  async function act(what: () => Promise<unknown>): Promise<void> {
    busy.value = true
    error.value = null
    try {
      await what()
    } catch (failed) {
      error.value = failed
    } finally {
      busy.value = false
    }
  }
  return { busy, error, act }
}
