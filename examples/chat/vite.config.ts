import react from '@vitejs/plugin-react'
import { defineConfig } from 'vite'

const sources = new URL('../../src', import.meta.url).pathname

export default defineConfig({
  root: new URL('.', import.meta.url).pathname,
  plugins: [react()],
  // Here, where nothing is published yet; an application has `heldline` among its dependencies.
  resolve: {
    alias: [
      { find: /^heldline\/ai-sdk\/react$/, replacement: `${sources}/adapters/ai-sdk/react.ts` },
      { find: /^heldline\/ai-sdk$/, replacement: `${sources}/adapters/ai-sdk/index.ts` },
      { find: /^heldline\/(\w+)$/, replacement: `${sources}/$1/index.ts` },
    ],
  },
})
