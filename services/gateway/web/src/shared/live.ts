/** What has just changed (GET /v1/live): one stream a screen, which goes on where it was cut; polling while it cannot. */
import { onUnmounted, ref, type Ref } from 'vue'
import { forgetSeen, hasSeen } from './api'
import { NotSignedIn, token } from './session'

export interface Change {
  type: string
  thing: string
  request_id: string
  at: string
  /** What a read must be given so that it shows this change; a service of an older release does not say it. */
  position?: string
}

/** `connecting`: not tried to its end yet. `live`: told at once. `polling`: asked every few seconds. `cut`: nothing comes, and what is shown may be old. */
export type Line = 'connecting' | 'live' | 'polling' | 'cut'

export const POLL_MS = 5_000
/** The server says something at least every 15 s. */
const SILENT_MS = 40_000
const TRIES_BEFORE_POLLING = 3

/**
 * Calls `changed` for each change once, and `again` when changes may have been missed: at the start, while polling,
 * and after a cursor that is not known any more. Ends with the component.
 */
export function useLive(changed: (change: Change) => void, again: () => Promise<unknown>, requestId?: () => string): Ref<Line> {
  const line = ref<Line>('connecting')
  const ended = new AbortController()
  let cursor = ''
  let failed = 0

  async function listen(): Promise<void> {
    const cut = new AbortController()
    const end = (): void => cut.abort()
    ended.signal.addEventListener('abort', end)
    let watch = setTimeout(end, SILENT_MS)
    try {
      const query = requestId ? `?request_id=${encodeURIComponent(requestId())}` : ''
      const headers: Record<string, string> = { Authorization: `Bearer ${await token()}`, Accept: 'text/event-stream' }
      if (cursor) headers['Last-Event-ID'] = cursor
      const answer = await fetch(`/v1/live${query}`, { headers, signal: cut.signal })
      if (answer.status === 400 || answer.status === 422) {
        // The journals were restored: other events may stand where these did.
        cursor = ''
        forgetSeen()
      }
      if (!answer.ok || !answer.body) throw new Error(`HTTP ${answer.status}`)
      const fresh = cursor === ''
      let text = ''
      const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader()
      for (;;) {
        const { value, done } = await reader.read()
        if (done) return
        clearTimeout(watch)
        watch = setTimeout(end, SILENT_MS)
        text += value
        const parts = text.split('\n\n')
        text = parts.pop() ?? ''
        for (const part of parts) take(part)
        if (line.value !== 'live') {
          // What happened between the page's first reading and the stream's beginning is in no stream.
          if (fresh || line.value === 'polling') void again().catch(() => undefined)
          line.value = 'live'
          failed = 0
        }
      }
    } finally {
      clearTimeout(watch)
      ended.signal.removeEventListener('abort', end)
    }
  }

  function take(part: string): void {
    let data = ''
    let id = ''
    for (const row of part.split('\n')) {
      if (row.startsWith('data: ')) data += row.slice(6)
      else if (row.startsWith('id: ')) id = row.slice(4)
    }
    if (id === cursor && data) return
    if (id) cursor = id
    if (!data) return
    const change = JSON.parse(data) as Change
    hasSeen(change.position ?? '')
    changed(change)
  }

  async function poll(): Promise<void> {
    try {
      await again()
      line.value = 'polling'
    } catch {
      line.value = 'cut'
    }
  }

  const pause = (ms: number): Promise<void> => new Promise((go) => setTimeout(go, ms))

  void (async () => {
    while (!ended.signal.aborted) {
      const begun = Date.now()
      // Before anybody is signed in nothing was tried.
      let tried = true
      try {
        await listen()
      } catch (why) {
        failed += 1
        tried = !(why instanceof NotSignedIn)
      }
      if (ended.signal.aborted) return
      if (Date.now() - begun > 10_000) failed = 0
      if (failed >= TRIES_BEFORE_POLLING) await poll()
      else if (line.value === 'live' || (tried && line.value === 'connecting')) line.value = 'cut'
      await pause(failed >= TRIES_BEFORE_POLLING ? POLL_MS : 300 * (failed + 1))
    }
  })()

  onUnmounted(() => ended.abort())
  return line
}
