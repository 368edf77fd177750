/** A page that only listens, for `tests/browser/test_cut_stream.py`: all that `useLive` tells, in its order. */
import { createApp, watchEffect } from 'vue'
import { useLive, type Change } from './live'
import { openSession } from './session'

declare global {
  interface Window {
    told: Change[]
  }
}

openSession('probe')
window.told = []
createApp({
  setup() {
    const line = useLive((change) => window.told.push(change), () => Promise.resolve())
    watchEffect(() => (document.title = line.value))
    return () => null
  },
}).mount(document.body)
