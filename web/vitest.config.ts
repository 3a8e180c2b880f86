// Apart from vite.config.ts, whose root follows the face and would make Vitest look in the wrong folder.
import { resolve } from 'node:path'
import vue from '@vitejs/plugin-vue'
import { defineConfig } from 'vitest/config'

export default defineConfig({
  plugins: [vue()],
  resolve: { alias: { '@shared': resolve(import.meta.dirname, 'shared') } },
  test: { include: ['{shared,desk,m,portal,tools}/**/*.spec.ts'] },
})
