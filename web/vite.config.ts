// One package, three faces. `--mode desk|m|portal` chooses root, base path and output folder, so that a
// release of one face does not touch the chunk names (and the caches) of the others.
import { resolve } from 'node:path'
import vue from '@vitejs/plugin-vue'
import { defineConfig, type Plugin, type UserConfig } from 'vite'

const here = import.meta.dirname
const shared = { '@shared': resolve(here, 'shared') }
const target = ['chrome87', 'firefox78', 'safari14']

/** Tells the Rust side the hashed names of the portal's two files. */
function portalNames(): Plugin {
  return {
    name: 'portal-names',
    enforce: 'post',
    generateBundle(_options, bundle) {
      const names: Record<string, string> = {}
      for (const file of Object.keys(bundle)) {
        if (file.endsWith('.css')) names['portal.css'] = `/assets/portal/${file.replace(/^assets\//, '')}`
        if (file.endsWith('.js')) names['portal.js'] = `/assets/portal/${file.replace(/^assets\//, '')}`
      }
      this.emitFile({
        type: 'asset',
        fileName: 'manifest.json',
        source: `${JSON.stringify(names, null, 2)}\n`,
      })
    },
  }
}

function spa(face: 'desk' | 'm'): UserConfig {
  return {
    root: resolve(here, face),
    base: `/${face}/`,
    resolve: { alias: shared },
    plugins: [vue()],
    build: {
      outDir: resolve(here, 'dist', face),
      emptyOutDir: true,
      target,
      assetsInlineLimit: 0,
      modulePreload: { polyfill: false },
      reportCompressedSize: false,
    },
    server: {
      proxy: { '/api': process.env.MJ_BASE ?? 'http://localhost:8080' },
    },
  }
}

function portal(): UserConfig {
  return {
    root: resolve(here, 'portal'),
    publicDir: false,
    resolve: { alias: shared },
    plugins: [portalNames()],
    build: {
      outDir: resolve(here, 'dist/portal'),
      emptyOutDir: true,
      target,
      assetsInlineLimit: 0,
      modulePreload: { polyfill: false },
      reportCompressedSize: false,
      cssCodeSplit: false,
      rollupOptions: {
        input: resolve(here, 'portal/portal.ts'),
        output: {
          // A classic script: it runs before the first paint, so that large type does not flash in late.
          format: 'iife',
          entryFileNames: 'assets/portal-[hash].js',
          assetFileNames: 'assets/portal-[hash][extname]',
        },
      },
    },
  }
}

export default defineConfig(({ mode }) => {
  if (mode === 'portal') return portal()
  if (mode === 'm' || mode === 'desk') return spa(mode)
  throw new Error(`unknown face "${mode}": use --mode desk, m or portal`)
})
