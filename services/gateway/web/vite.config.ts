import vue from '@vitejs/plugin-vue'
import { defineConfig } from 'vitest/config'
import { fieldWorker } from './shell'

// One page each; the gateway serves it for every path below it (services/gateway/pages.py).
const entries = ['index', 'portal', 'field', 'desk']

export default defineConfig({
  plugins: [vue(), fieldWorker()],
  define: { __VUE_OPTIONS_API__: true, __INTLIFY_JIT_COMPILATION__: true, __INTLIFY_DROP_MESSAGE_COMPILER__: false },
  build: {
    rollupOptions: { input: entries.map((name) => `${name}.html`) },
    // Inlined pieces would need a looser content security policy.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
  },
  server: { proxy: { '/v1': 'http://127.0.0.1:8080' } },
})
