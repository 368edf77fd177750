/** The field app's service worker, with the list of what it must keep so that the app works without a network. */
import type { Plugin } from 'vite'

export function fieldWorker(): Plugin {
  return {
    name: 'field-worker',
    enforce: 'post',
    generateBundle: {
      order: 'post',
      async handler(_, bundle) {
        const wanted = new Set<string>()
        const take = (name: string): void => {
          const one = bundle[name]
          if (!one || wanted.has(name)) return
          wanted.add(name)
          if (one.type !== 'chunk') return
          for (const each of [...one.imports, ...one.dynamicImports]) take(each)
          const { importedCss = [], importedAssets = [] } = one.viteMetadata ?? {}
          for (const each of [...importedCss, ...importedAssets]) take(each)
        }
        for (const one of Object.values(bundle)) if (one.type === 'chunk' && one.isEntry && one.name === 'field') take(one.fileName)
        if (!wanted.size) return
        const page = bundle['field.html']
        const html = page?.type === 'asset' ? String(page.source) : ''
        const urls = ['/field', ...[...wanted].sort().map((name) => `/${name}`)]
        const sha256 = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(html + urls.join()))
        const version = [...new Uint8Array(sha256).slice(0, 6)].map((byte) => byte.toString(16).padStart(2, '0')).join('')
        const worker = await this.fs.readFile('src/field/sw.js', { encoding: 'utf8' })
        const source = worker.replace('__SHELL__', JSON.stringify({ version, urls }))
        this.emitFile({ type: 'asset', fileName: 'field/sw.js', source })
      },
    },
  }
}
