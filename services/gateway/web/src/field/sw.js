// The field app without a network: its page and all that it loads are kept, and a new release replaces them whole.
const { version, urls } = __SHELL__
const NAME = `fieldloop-field-${version}`

self.addEventListener('install', (event) => {
  event.waitUntil(
    caches
      .open(NAME)
      .then((cache) => cache.addAll(urls))
      .then(() => self.skipWaiting()),
  )
})

self.addEventListener('activate', (event) => {
  event.waitUntil(
    caches
      .keys()
      .then((names) => Promise.all(names.filter((name) => name.startsWith('fieldloop-field-') && name !== NAME).map((name) => caches.delete(name))))
      .then(() => self.clients.claim()),
  )
})

self.addEventListener('fetch', (event) => {
  const url = new URL(event.request.url)
  if (event.request.method !== 'GET' || url.origin !== location.origin) return
  if (event.request.mode === 'navigate') event.respondWith(kept('/field', event.request))
  else if (urls.includes(url.pathname)) event.respondWith(kept(url.pathname, event.request))
})

async function kept(path, request) {
  return (await caches.match(path, { cacheName: NAME })) ?? fetch(request)
}
